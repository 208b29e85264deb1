//! The node with Kafka and the operator on it, which all tests share.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use batchpipe_testbed::{
    ControlPlane, Node, Stage, node_hindrance, operator_image, workload_image, workspace_program,
};

use super::printed::Printed;

/// The namespace of the operator and of all pipelines. It enforces Pod Security `restricted`.
pub(crate) const NAMESPACE: &str = "batchpipe";
/// The chart.
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/batchpipe");
/// The images that the bed makes of this workspace's programs.
const IMAGES: [&str; 4] = [
    "image.repository=batchpipe.local/operator",
    "image.tag=dev",
    "workloadImage.repository=batchpipe.local/workload",
    "workloadImage.tag=dev",
];

/// The node with Kafka and the operator on it.
pub(crate) struct Bed {
    pub(crate) stage: Stage,
    /// The program `batchpipe`, to audit with.
    pub(crate) batchpipe: PathBuf,
    pub(crate) printed: Printed,
}

/// The bed; none where no node can run, which is said.
pub(crate) fn bed() -> Option<&'static Bed> {
    static BED: OnceLock<Bed> = OnceLock::new();
    if let Some(reason) = node_hindrance() {
        eprintln!("left out: {reason}");
        return None;
    }
    Some(BED.get_or_init(Bed::start))
}

impl Bed {
    fn start() -> Self {
        let batchpipe = workspace_program("batchpipe").unwrap();
        let operator = Path::new(env!("CARGO_BIN_EXE_batchpipe-operator"));
        let images = [workload_image(&batchpipe).unwrap(), operator_image(operator).unwrap()];
        let stage = Stage::start(ControlPlane::builder(), NAMESPACE).unwrap();
        for image in &images {
            stage.node().import(image).unwrap();
        }
        let printed = Printed::watch(stage.node().folder().join("logs"));
        let bed = Self { stage, batchpipe, printed };
        bed.helm(&["install", "--wait", "--timeout=3m"], &[]);
        bed
    }

    /// Installs or upgrades the operator, with further values.
    pub(crate) fn helm(&self, verb: &[&str], values: &[&str]) {
        let mut helm = self.node().control_plane().helm_command().unwrap();
        helm.args(verb).args(["batchpipe", CHART, "--namespace", NAMESPACE]);
        for value in IMAGES.iter().chain(values) {
            helm.args(["--set", value]);
        }
        let output = helm.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Applies the chart's definition as the documents tell: helm upgrades none.
    pub(crate) fn apply_crd(&self) {
        let mut helm = self.node().control_plane().helm_command().unwrap();
        let output = helm.args(["show", "crds", CHART]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let crds = String::from_utf8(output.stdout).unwrap();
        let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.node().control_plane().kubectl_with_input(&args, &crds).unwrap();
    }

    pub(crate) fn node(&self) -> &Node {
        self.stage.node()
    }

    /// `kubectl` in the namespace.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap()
    }

    pub(crate) fn try_kubectl(&self, args: &[&str]) -> batchpipe_testbed::Result<String> {
        self.node().kubectl(&[&["--namespace", NAMESPACE], args].concat())
    }

    /// `kubectl apply` of a text.
    pub(crate) fn apply(&self, text: &str) -> batchpipe_testbed::Result<String> {
        let args = ["apply", "--namespace", NAMESPACE, "--filename=-"];
        self.node().control_plane().kubectl_with_input(&args, text)
    }

    /// An object; none when there is none.
    pub(crate) fn find(&self, object: &str) -> Option<serde_json::Value> {
        let text = self.kubectl(&["get", object, "--ignore-not-found", "--output=json"]);
        (!text.trim().is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    /// The objects of a kind that a selector finds.
    pub(crate) fn list(&self, kind: &str, selector: &str) -> Vec<serde_json::Value> {
        let text = self.kubectl(&["get", kind, "--selector", selector, "--output=json"]);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// The operator's pods.
    pub(crate) fn operators(&self) -> Vec<serde_json::Value> {
        self.list("pods", "app.kubernetes.io/name=batchpipe-operator")
    }
}
