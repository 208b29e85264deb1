//! The `NetworkPolicy` of one side: who may reach its pods. Pure. What the pods may reach is not restricted.

use batchpipe_api::report::Role;
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::{
    container::source_port,
    environment::ADMIN_PORT,
    labels::{self, pairs},
    metadata::owned,
    names,
};
use crate::{pipeline::Pipeline, settings::Settings};

/// A label that every namespace has.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The policy of one side: the admin port for the operator and for monitoring, the port of an HTTP source for everybody.
pub(super) fn build_network_policy(
    pipeline: &Pipeline,
    role: Role,
    settings: &Settings,
) -> NetworkPolicy {
    let source = source_port(pipeline, role).map(|port| rule(port, None));
    let admin = rule(ADMIN_PORT, Some(readers(settings)));
    NetworkPolicy {
        metadata: owned(pipeline, names::side(&pipeline.name, role), role.name()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labels::label_selector(&pipeline.name, role)),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some([admin].into_iter().chain(source).collect()),
            egress: None,
        }),
    }
}

fn rule(port: u16, from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicyIngressRule {
    let port = NetworkPolicyPort {
        port: Some(IntOrString::Int(i32::from(port))),
        protocol: Some("TCP".to_owned()),
        end_port: None,
    };
    NetworkPolicyIngressRule { from, ports: Some(vec![port]) }
}

fn readers(settings: &Settings) -> Vec<NetworkPolicyPeer> {
    let operator = NetworkPolicyPeer {
        namespace_selector: Some(namespace(&settings.operator_namespace)),
        pod_selector: Some(selector(labels::NAME, labels::OPERATOR)),
        ip_block: None,
    };
    let monitoring = settings.monitoring_namespace.as_deref().filter(|name| !name.is_empty());
    let monitoring = monitoring.map(|name| NetworkPolicyPeer {
        namespace_selector: Some(namespace(name)),
        ..NetworkPolicyPeer::default()
    });
    [operator].into_iter().chain(monitoring).collect()
}

fn namespace(name: &str) -> LabelSelector {
    selector(NAMESPACE_NAME, name)
}

fn selector(label: &str, value: &str) -> LabelSelector {
    LabelSelector { match_labels: Some(pairs([(label, value)])), ..LabelSelector::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, TELEMETRY, pipeline, settings};

    fn rules(text: &str, role: Role, settings: &Settings) -> Vec<NetworkPolicyIngressRule> {
        build_network_policy(&pipeline(text), role, settings).spec.unwrap().ingress.unwrap()
    }

    #[test]
    fn the_admin_port_is_for_operator_and_monitoring() {
        let rules = rules(TELEMETRY, Role::Consumer, &settings());
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].from.as_ref().unwrap().len(), 2);
    }

    #[test]
    fn without_monitoring_the_operator_alone_may_read() {
        let settings = Settings { monitoring_namespace: None, ..settings() };
        let rules = rules(TELEMETRY, Role::Consumer, &settings);
        let from = rules[0].from.as_ref().unwrap();
        assert_eq!(from.len(), 1);
        let (namespace, pod) = (&from[0].namespace_selector, &from[0].pod_selector);
        assert!(namespace.is_some() && pod.is_some(), "every pod of the namespace may read");
    }

    #[test]
    fn everybody_may_send_records_to_an_http_source() {
        let rules = rules(EVERYTHING, Role::Producer, &settings());
        assert_eq!(rules[1].from, None);
        let port = &rules[1].ports.as_ref().unwrap()[0];
        assert_eq!(port.port, Some(IntOrString::Int(8443)));
    }

    #[test]
    fn an_http_source_opens_nothing_on_the_consumer() {
        assert_eq!(rules(EVERYTHING, Role::Consumer, &settings()).len(), 1);
    }
}
