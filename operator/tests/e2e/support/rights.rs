//! What the chart lets the operator do, as helm renders it, given to a service account of a test. Operators run with
//! nothing more, so that whatever a test shows is shown under the shipped rights.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    sync::{LazyLock, Mutex},
};

use batchpipe_testbed::{ControlPlane, Program};
use serde_json::{Value, json};

use super::{Namespace, wait_for};

/// The release's name; also the name of its service account and its Lease.
const RELEASE: &str = "batchpipe-operator";
const KINDS: [&str; 5] =
    ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
/// Stands for the namespace where one rendering is used for many.
const SOME_NAMESPACE: &str = "some-namespace";

/// A verb on a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    /// With its group, such as `deployments.apps` or `batchpipelines.batchpipe.dev/status`.
    pub(crate) resource: String,
    pub(crate) verb: String,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

/// The operator's service account, its roles and their bindings.
#[derive(Clone)]
pub(crate) struct Rights(Vec<Value>);

impl Rights {
    /// Those of the chart by default, in a namespace.
    pub(crate) fn shipped(namespace: &str) -> Self {
        static RENDERED: LazyLock<String> =
            LazyLock::new(|| render(SOME_NAMESPACE, &["rbac.aggregate=false"]));
        Self::read(&RENDERED.replace(SOME_NAMESPACE, namespace))
    }

    /// Those of the chart with settings.
    pub(crate) fn of_release(namespace: &str, settings: &[&str]) -> Self {
        Self::read(&render(namespace, settings))
    }

    fn read(text: &str) -> Self {
        let all: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
        let is_wanted = |it: &Value| KINDS.iter().any(|kind| it["kind"] == *kind);
        Self(all.into_iter().filter(is_wanted).collect())
    }

    fn roles(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(|it| it["rules"].is_array())
    }

    /// Everything that is allowed.
    pub(crate) fn pairs(&self) -> Vec<Pair> {
        let rules = self.roles().flat_map(|role| list(&role["rules"]));
        let mut pairs: Vec<Pair> = rules.flat_map(pairs_of).collect();
        pairs.sort();
        pairs.dedup();
        pairs
    }

    /// The same with one verb on one resource less.
    pub(crate) fn without(mut self, pair: &Pair) -> Self {
        for role in self.0.iter_mut().filter(|it| it["rules"].is_array()) {
            let single = list(&role["rules"]).iter().flat_map(single_rules);
            role["rules"] = single.filter(|rule| pairs_of(rule) != [pair.clone()]).collect();
        }
        self
    }

    /// Gives them, and returns once the API server knows, with who has them.
    pub(crate) fn give(&self, cluster: &ControlPlane, namespace: &str) -> PathBuf {
        let all = json!({"apiVersion": "v1", "kind": "List", "items": self.0}).to_string();
        cluster.kubectl_with_input(&["apply", "-f", "-"], &all).unwrap();
        let kubeconfig = cluster.kubeconfig_for_service_account(namespace, RELEASE).unwrap();
        self.roles().for_each(|role| await_role(cluster, &kubeconfig, role));
        kubeconfig
    }
}

/// The kubeconfig of an operator that looks after a namespace, with the rights that are shipped.
pub(crate) fn kubeconfig(namespace: Namespace<'_>) -> PathBuf {
    static GIVEN: Mutex<BTreeMap<(PathBuf, &str), PathBuf>> = Mutex::new(BTreeMap::new());
    let key = (namespace.cluster.folder().to_owned(), namespace.name);
    if let Some(given) = GIVEN.lock().unwrap().get(&key) {
        return given.clone();
    }
    let given = Rights::shipped(namespace.name).give(namespace.cluster, namespace.name);
    GIVEN.lock().unwrap().insert(key, given.clone());
    given
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A rule taken apart, so that each part allows one thing.
fn single_rules(rule: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for group in list(&rule["apiGroups"]) {
        for resource in list(&rule["resources"]) {
            for verb in list(&rule["verbs"]) {
                let mut single = rule.clone();
                single["apiGroups"] = json!([group]);
                single["resources"] = json!([resource]);
                single["verbs"] = json!([verb]);
                all.push(single);
            }
        }
    }
    all
}

fn pairs_of(rule: &Value) -> Vec<Pair> {
    let of = |single: Value| {
        let (group, resource) = (text(&single["apiGroups"][0]), text(&single["resources"][0]));
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        let [dot, slash] = [(".", group), ("/", part)]
            .map(|(sign, it)| if it.is_empty() { String::new() } else { format!("{sign}{it}") });
        let resource = format!("{resource}{dot}{slash}");
        Pair { resource, verb: text(&single["verbs"][0]).to_owned() }
    };
    single_rules(rule).into_iter().map(of).collect()
}

/// The API server's own view of roles is a moment late.
fn await_role(cluster: &ControlPlane, kubeconfig: &Path, role: &Value) {
    // kubectl only knows the group of a kind that is installed, and one test installs ours later.
    let mut rules = list(&role["rules"]).iter();
    let Some(first) = rules.find(|rule| rule["apiGroups"][0] != "batchpipe.dev") else { return };
    let Pair { resource, verb } = pairs_of(first).swap_remove(0);
    let object = first["resourceNames"][0].as_str().map(|it| format!("/{it}")).unwrap_or_default();
    let scope = match role["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("--namespace={namespace}"),
        None => "--all-namespaces".to_owned(),
    };
    wait_for(&format!("the right to {verb} {resource}"), || {
        let mut command = cluster.kubectl_command();
        command.env("KUBECONFIG", kubeconfig);
        command.args(["auth", "can-i", &verb, &format!("{resource}{object}"), &scope, "--quiet"]);
        command.status().unwrap().success().then_some(())
    });
}

/// `helm template` with settings.
fn render(namespace: &str, settings: &[&str]) -> String {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/batchpipe");
    let mut command = Command::new(Program::Helm.get().unwrap());
    for kind in ["CACHE", "CONFIG", "DATA"] {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm").join(kind);
        command.env(format!("HELM_{kind}_HOME"), home);
    }
    command.args(["template", RELEASE]).arg(chart).args(["--namespace", namespace]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
