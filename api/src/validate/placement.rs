//! What depends on where a pipeline runs: in a cluster or on somebody's machine.
//!
//! Pure, and only for objects that the other rules have accepted.

use std::path::{Component, Path};

use super::violation::Violation;
use crate::pipeline::BatchPipeline;

/// Folders that a volume must not cover: the image or the kernel needs them, or our own mounts are there.
const SYSTEM: [&str; 12] =
    ["bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr", "app"];

/// What the operator cannot run.
pub fn in_cluster(pipeline: &BatchPipeline) -> Vec<Violation> {
    let mut violations = Vec::new();
    let source = pipeline.spec.producer.as_ref().map(|producer| &producer.source);
    if source.is_some_and(|source| source.stdin.is_some()) {
        let message = "pods have no standard input; choose generator, file, http or kafka";
        violations.push(Violation::rule("spec.producer.source.stdin", message));
    }
    if let Some(file) = source.and_then(|source| source.file.as_ref()) {
        let path = "spec.producer.source.file";
        claim(&file.volume_claim, path, &mut violations);
        let folder = Path::new(&file.path).parent().unwrap_or_else(|| Path::new(""));
        mount(folder, &format!("{path}.path"), &mut violations);
        checkpoint(&file.checkpoint_path, folder, &mut violations);
    }
    if let Some(file) =
        pipeline.spec.consumer.as_ref().and_then(|consumer| consumer.sink.file.as_ref())
    {
        let path = "spec.consumer.sink.file";
        claim(&file.volume_claim, path, &mut violations);
        mount(Path::new(&file.path), &format!("{path}.path"), &mut violations);
    }
    violations
}

/// What a process outside Kubernetes cannot run.
pub fn locally(pipeline: &BatchPipeline) -> Vec<Violation> {
    if pipeline.spec.kafka.strimzi.is_none() {
        return Vec::new();
    }
    let message = "a Strimzi cluster can be found in Kubernetes only; set bootstrapServers, tls and sasl instead";
    vec![Violation::rule("spec.kafka.strimzi", message)]
}

fn claim(name: &str, path: &str, violations: &mut Vec<Violation>) {
    if name.is_empty() {
        let message = "is required in a cluster: a pod's own files are lost with it; \
                       name a PersistentVolumeClaim in the same namespace";
        violations.push(Violation::rule(format!("{path}.volumeClaim"), message));
    }
}

fn mount(folder: &Path, path: &str, violations: &mut Vec<Violation>) {
    let mut steps = folder.components();
    let is_absolute = steps.next() == Some(Component::RootDir);
    let first = steps.next();
    let is_plain =
        folder.components().all(|step| matches!(step, Component::RootDir | Component::Normal(_)));
    let is_system = first
        .is_none_or(|step| SYSTEM.iter().any(|name| step.as_os_str().eq_ignore_ascii_case(name)));
    if !is_absolute || !is_plain || is_system {
        let message = "must be an absolute path without '..', in a folder of its own such as /data: \
                       the volume is mounted there";
        violations.push(Violation::rule(path, message));
    }
}

fn checkpoint(file: &str, folder: &Path, violations: &mut Vec<Violation>) {
    let stays = Path::new(file).starts_with(folder)
        && !Path::new(file).components().any(|it| it == Component::ParentDir);
    if !file.is_empty() && !stays {
        let message = "must be in the folder of path: nothing else of a pod outlives it";
        violations.push(Violation::rule("spec.producer.source.file.checkpointPath", message));
    }
}
