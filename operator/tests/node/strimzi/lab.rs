//! A Kafka that Strimzi runs on the tests' node: made, restarted, given new authorities and read, by kubectl.

use std::{env, fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use batchpipe_api::report::AuditReport;
use batchpipe_testbed::Strimzi;
use serde_json::{Value, json};

use crate::support::{Bed, NAMESPACE, within};

const LAB: &str = include_str!("lab.yaml");
const USER: &str = include_str!("user.yaml");
/// Where auditors read.
const OPEN: &str = "lab-kafka-bootstrap.batchpipe.svc:9095";
const BROKER: &str = "pod/lab-dual-0";
/// Strimzi looks at everything every two minutes, and a JVM takes its time on a busy machine.
const PATIENCE: Duration = Duration::from_mins(10);

/// Builds Strimzi from the git folders that the environment names.
pub(super) fn build() -> Strimzi {
    let folder = |name: &str| {
        PathBuf::from(env::var_os(name).unwrap_or_else(|| {
            panic!("set {name} to a git folder: make test-strimzi STRIMZI_GIT=... KAFKA_GIT=...")
        }))
    };
    Strimzi::build(&folder("STRIMZI_GIT"), &folder("KAFKA_GIT")).unwrap()
}

/// A Kafka that Strimzi runs.
#[derive(Clone, Copy)]
pub(super) struct Lab {
    bed: &'static Bed,
}

impl Lab {
    /// Asks Strimzi for one.
    pub(super) fn apply(bed: &'static Bed) -> Self {
        // Whoever the broker runs as, it may write there.
        let folder = bed.node().folder().join("lab");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        bed.apply(&LAB.replace("FOLDER", &folder.display().to_string())).unwrap();
        Self { bed }
    }

    /// Asks for a user, of what a pipeline of the same name needs.
    pub(super) fn user(self, name: &str, authentication: &str) {
        let text = USER.replace("NAME", name).replace("AUTHENTICATION", authentication);
        self.bed.apply(&text).unwrap();
    }

    /// Waits until one of Strimzi's objects is as asked for.
    pub(super) fn await_ready(self, object: &str) {
        within(PATIENCE, &format!("{object} to be Ready"), || {
            let object = self.bed.find(object)?;
            let is_current =
                object["status"]["observedGeneration"] == object["metadata"]["generation"];
            let conditions = object["status"]["conditions"].as_array()?;
            let is_ready =
                conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
            (is_current && is_ready).then_some(())
        });
    }

    /// Has Strimzi restart the broker, and waits until the new one is ready.
    pub(super) fn roll(self) {
        let before = self.bed.find(BROKER).map(|pod| pod["metadata"]["uid"].clone());
        self.annotate("strimzipodset/lab-dual", "strimzi.io/manual-rolling-update=true");
        within(PATIENCE, "another broker", || {
            let pod = self.bed.find(BROKER)?;
            let conditions = pod["status"]["conditions"].as_array()?;
            let is_ready =
                conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True");
            (Some(&pod["metadata"]["uid"]) != before.as_ref() && is_ready).then_some(())
        });
    }

    /// Sets an annotation.
    pub(super) fn annotate(self, object: &str, annotation: &str) {
        self.bed.kubectl(&["annotate", object, "--overwrite", annotation]);
    }

    /// A key of a Secret, as it is kept.
    pub(super) fn secret(self, name: &str, key: &str) -> Option<String> {
        let secret = self.bed.find(&format!("secret/{name}"))?;
        secret["data"][key].as_str().map(str::to_owned)
    }

    /// Waits until a key of a Secret is another, and not missing.
    pub(super) fn await_changed(self, name: &str, key: &str, before: Option<&str>) {
        within(PATIENCE, &format!("another {key} in {name}"), || {
            self.secret(name, key).filter(|now| Some(now.as_str()) != before).map(drop)
        });
    }

    /// What `batchpipe audit` says in a pod, which reaches the broker.
    pub(super) fn audit(self, topic: &str) -> AuditReport {
        let name = format!("audit-{topic}");
        self.bed.apply(&auditor(&name, topic).to_string()).unwrap();
        let phase = within(PATIENCE, "the audit to end", || {
            let pod = self.bed.find(&format!("pod/{name}"))?;
            let phase = pod["status"]["phase"].as_str()?.to_owned();
            ["Succeeded", "Failed"].contains(&phase.as_str()).then_some(phase)
        });
        let printed = self.bed.kubectl(&["logs", &name]);
        println!("audit of {topic}: {phase}:\n{printed}");
        assert_eq!(phase, "Succeeded", "the audit of {topic}");
        let line = printed.lines().find(|line| line.starts_with("{\"batches\"")).unwrap();
        serde_json::from_str(line).unwrap()
    }
}

fn auditor(name: &str, topic: &str) -> Value {
    let security = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true,
        "readOnlyRootFilesystem": true, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let container = json!({
        "name": "audit", "image": "batchpipe.local/workload:dev", "securityContext": security,
        "args": ["audit", "--json", "--brokers", OPEN, "--topic", topic],
    });
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"restartPolicy": "Never", "automountServiceAccountToken": false, "containers": [container]},
    })
}
