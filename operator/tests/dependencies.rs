//! What crates are built from: the operator without librdkafka, the contract without a client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

/// The crates that this one is built from.
fn dependencies(package: &str) -> String {
    let cargo = env!("CARGO");
    let tree =
        ["tree", "--offline", "--edges", "normal,build", "--prefix", "none", "--package", package];
    let output =
        Command::new(cargo).args(tree).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_operator_is_built_without_librdkafka() {
    let tree = dependencies("batchpipe-operator");
    assert!(tree.contains("kube-client"), "{tree}");
    for unwanted in ["rdkafka", "batchpipe-workloads", "batchpipe-testbed"] {
        assert!(!tree.contains(unwanted), "{unwanted} in {tree}");
    }
}

#[test]
fn the_contract_is_built_without_a_client() {
    let tree = dependencies("batchpipe-api");
    assert!(tree.contains("kube-core"), "{tree}");
    for unwanted in
        ["kube-client", "kube-runtime", "tokio", "hyper", "tower", "rdkafka", "rdkafka-sys"]
    {
        assert!(
            !tree.lines().any(|line| line.starts_with(&format!("{unwanted} "))),
            "{unwanted} in {tree}"
        );
    }
}
