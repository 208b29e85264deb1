//! What the operator is told about itself, by variables that its program knows.

use std::collections::BTreeSet;

use batchpipe_operator::args::Cli;
use clap::CommandFactory;
use serde_json::json;

use super::helm::{EVERYTHING, chart_file, render};

/// The variables of the operator's container.
fn variables() -> BTreeSet<String> {
    let objects = render(&EVERYTHING);
    let variables = objects.container()["env"].as_array().unwrap().iter();
    variables.map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_variable_is_known_to_the_program() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let variable = |it: &clap::Arg| Some(it.get_env()?.to_str()?.to_owned());
    let mut known: BTreeSet<String> = run.get_arguments().filter_map(variable).collect();
    // Of the logs, which are no flag's.
    known.insert("BATCHPIPE_LOG".to_owned());
    assert!(known.is_superset(&variables()), "{:?} {known:?}", variables());
}

#[test]
fn the_program_is_told_to_run() {
    assert_eq!(render(&[]).container()["args"], json!(["run"]));
}

#[test]
fn no_variable_can_be_set_twice() {
    let schema = chart_file("values.schema.json");
    for name in variables() {
        assert!(schema.contains(name.trim_start_matches("BATCHPIPE_")), "{name}");
    }
}

#[test]
fn releases_take_turns_within_themselves_only() {
    let objects = render(&["fullnameOverride=pipes"]);
    assert_eq!(objects.variable("BATCHPIPE_LEASE_NAME")["value"], "pipes");
    let roles = objects.all("Role");
    let role = roles.iter().find(|it| it["metadata"]["name"] == "pipes-lease").unwrap();
    assert_eq!(role["rules"][0]["resourceNames"], json!(["pipes"]));
    assert_eq!(role["rules"][0]["verbs"], json!(["get", "update"]));
}

#[test]
fn the_operator_learns_its_namespace_and_name_from_its_pod() {
    let objects = render(&[]);
    let from = |variable| &objects.variable(variable)["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(from("BATCHPIPE_OPERATOR_NAMESPACE"), "metadata.namespace");
    assert_eq!(from("POD_NAME"), "metadata.name");
}

#[test]
fn the_namespace_of_the_release_is_looked_after() {
    assert_eq!(render(&[]).variable("BATCHPIPE_WATCH_NAMESPACES")["value"], super::helm::NAMESPACE);
}

#[test]
fn the_namespaces_that_are_told_are_looked_after() {
    let objects = render(&[r#"watchNamespaces=["a","b"]"#]);
    assert_eq!(objects.variable("BATCHPIPE_WATCH_NAMESPACES")["value"], "a,b");
}

#[test]
fn all_namespaces_are_an_empty_list() {
    let objects = render(&["clusterWide=true"]);
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
