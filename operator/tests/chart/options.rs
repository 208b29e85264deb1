//! One option each: what it changes in the operator's pods and what is around them.

use serde_json::{Value, json};

use super::helm::{EVERYTHING, NAMESPACE, name, render, render_as};

#[test]
fn the_image_is_named_by_registry_repository_and_tag() {
    let objects =
        render(&["image.registry=registry.local:5000", "image.repository=a/b", r#"image.tag="9""#]);
    assert_eq!(objects.container()["image"], "registry.local:5000/a/b:9");
}

#[test]
fn a_digest_rules_over_the_tag() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let objects = render(&[&format!("image.digest={digest}"), "image.tag=other"]);
    assert_eq!(objects.container()["image"], format!("batchpipe-operator@{digest}"));
}

#[test]
fn the_image_is_pulled_as_told() {
    assert_eq!(render(&["image.pullPolicy=Always"]).container()["imagePullPolicy"], "Always");
}

#[test]
fn the_workload_image_is_told_to_the_operator() {
    let digest = format!("sha256:{}", "b".repeat(64));
    let objects =
        render(&["workloadImage.registry=r.local", &format!("workloadImage.digest={digest}")]);
    let expected = format!("r.local/batchpipe-workload@{digest}");
    assert_eq!(objects.variable("BATCHPIPE_WORKLOAD_IMAGE")["value"], expected);
    let tagged = render(&["workloadImage.repository=w", "workloadImage.tag=dev"]);
    assert_eq!(tagged.variable("BATCHPIPE_WORKLOAD_IMAGE")["value"], "w:dev");
}

#[test]
fn the_login_of_the_registry_is_named() {
    let objects = render(&[r#"imagePullSecrets=["login"]"#]);
    assert_eq!(objects.pod()["imagePullSecrets"], json!([{"name": "login"}]));
}

#[test]
fn several_operators_are_spread_over_nodes() {
    let objects = render(&["replicas=3"]);
    assert_eq!(objects.one("Deployment")["spec"]["replicas"], 3);
    let spread = &objects.pod()["topologySpreadConstraints"][0];
    assert_eq!(spread["whenUnsatisfiable"], "ScheduleAnyway");
    let selector = &objects.one("Deployment")["spec"]["selector"];
    assert_eq!(&spread["labelSelector"], selector);
}

#[test]
fn spreading_is_as_told() {
    let constraint =
        json!([{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]);
    let objects = render(&[&format!("topologySpreadConstraints={constraint}")]);
    assert_eq!(objects.pod()["topologySpreadConstraints"], constraint);
}

#[test]
fn pods_go_to_the_nodes_that_are_told() {
    let objects = render(&[
        r#"nodeSelector={"disk":"fast"}"#,
        r#"tolerations=[{"key":"a","operator":"Exists"}]"#,
        r#"affinity={"nodeAffinity":{}}"#,
        "priorityClassName=system-cluster-critical",
    ]);
    let pod = objects.pod();
    assert_eq!(pod["nodeSelector"], json!({"disk": "fast"}));
    assert_eq!(pod["tolerations"], json!([{"key": "a", "operator": "Exists"}]));
    assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
}

#[test]
fn pods_carry_further_annotations_and_labels() {
    let objects = render(&[r#"podAnnotations={"a":"1"}"#, r#"podLabels={"team":"x"}"#]);
    let metadata = &objects.one("Deployment")["spec"]["template"]["metadata"];
    assert_eq!(metadata["annotations"], json!({"a": "1"}));
    assert_eq!(metadata["labels"]["team"], "x");
}

#[test]
fn labels_that_select_pods_cannot_be_replaced() {
    let objects = render(&[r#"podLabels={"app.kubernetes.io/instance":"other"}"#]);
    let labels = &objects.one("Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/instance"], "batchpipe");
}

#[test]
fn further_variables_are_added() {
    let objects = render(&[r#"extraEnv=[{"name":"RUST_BACKTRACE","value":"1"}]"#, "log=debug"]);
    assert_eq!(objects.variable("RUST_BACKTRACE")["value"], "1");
    assert_eq!(objects.variable("BATCHPIPE_LOG")["value"], "debug");
}

#[test]
fn requests_and_limits_are_as_told() {
    let objects = render(&[r#"resources.limits.memory="1Gi""#]);
    let resources = &objects.container()["resources"];
    assert_eq!(resources["limits"], json!({"cpu": "1", "memory": "1Gi"}));
    assert_eq!(resources["requests"], json!({"cpu": "50m", "memory": "96Mi"}));
}

#[test]
fn the_time_to_stop_is_as_told() {
    let objects = render(&["terminationGracePeriodSeconds=60"]);
    assert_eq!(objects.pod()["terminationGracePeriodSeconds"], 60);
}

#[test]
fn names_follow_the_overrides() {
    assert_eq!(name(render(&["nameOverride=bp"]).one("Deployment")), "batchpipe-bp");
    let objects = render(&["fullnameOverride=pipes"]);
    assert_eq!(name(objects.one("Deployment")), "pipes");
    assert_eq!(objects.names("Service"), ["pipes-metrics"]);
}

/// Whether this can be the name of an object of every kind that the chart makes; of a Service it may begin with a letter
/// only.
fn is_name(kind: &str, name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let begins = |c: char| is_plain(c) && (kind != "Service" || !c.is_ascii_digit());
    name.len() <= 63
        && name.starts_with(begins)
        && name.ends_with(is_plain)
        && name.chars().all(|c| is_plain(c) || c == '-')
}

/// Every value of a field of this name, wherever it is.
fn all<'a>(object: &'a Value, field: &str) -> Vec<&'a Value> {
    let inner = match object {
        Value::Object(fields) => fields.values().flat_map(|it| all(it, field)).collect(),
        Value::Array(items) => items.iter().flat_map(|it| all(it, field)).collect(),
        _ => Vec::new(),
    };
    object.get(field).into_iter().chain(inner).collect()
}

#[test]
fn names_that_look_like_numbers_or_have_dots_stay_names() {
    let settings = [&EVERYTHING[..], &["monitoringNamespace=\"7\"", "clusterWide=false"]].concat();
    let long = "a".repeat(46) + ".b";
    for release in ["2024", "1e3", "0x7", "a.b", &long] {
        let watched = r#"watchNamespaces=["2024","true","1e3"]"#;
        let objects = render_as([release, "2024"], &[&settings[..], &[watched]].concat());
        for object in &objects.0 {
            let kind = object["kind"].as_str().unwrap();
            assert!(is_name(kind, name(object)), "{release}: {kind} {}", name(object));
            for field in ["name", "namespace", "app.kubernetes.io/instance", "serviceAccountName"] {
                let values = all(object, field);
                assert!(values.iter().all(|it| it.is_string()), "{release}: {kind} {values:?}");
            }
        }
        let lease = &objects.variable("BATCHPIPE_LEASE_NAME")["value"];
        let roles = objects.all("Role");
        let role = roles.iter().find(|it| it["rules"][0]["resourceNames"].is_array()).unwrap();
        assert_eq!(
            (lease.is_string(), &role["rules"][0]["resourceNames"]),
            (true, &json!([lease]))
        );
        let instance =
            &objects.one("Deployment")["metadata"]["labels"]["app.kubernetes.io/instance"];
        assert_eq!(instance, release);
        assert_eq!(objects.variable("BATCHPIPE_WATCH_NAMESPACES")["value"], "2024,true,1e3");
    }
    let alone = render_as(["2024", "x"], &["fullnameOverride=\"2024\""]);
    assert_eq!(alone.names("Deployment"), ["2024"]);
    assert_eq!(alone.variable("BATCHPIPE_LEASE_NAME")["value"], "2024");
}

#[test]
fn everything_is_in_the_namespace_of_the_release() {
    for object in &render(&EVERYTHING).0 {
        let kind = object["kind"].as_str().unwrap();
        if !kind.starts_with("Cluster") {
            assert_eq!(object["metadata"]["namespace"], NAMESPACE, "{kind} {}", name(object));
        }
    }
}

#[test]
fn how_many_pods_may_be_away_is_as_told() {
    let objects = render(&["podDisruptionBudget.maxUnavailable=50%"]);
    assert_eq!(objects.one("PodDisruptionBudget")["spec"]["maxUnavailable"], "50%");
    let without = render(&["podDisruptionBudget.enabled=false"]);
    assert!(without.all("PodDisruptionBudget").is_empty());
}
