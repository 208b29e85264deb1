//! Running helm on the chart, and finding things in what it rendered.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use batchpipe_testbed::Program;
use serde_json::Value;

/// The release's namespace in all tests.
pub(crate) const NAMESPACE: &str = "batchpipe-system";

/// Everything that is off by default.
pub(crate) const EVERYTHING: [&str; 4] = [
    "serviceMonitor.enabled=true",
    "podMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "dashboards.enabled=true",
];

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/batchpipe").canonicalize().unwrap()
}

/// A file of the chart.
pub(crate) fn chart_file(path: &str) -> String {
    let path = chart().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A YAML file of the chart.
pub(crate) fn chart_yaml(path: &str) -> Value {
    serde_saphyr::from_str(&chart_file(path)).unwrap()
}

/// Runs helm, which reads and leaves nothing outside of the build's folder.
pub(crate) fn helm(args: &[&str]) -> Output {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| Program::Helm.get().unwrap());
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let mut command = Command::new(program);
    for kind in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{kind}_HOME"), home.join(kind));
    }
    command.args(args).output().unwrap()
}

/// `helm template` as a release of this name and namespace. Settings are `KEY=VALUE`; a value that is JSON is taken as
/// such.
fn template([release, namespace]: [&str; 2], settings: &[&str]) -> Output {
    let quoted: Vec<String> = settings.iter().map(|setting| as_json(setting)).collect();
    let folder = chart();
    let mut args = vec!["template", release, folder.to_str().unwrap(), "--namespace", namespace];
    for setting in &quoted {
        args.extend(["--set-json", setting]);
    }
    helm(&args)
}

/// What settings are rendered to, as text, for a release named like the chart.
#[track_caller]
pub(crate) fn rendered(settings: &[&str]) -> String {
    rendered_as(["batchpipe", NAMESPACE], settings)
}

#[track_caller]
fn rendered_as(release: [&str; 2], settings: &[&str]) -> String {
    let output = template(release, settings);
    assert!(output.status.success(), "{settings:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What settings are rendered to.
#[track_caller]
pub(crate) fn render(settings: &[&str]) -> Objects {
    render_as(["batchpipe", NAMESPACE], settings)
}

/// The same for a release of this name and namespace.
#[track_caller]
pub(crate) fn render_as(release: [&str; 2], settings: &[&str]) -> Objects {
    let text = rendered_as(release, settings);
    Objects(serde_saphyr::from_multiple(&text).unwrap())
}

/// Why settings are refused.
#[track_caller]
pub(crate) fn refusal(settings: &[&str]) -> String {
    let output = template(["batchpipe", NAMESPACE], settings);
    assert!(!output.status.success(), "{settings:?} was not refused");
    String::from_utf8(output.stderr).unwrap()
}

/// `log=debug` becomes `log="debug"`; numbers, lists and objects stay.
fn as_json(setting: &str) -> String {
    let (key, value) = setting.split_once('=').unwrap();
    match serde_json::from_str::<Value>(value) {
        Ok(_) => setting.to_owned(),
        Err(_) => format!("{key}={}", Value::from(value)),
    }
}

/// Rendered objects.
pub(crate) struct Objects(pub(crate) Vec<Value>);

impl Objects {
    /// All of a kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The only one of a kind.
    #[track_caller]
    pub(crate) fn one(&self, kind: &str) -> &Value {
        let found = self.all(kind);
        assert_eq!(found.len(), 1, "objects of kind {kind}");
        found[0]
    }

    /// The names of a kind.
    pub(crate) fn names(&self, kind: &str) -> Vec<&str> {
        self.all(kind).iter().map(|object| name(object)).collect()
    }

    /// The spec of the operator's pods.
    pub(crate) fn pod(&self) -> &Value {
        &self.one("Deployment")["spec"]["template"]["spec"]
    }

    /// The operator's container.
    pub(crate) fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    /// A variable of the operator's container.
    #[track_caller]
    pub(crate) fn variable(&self, name: &str) -> &Value {
        let variables = self.container()["env"].as_array().unwrap();
        variables
            .iter()
            .find(|variable| variable["name"] == name)
            .unwrap_or_else(|| panic!("{name}"))
    }
}

/// An object's name.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}
