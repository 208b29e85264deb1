//! `kubectl batchpipe`: found by kubectl under its name, it reads topics from inside of a pod, with the pod's way to the brokers.

use std::{fs, os::unix::fs::symlink, path::Path, process::Output};

use serde_json::Value;

use crate::support::{Bed, Manifest, NAMESPACE, Pipeline, wait_for};

/// Runs `kubectl batchpipe` with the plugin in a folder of the path.
fn plugin(bed: &Bed, folder: &Path, args: &[&str]) -> Output {
    let mut kubectl = bed.node().control_plane().kubectl_command();
    let path = std::env::var("PATH").unwrap();
    let program = kubectl.get_program().to_owned();
    kubectl.env("PATH", format!("{}:{path}", folder.display())).env("KUBECTL", program);
    kubectl.arg("batchpipe").args(args).args(["--namespace", NAMESPACE]);
    kubectl.arg(format!("--kubeconfig={}", bed.node().control_plane().kubeconfig().display()));
    kubectl.output().unwrap()
}

fn text(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_plugin_shows_pipelines_and_reads_their_topics() {
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("plugged")) else { return };
    let bed = pipeline.bed;
    let folder = bed.node().folder().join("kubectl-plugins");
    fs::create_dir(&folder).unwrap();
    symlink(&bed.batchpipe, folder.join("kubectl-batchpipe")).unwrap();
    let plugin = |args: &[&str]| plugin(bed, &folder, args);

    let records = text(&plugin(&["tap", "plugged", "--limit", "3"]));
    assert_eq!(records.lines().count(), 3, "{records}");
    assert!(records.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{records}");

    let audit: Value =
        serde_json::from_str(&text(&plugin(&["audit", "plugged", "--json"]))).unwrap();
    assert_eq!(audit["missing"], 0);
    assert!(audit["records"].as_u64() > Some(0), "{audit}");

    // The exit code is that of the command in the pod.
    assert_eq!(plugin(&["tap", "plugged", "--limit", "many"]).status.code(), Some(2));
    let missing = plugin(&["audit", "nobody"]);
    let words = String::from_utf8_lossy(&missing.stderr);
    assert_eq!(missing.status.code(), Some(1));
    assert!(words.contains("no pod of pipeline nobody runs in namespace batchpipe"), "{words}");

    wait_for("the rate in the table", || {
        let table = text(&plugin(&["top"]));
        let row = table.lines().find(|line| line.starts_with("plugged "))?.to_owned();
        (row.contains("True") && row.contains("Running") && row.contains('█')).then_some(())
    });
    pipeline.finish();
}
