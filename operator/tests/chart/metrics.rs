//! Alerts and dashboards use metrics that exist.

use std::{collections::BTreeSet, time::Duration};

use batchpipe_api::status::Phase;
use batchpipe_operator::metrics::Metrics;
use regex::Regex;
use serde_json::Value;

use super::helm::{EVERYTHING, chart, render};

/// What the operator exports once all has happened, `_bucket` for a histogram.
fn exported() -> BTreeSet<String> {
    let metrics = Metrics::default();
    metrics.reconciled("ok", Duration::ZERO);
    metrics.failed("Forbidden");
    metrics.phase(None, Some(Phase::Running));
    metrics.watch_restarted("Deployment");
    metrics.request("list", "200");
    let sample = Regex::new(r"(?m)^(batchpipe_operator_\w+)[ {]").unwrap();
    let text = metrics.scrape().unwrap();
    let names = sample.captures_iter(&text).map(|it| it[1].to_owned());
    names.filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")).collect()
}

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
    let (documented, exported) = (documented(), exported());
    for expression in expressions() {
        for found in metric.find_iter(&expression) {
            let name = found.as_str();
            let is_known =
                exported.contains(name) || documented.contains(name.trim_end_matches("_bucket"));
            assert!(is_known, "{name}: {expression}");
        }
    }
}

#[test]
fn the_operators_dashboard_shows_all_of_its_metrics() {
    let all = expressions().join("\n");
    let exported = exported();
    assert!(exported.len() >= 7, "{exported:?}");
    for name in exported {
        assert!(all.contains(&name), "{name}");
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
