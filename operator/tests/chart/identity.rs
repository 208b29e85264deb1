//! What the operator is told about itself, by variables that its program knows.

use serde_json::json;

use super::helm::render;

#[test]
fn the_operator_learns_its_namespace_and_name_from_its_pod() {
    let objects = render(&[]);
    let from = |variable| &objects.variable(variable)["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(from("BATCHPIPE_NAMESPACE"), "metadata.namespace");
    assert_eq!(from("BATCHPIPE_IDENTITY"), "metadata.name");
}

#[test]
fn the_namespace_of_the_release_is_looked_after() {
    assert_eq!(render(&[]).variable("BATCHPIPE_WATCH_NAMESPACES")["value"], super::helm::NAMESPACE);
}

#[test]
fn the_namespaces_that_are_told_are_looked_after() {
    let objects = render(&[r#"watchNamespaces=["a","b","a"]"#]);
    assert_eq!(objects.variable("BATCHPIPE_WATCH_NAMESPACES")["value"], "a,b");
}

#[test]
fn all_namespaces_are_an_empty_list() {
    let objects = render(&["clusterWide=true", r#"watchNamespaces=["a"]"#]);
    assert_eq!(objects.variable("BATCHPIPE_WATCH_NAMESPACES")["value"], "");
}

#[test]
fn the_operator_serves_where_it_is_asked() {
    let objects = render(&[]);
    assert_eq!(objects.variable("BATCHPIPE_ADMIN")["value"], "0.0.0.0:8080");
    let container = objects.container();
    assert_eq!(container["ports"], json!([{"name": "admin", "containerPort": 8080}]));
    let path = |probe: &str| &container[probe]["httpGet"]["path"];
    assert_eq!(path("startupProbe"), "/livez");
    assert_eq!(path("livenessProbe"), "/livez");
    assert_eq!(path("readinessProbe"), "/readyz");
}

#[test]
fn the_monitoring_namespace_is_told() {
    let objects = render(&["monitoringNamespace=monitoring"]);
    assert_eq!(objects.variable("BATCHPIPE_MONITORING_NAMESPACE")["value"], "monitoring");
}
