//! The pods of a pipeline's side.

use std::fs;

use batchpipe_api::report::Report;
use serde_json::Value;

use super::Bed;

/// A pod, as it was when it was asked for.
pub(crate) struct Pod {
    bed: &'static Bed,
    object: Value,
}

impl Pod {
    pub(crate) const fn new(bed: &'static Bed, object: Value) -> Self {
        Self { bed, object }
    }

    pub(crate) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }

    pub(crate) fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap()
    }

    pub(crate) fn is_ready(&self) -> bool {
        let conditions = self.object["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|it| it["type"] == "Ready" && it["status"] == "True")
    }

    pub(crate) fn restarts(&self) -> i64 {
        self.object["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap_or_default()
    }

    /// What it says of itself, if it answers.
    pub(crate) fn report(&self) -> Option<Report> {
        let path = "/api/v1/namespaces/batchpipe/pods/NAME:8080/proxy/status";
        let path = path.replace("NAME", self.name());
        serde_json::from_str(&self.bed.try_kubectl(&["get", "--raw", &path]).ok()?).ok()
    }

    /// Takes it away without asking its processes to end.
    pub(crate) fn delete_by_force(&self) {
        self.bed.kubectl(&["delete", "pod", self.name(), "--force", "--grace-period=0"]);
    }

    /// Kills its processes (SIGKILL), which kubelet then starts again in the same pod. None of the machine's other
    /// processes is in a control group with this pod's uid in its name.
    pub(crate) fn kill_processes(&self) {
        let mut killed = 0;
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            if read("cgroup").contains(self.uid()) && read("comm").trim() == "batchpipe" {
                let id = entry.file_name();
                let status = std::process::Command::new("kill").arg("-KILL").arg(id).status();
                killed += u32::from(status.unwrap().success());
            }
        }
        assert!(killed > 0, "no process of {} was found", self.name());
    }
}
