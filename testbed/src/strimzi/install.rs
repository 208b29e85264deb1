//! Installing Strimzi's Cluster Operator on a node, as its users do: by `kubectl apply` of its own manifests.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Strimzi,
    manifests::{NAMESPACE, adapted},
};
use crate::{ControlPlane, Error, Node, Result, error::Context};

/// How the files of kinds begin. They come first, because they take a moment to be served.
const KINDS: &str = "04";
const DEPLOYMENT: &str = "deployment/strimzi-cluster-operator";
const PATIENCE: &str = "--timeout=5m";
const KINDS_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

impl Strimzi {
    /// Gives the node the images, installs the kinds and the Cluster Operator, which looks after one namespace, and
    /// waits until it does.
    pub fn install(&self, node: &Node, watched: &str) -> Result<()> {
        for image in self.images()? {
            node.import(&image)?;
        }
        let cluster = node.control_plane();
        let (kinds, others) = self.files()?;
        for file in kinds {
            cluster.kubectl(&["apply", "--server-side", "--filename", &file])?;
        }
        await_kinds(cluster)?;
        cluster.kubectl(&["create", "namespace", NAMESPACE])?;
        let list = read(cluster, &others)?;
        let adapted = adapted(&list, watched).to_string();
        cluster.kubectl_with_input(&["apply", "--filename=-"], &adapted)?;
        let rollout = ["rollout", "status", "--namespace", NAMESPACE, DEPLOYMENT, PATIENCE];
        cluster.kubectl(&rollout).map(drop)
    }

    /// The files of kinds, and the others, in order.
    fn files(&self) -> Result<(Vec<String>, Vec<String>)> {
        let folder = self.manifests();
        let entries = std::fs::read_dir(&folder).context("read", &folder)?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let is_of_kinds = |file: &PathBuf| {
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(KINDS))
        };
        let (kinds, others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_of_kinds);
        let names = |files: Vec<PathBuf>| files.iter().map(|it| it.display().to_string()).collect();
        Ok((names(kinds), names(others)))
    }
}

/// Waits until the kinds are served. kubectl gives up when it asks before the first condition is there.
fn await_kinds(cluster: &ControlPlane) -> Result<()> {
    let wait = ["wait", "--for=condition=Established", "crd", "--all", PATIENCE];
    let deadline = Instant::now() + KINDS_LIMIT;
    loop {
        match cluster.kubectl(&wait) {
            Err(_) if Instant::now() < deadline => thread::sleep(POLL),
            other => return other.map(drop),
        }
    }
}

/// What files have, as a List.
fn read(cluster: &ControlPlane, files: &[String]) -> Result<Value> {
    let mut args = vec!["apply", "--dry-run=client", "--output=json", "--namespace", NAMESPACE];
    for file in files {
        args.extend(["--filename", file.as_str()]);
    }
    let text = cluster.kubectl(&args)?;
    serde_json::from_str(&text).map_err(|source| Error::Io {
        action: "read what kubectl printed of",
        path: files.first().map(PathBuf::from).unwrap_or_default(),
        source: source.into(),
    })
}
