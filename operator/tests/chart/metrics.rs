//! Alerts and dashboards use metrics that exist.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::helm::{EVERYTHING, chart, render};

/// What the operator exports.
const OPERATOR: [&str; 7] = [
    "batchpipe_operator_reconcile_duration_seconds",
    "batchpipe_operator_reconciliations_total",
    "batchpipe_operator_reconcile_failures_total",
    "batchpipe_operator_pipelines",
    "batchpipe_operator_watch_restarts_total",
    "batchpipe_operator_leader",
    "batchpipe_operator_api_requests_total",
];

/// Every text below a value with a key.
fn texts(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field.as_str() {
                    Some(text) if name == key => found.push(text.to_owned()),
                    _ => texts(field, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        _ => {}
    }
}

/// Every expression of alerts and dashboards.
fn expressions() -> Vec<String> {
    let objects = render(&EVERYTHING);
    let mut found = vec![];
    texts(objects.one("PrometheusRule"), "expr", &mut found);
    for map in objects.all("ConfigMap") {
        for text in map["data"].as_object().unwrap().values() {
            let dashboard: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
            texts(&dashboard["panels"], "expr", &mut found);
            texts(&dashboard["templating"], "query", &mut found);
        }
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// The metrics of the table in the documentation, which is compared with a real scrape elsewhere.
fn documented() -> BTreeSet<String> {
    let path = chart().join("../../docs/operations.md");
    let text = std::fs::read_to_string(path).unwrap();
    let row = Regex::new(r"(?m)^\| `(batchpipe_\w+)`").unwrap();
    row.captures_iter(&text).map(|row| row[1].to_owned()).collect()
}

#[test]
fn every_metric_exists() {
    let metric = Regex::new(r"\bbatchpipe_\w+").unwrap();
    let documented = documented();
    for expression in expressions() {
        for found in metric.find_iter(&expression) {
            let name = found.as_str().trim_end_matches("_bucket");
            assert!(documented.contains(name) || OPERATOR.contains(&name), "{name}: {expression}");
        }
    }
}

#[test]
fn the_operators_dashboard_shows_all_of_its_metrics() {
    let all = expressions().join("\n");
    for name in OPERATOR {
        assert!(all.contains(name), "{name}");
    }
}

#[test]
fn every_phase_in_an_alert_exists() {
    let crd = super::helm::chart_file("crds/batchpipelines.yaml");
    let all = expressions().join("\n");
    let phases = Regex::new(r#"phase=~"([^"]+)""#).unwrap();
    let found: Vec<&str> =
        phases.captures_iter(&all).flat_map(|it| it.extract::<1>().1[0].split('|')).collect();
    assert!(found.contains(&"Degraded"), "{found:?}");
    for phase in found {
        assert!(crd.contains(&format!("- {phase}\n")), "{phase}");
    }
}
