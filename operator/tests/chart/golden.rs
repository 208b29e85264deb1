//! What is rendered, as committed: a change of a template shows its effect in the diff.

use std::fs;

use super::helm::{EVERYTHING, chart, helm, rendered};

/// Compares with a committed file, or writes it when asked to.
#[track_caller]
fn compare(name: &str, found: &str) {
    let path = chart().join("tests/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let difference = expected.lines().zip(found.lines()).position(|(left, right)| left != right);
    assert!(
        expected == found,
        "{} differs from what is rendered, first at line {}; run `make generate`",
        path.display(),
        difference.unwrap_or_else(|| expected.lines().count()) + 1,
    );
}

#[test]
fn the_defaults_are_rendered_as_committed() {
    compare("defaults.yaml", &rendered(&[]));
}

// Without dashboards: their text is that of their files.
#[test]
fn all_namespaces_with_all_monitoring_are_rendered_as_committed() {
    let settings = [
        &EVERYTHING[..],
        &["dashboards.enabled=false", "clusterWide=true", "replicas=2"],
        &["monitoringNamespace=monitoring", r#"networkPolicy.apiServerCIDRs=["10.0.0.0/28"]"#],
    ];
    compare("everything.yaml", &rendered(&settings.concat()));
}

#[test]
fn helm_lint_has_no_complaint() {
    let output = helm(&["lint", "--strict", chart().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("[WARNING]") && !text.contains("[ERROR]"), "{text}");
}

#[test]
fn what_is_packed_has_no_tests() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let output = helm(&["package", chart().to_str().unwrap(), "--destination", folder]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let package = format!("{folder}/batchpipe-{}.tgz", env!("CARGO_PKG_VERSION"));
    let listing = std::process::Command::new("tar").args(["-tzf", &package]).output().unwrap();
    let files = String::from_utf8(listing.stdout).unwrap();
    assert!(files.contains("batchpipe/crds/batchpipelines.yaml"), "{files}");
    assert!(!files.contains("golden"), "{files}");
}
