//! Monitors, alerts and dashboards: off by default, made as told.

use std::path::Path;

use serde_json::{Value, json};

use super::helm::{EVERYTHING, render};

#[test]
fn nothing_that_needs_other_operators_is_made_by_default() {
    let objects = render(&[]);
    for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule", "ConfigMap"] {
        assert!(objects.all(kind).is_empty(), "{kind}");
    }
}

#[test]
fn the_operator_is_scraped_as_told() {
    let objects = render(&[
        "serviceMonitor.enabled=true",
        "serviceMonitor.interval=5s",
        r#"serviceMonitor.labels={"release":"prom"}"#,
    ]);
    let monitor = objects.one("ServiceMonitor");
    let port = &objects.one("Service")["spec"]["ports"][0]["name"];
    assert_eq!(&monitor["spec"]["endpoints"][0]["port"], port);
    assert_eq!(monitor["spec"]["endpoints"][0]["interval"], "5s");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prom");
}

#[test]
fn pipelines_are_scraped_where_they_are() {
    let settings = ["podMonitor.enabled=true", r#"watchNamespaces=["a","b"]"#];
    let objects = render(&settings);
    let spec = &objects.one("PodMonitor")["spec"];
    assert_eq!(spec["namespaceSelector"], json!({"matchNames": ["a", "b"]}));
    assert_eq!(
        spec["selector"]["matchLabels"]["app.kubernetes.io/managed-by"],
        "batchpipe-operator"
    );
    let everywhere = render(&["podMonitor.enabled=true", "clusterWide=true"]);
    assert_eq!(everywhere.one("PodMonitor")["spec"]["namespaceSelector"], json!({"any": true}));
}

#[test]
fn pipelines_are_scraped_as_told() {
    let objects = render(&[
        "podMonitor.enabled=true",
        "podMonitor.interval=5s",
        r#"podMonitor.labels={"release":"prom"}"#,
    ]);
    let monitor = objects.one("PodMonitor");
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!((&endpoint["port"], &endpoint["interval"]), (&json!("admin"), &json!("5s")));
    assert_eq!(endpoint["relabelings"][0]["targetLabel"], "pipeline");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prom");
}

#[test]
fn alerts_are_made_as_told() {
    let objects = render(&[
        "prometheusRule.enabled=true",
        "prometheusRule.lagSeconds=7",
        r#"prometheusRule.labels={"release":"prom"}"#,
    ]);
    let rule = objects.one("PrometheusRule");
    assert_eq!(rule["metadata"]["labels"]["release"], "prom");
    assert!(rule.to_string().contains("(batchpipe_lag_seconds) > 7"));
}

#[test]
fn alerts_about_the_operator_are_about_this_release() {
    let objects = render(&["prometheusRule.enabled=true"]);
    let groups = &objects.one("PrometheusRule")["spec"]["groups"];
    let operator = groups.as_array().unwrap().iter().find(|it| it["name"] == "batchpipe-operator");
    for rule in operator.unwrap()["rules"].as_array().unwrap() {
        let expression = rule["expr"].as_str().unwrap();
        assert!(expression.contains(r#"namespace="batchpipe-system""#), "{expression}");
    }
}

#[test]
fn each_dashboard_has_a_config_map_that_the_sidecar_finds() {
    let objects = render(&[
        "dashboards.enabled=true",
        r#"dashboards.labels={"found":"yes"}"#,
        r#"dashboards.annotations={"folder":"batchpipe"}"#,
    ]);
    let maps = objects.all("ConfigMap");
    assert_eq!(objects.names("ConfigMap"), ["batchpipe-operator", "batchpipe-pipelines"]);
    for map in maps {
        assert_eq!(map["metadata"]["labels"]["found"], "yes");
        assert_eq!(map["metadata"]["annotations"]["folder"], "batchpipe");
        let (file, text) = map["data"].as_object().unwrap().iter().next().unwrap();
        assert_eq!(Path::new(file).extension().unwrap(), "json", "{file}");
        let dashboard: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert!(dashboard["panels"].as_array().unwrap().len() > 5, "{file}");
    }
}

#[test]
fn no_two_objects_have_one_name() {
    let objects = render(&EVERYTHING);
    let mut names: Vec<String> = objects
        .0
        .iter()
        .map(|it| {
            format!("{} {} {}", it["kind"], it["metadata"]["namespace"], it["metadata"]["name"])
        })
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
