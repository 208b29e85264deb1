//! The programs of this workspace, built as the tests were: without optimisation of our own code, or for measuring with it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{Error, Result, process};

/// The file of a program of this workspace, for [`crate::workload_image`] and the like, built if it changed.
///
/// Built as one of all of the workspace's packages, as `cargo test --workspace` builds them: of a package alone most
/// dependencies have fewer features, and would be compiled a second time for minutes.
pub fn workspace_program(name: &str) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo told this test of itself would be news to build scripts, which then build for minutes what is there,
    // and again when the next cargo does not say it.
    let told = env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| name.to_str().is_some_and(is_about_a_package)) {
        cargo.env_remove(name);
    }
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    cargo.args(["build", "--locked", "--quiet", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        // Whoever runs tests with `--release` measures.
        cargo.arg("--release");
    }
    let printed = process::run(cargo.args(["--workspace", "--bin", name]))?;
    executable(&printed, name).ok_or_else(|| Error::NoProgram { name: name.to_owned() })
}

/// Whether cargo sets this variable for the programs of a package, as opposed to one that people set for cargo.
fn is_about_a_package(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Where cargo's messages, a JSON object a line, say that the program is.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["name"] == name);
    built.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_nothing_of_the_package_that_is_tested() {
        assert!(is_about_a_package("CARGO_MANIFEST_DIR") && is_about_a_package("CARGO_PKG_NAME"));
        assert!(!is_about_a_package("CARGO_TARGET_DIR") && !is_about_a_package("CARGO_HOME"));
    }

    #[test]
    fn the_executable_is_that_of_the_target_of_this_name() {
        let messages = concat!(
            r#"{"target":{"name":"batchpipe_api"},"executable":null}"#,
            "\n",
            r#"{"target":{"name":"batchpipe"},"executable":"/t/debug/batchpipe"}"#,
            "\n",
        );
        let found = executable(messages, "batchpipe");
        assert_eq!(found, Some(PathBuf::from("/t/debug/batchpipe")));
        assert_eq!(executable(messages, "other"), None);
    }
}
