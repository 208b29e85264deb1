//! How the operator is confined: Pod Security `restricted`, a token that expires, and who may talk to whom.

use serde_json::{Value, json};

use super::helm::{Objects, render};

#[test]
fn pods_pass_pod_security_restricted() {
    let objects = render(&[]);
    let pod = objects.pod();
    for refused in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod[refused], Value::Null, "{refused}");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
    for container in pod["containers"].as_array().unwrap() {
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], expected);
    }
    for volume in pod["volumes"].as_array().unwrap() {
        assert!(volume["projected"].is_object(), "{volume}");
    }
}

#[test]
fn the_only_token_expires_within_the_hour() {
    let objects = render(&[]);
    assert_eq!(objects.one("ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(objects.pod()["automountServiceAccountToken"], false);
    let source = &objects.pod()["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!(source["expirationSeconds"], 3600);
    let mount = &objects.container()["volumeMounts"][0];
    assert_eq!(mount["mountPath"], "/var/run/secrets/kubernetes.io/serviceaccount");
}

#[test]
fn no_variable_holds_a_secret() {
    let text = super::helm::rendered(&[]);
    assert!(!text.contains("secretKeyRef") && !text.contains("kind: Secret"), "{text}");
}

#[test]
fn a_rollout_never_takes_the_last_pod_away() {
    let objects = render(&[]);
    let rolling = &objects.one("Deployment")["spec"]["strategy"]["rollingUpdate"];
    assert_eq!(rolling, &json!({"maxSurge": 1, "maxUnavailable": 0}));
}

#[test]
fn an_unhealthy_pod_does_not_hold_up_a_drain() {
    let objects = render(&[]);
    let spec = &objects.one("PodDisruptionBudget")["spec"];
    assert_eq!(spec["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(spec["maxUnavailable"], 1);
}

/// The ports of each egress rule, and whether it says where to.
fn egress(objects: &Objects) -> Vec<(Vec<i64>, bool)> {
    let rules = objects.one("NetworkPolicy")["spec"]["egress"].as_array().unwrap();
    let ports = |rule: &Value| {
        rule["ports"].as_array().unwrap().iter().map(|it| it["port"].as_i64().unwrap()).collect()
    };
    rules.iter().map(|rule| (ports(rule), rule["to"].is_array())).collect()
}

#[test]
fn the_operator_reaches_the_api_server_dns_and_its_pods() {
    let objects = render(&[]);
    let policy = &objects.one("NetworkPolicy")["spec"];
    assert_eq!(policy["policyTypes"], json!(["Ingress", "Egress"]));
    let expected = [(vec![443, 6443], false), (vec![53, 53], false), (vec![8080], true)];
    assert_eq!(egress(&objects), expected);
}

#[test]
fn the_api_server_is_where_it_is_told() {
    let objects = render(&[
        "networkPolicy.apiServerPorts=[16443]",
        r#"networkPolicy.apiServerCIDRs=["10.0.0.0/28"]"#,
    ]);
    assert_eq!(egress(&objects)[0], (vec![16443], true));
    let to = &objects.one("NetworkPolicy")["spec"]["egress"][0]["to"];
    assert_eq!(to, &json!([{"ipBlock": {"cidr": "10.0.0.0/28"}}]));
}

#[test]
fn metrics_are_for_the_monitoring_namespace_alone() {
    let ingress =
        |settings: &[&str]| render(settings).one("NetworkPolicy")["spec"]["ingress"].clone();
    assert_eq!(ingress(&[]), json!([]));
    let expected = json!([{
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "ports": [{"port": "admin", "protocol": "TCP"}],
    }]);
    assert_eq!(ingress(&["monitoringNamespace=monitoring"]), expected);
}

#[test]
fn the_network_policy_can_be_left_out() {
    assert!(render(&["networkPolicy.enabled=false"]).all("NetworkPolicy").is_empty());
}

#[test]
fn selectors_find_the_operators_pods_and_no_others() {
    let objects = render(&["fullnameOverride=pipes", "serviceMonitor.enabled=true"]);
    let deployment = objects.one("Deployment");
    let pods = &deployment["spec"]["selector"]["matchLabels"];
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(pods, labels);
    assert_eq!(&objects.one("Service")["spec"]["selector"], pods);
    assert_eq!(&objects.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], pods);
    assert_eq!(&objects.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"], pods);
    assert_eq!(&objects.one("ServiceMonitor")["spec"]["selector"]["matchLabels"], pods);
    // Pipelines' network policies know the operator by it.
    assert_eq!(labels["app.kubernetes.io/name"], "batchpipe-operator");
}
