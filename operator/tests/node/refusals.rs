//! What people type is refused with its path, or explained.

use std::{fs, path::Path};

use crate::support::{Manifest, NAMESPACE, Pipeline, bed};

/// Whether `kubectl edit` succeeds when the editor replaces one text by another, and what it says: a refusal is told in
/// the text that is edited, of which a copy is kept.
fn edit(pipeline: &Pipeline, from: &str, to: &str) -> (bool, String) {
    let mut kubectl = pipeline.bed.node().control_plane().kubectl_command();
    kubectl.env("KUBE_EDITOR", format!("sed -i \"s/{from}/{to}/\""));
    kubectl.args(["edit", "--namespace", NAMESPACE, &pipeline.object()]);
    let output = kubectl.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let copy = said.split('"').find(|part| part.contains("kubectl-edit-")).map(Path::new);
    let told = copy.map(|copy| fs::read_to_string(copy).unwrap()).unwrap_or_default();
    copy.map_or(Ok(()), fs::remove_file).unwrap();
    let comments: Vec<&str> = told.lines().filter(|line| line.starts_with('#')).collect();
    (output.status.success(), comments.join("\n"))
}

#[test]
fn a_typo_and_a_wrong_value_are_refused_with_their_paths() {
    let Some(bed) = bed() else { return };
    let manifest = Manifest::new("edited").with("/batch/maxRecords", 321);
    let Some(pipeline) = Pipeline::flowing(&manifest) else { return };
    let generation = pipeline.get()["metadata"]["generation"].clone();
    for (from, to, says) in [
        ("maxRecords: 321", "maxRecord: 321", "spec.batch.maxRecord"),
        ("maxRecords: 321", "maxRecords: 0", "spec.batch.maxRecords"),
        ("linger: 100ms", "linger: soon", "spec.batch.linger"),
    ] {
        let (is_done, said) = edit(&pipeline, from, to);
        println!("{said}");
        assert!(!is_done && said.contains(says), "{to}: {said}");
    }
    let typo = manifest.with("/batch/maxRecord", 5);
    let said = bed.apply(&typo.0.to_string()).unwrap_err().to_string();
    assert!(said.contains("spec.batch.maxRecord"), "{said}");
    assert_eq!(pipeline.get()["metadata"]["generation"], generation);
    pipeline.finish();
}

#[test]
fn fields_are_explained() {
    let Some(bed) = bed() else { return };
    let text = bed.kubectl(&["explain", "bp.spec.batch"]);
    println!("{text}");
    for expected in ["DESCRIPTION", "When a batch is full", "maxRecords", "Most records in a batch"]
    {
        assert!(text.contains(expected), "no {expected:?} in {text}");
    }
}

#[test]
fn the_namespace_in_which_everything_here_runs_lets_in_no_pod_with_privileges() {
    let Some(bed) = bed() else { return };
    let run = ["run", "plain", "--image=batchpipe.local/pause:1", "--restart=Never"];
    for more in [&[][..], &["--privileged"]] {
        let said = bed.try_kubectl(&[&run[..], more].concat()).unwrap_err().to_string();
        assert!(said.contains("violates PodSecurity \"restricted"), "{said}");
    }
    assert!(bed.find("pod/plain").is_none());
}
