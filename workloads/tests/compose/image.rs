//! The images that the Dockerfile makes of programs that are built already, with the engine's own builder.

use std::fs;

use batchpipe_testbed::workspace_program;
use serde_json::Value;

use crate::project::Project;

const ARGUMENTS: &str = "--build-arg BINARIES=prebuilt --build-arg REVISION=4b825dc --build-arg SOURCE=https://example.org/batchpipe";

/// What an image says of itself and how it is run; and what the program in it prints.
fn build(project: &Project, target: &str) -> (Value, String) {
    project.run(&format!("docker build --quiet {ARGUMENTS} --target {target} --tag {target} ."));
    let inspected = project.json(&format!("docker image inspect {target}"));
    let printed =
        project.run(&format!("docker run --rm --network none --read-only {target} --version"));
    (inspected[0]["Config"].clone(), printed)
}

#[test]
fn both_images_run_as_nobody_and_say_what_they_are() {
    let Some(project) = Project::start() else { return };
    let operator = workspace_program("batchpipe-operator").unwrap();
    fs::copy(operator, project.folder().join("dist/batchpipe-operator")).unwrap();
    for (target, program) in [("workload", "batchpipe"), ("operator", "batchpipe-operator")] {
        let (image, printed) = build(&project, target);
        assert_eq!(printed.trim(), format!("{program} {}", env!("CARGO_PKG_VERSION")));
        assert_eq!(image["User"], "65532:65532");
        assert_eq!(image["Entrypoint"], serde_json::json!([format!("/usr/local/bin/{program}")]));
        let label =
            |name: &str| image["Labels"][format!("org.opencontainers.image.{name}")].clone();
        assert_eq!(label("title"), program);
        assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
        assert_eq!(
            (label("revision"), label("source")),
            ("4b825dc".into(), "https://example.org/batchpipe".into())
        );
        assert!(label("description").as_str().is_some_and(|text| text.len() > 20));
    }
}
