//! Typing errors and impossible values are refused, with the value's name.

use super::helm::refusal;

#[track_caller]
fn refused(setting: &str, named: &str) {
    let text = refusal(&[setting]);
    assert!(text.contains(named), "{setting}: {text}");
}

#[test]
fn unknown_values_are_refused_at_every_level() {
    refused("replica=2", "replica");
    refused("image.tagg=1", "tagg");
    refused("workloadImage.pullPolicy=Always", "pullPolicy");
    refused("serviceAccount.nam=x", "nam");
    refused("rbac.enabled=true", "enabled");
    refused("resources.limit={}", "limit");
    refused("resources.limits.gpu=1", "gpu");
    refused("podDisruptionBudget.minAvailable=1", "minAvailable");
    refused("networkPolicy.enable=false", "enable");
    refused("serviceMonitor.intervall=30s", "intervall");
    refused("podMonitor.label={}", "label");
    refused("prometheusRule.lag=1", "lag");
    refused("dashboards.label={}", "label");
    refused(r#"tolerations=[{"keys":"a"}]"#, "keys");
    refused(r#"affinity={"podAffinty":{}}"#, "podAffinty");
    refused(r#"extraEnv=[{"name":"A","valeu":"b"}]"#, "valeu");
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    refused(r#"replicas="two""#, "replicas");
    refused(r#"clusterWide="yes""#, "clusterWide");
    refused("watchNamespaces=telemetry", "watchNamespaces");
    refused(r#"nodeSelector={"a":true}"#, "nodeSelector");
    refused(r#"networkPolicy.apiServerPorts=["https"]"#, "apiServerPorts");
}

#[test]
fn values_out_of_bounds_are_refused() {
    refused("replicas=-1", "replicas");
    refused("terminationGracePeriodSeconds=1", "terminationGracePeriodSeconds");
    refused("networkPolicy.apiServerPorts=[]", "apiServerPorts");
    refused("networkPolicy.apiServerPorts=[70000]", "apiServerPorts");
    refused("prometheusRule.lagSeconds=0", "lagSeconds");
}

#[test]
fn values_of_the_wrong_form_are_refused() {
    refused("image.digest=sha256:abc", "digest");
    refused("image.repository=Upper", "repository");
    refused(r#"image.tag="a b""#, "tag");
    refused("image.pullPolicy=always", "pullPolicy");
    refused(r#"watchNamespaces=["a,b"]"#, "watchNamespaces");
    refused("monitoringNamespace=a.b", "monitoringNamespace");
    refused("serviceMonitor.interval=30", "interval");
    refused("resources.limits.memory=lots", "memory");
    refused("podDisruptionBudget.maxUnavailable=most", "maxUnavailable");
    refused(r#"networkPolicy.apiServerCIDRs=["10.0.0.1"]"#, "apiServerCIDRs");
}

#[test]
fn names_that_are_no_labels_are_refused() {
    refused("fullnameOverride=a.b", "fullnameOverride");
    refused("nameOverride=a.b", "nameOverride");
}

#[test]
fn a_namespace_is_named_once() {
    refused(r#"watchNamespaces=["a","b","a"]"#, "watchNamespaces");
}

#[test]
fn all_namespaces_and_some_cannot_both_be_meant() {
    let text = refusal(&["clusterWide=true", r#"watchNamespaces=["a"]"#]);
    for word in ["watchNamespaces", r#"["a"]"#, "clusterWide", "leave one of them out"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn variables_that_the_chart_sets_cannot_be_set_twice() {
    refused(r#"extraEnv=[{"name":"BATCHPIPE_ADMIN","value":"x"}]"#, "extraEnv");
}

#[test]
fn requests_and_limits_cannot_be_left_out() {
    refused("resources.limits=null", "limits");
    refused("resources.requests.cpu=null", "cpu");
}
