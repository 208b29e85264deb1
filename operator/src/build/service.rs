//! The Service of an HTTP source. Pure.

use batchpipe_api::report::Role;
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    container::{SOURCE_PORT_NAME, source_port},
    labels,
    metadata::owned,
    names,
};
use crate::pipeline::Pipeline;

/// The address that records are sent to; `None` unless the source is HTTP.
pub(super) fn build_service(pipeline: &Pipeline) -> Option<Service> {
    let role = Role::Producer;
    let port = ServicePort {
        name: Some(SOURCE_PORT_NAME.to_owned()),
        port: i32::from(source_port(pipeline, role)?),
        target_port: Some(IntOrString::String(SOURCE_PORT_NAME.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Some(Service {
        metadata: owned(pipeline, names::side(&pipeline.name, role), role.name()),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(labels::selector(&pipeline.name, role)),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, TELEMETRY, pipeline};

    #[test]
    fn an_http_source_has_an_address() {
        let service = build_service(&pipeline(EVERYTHING)).unwrap();
        assert_eq!(service.metadata.name.as_deref(), Some("telemetry-producer"));
        assert_eq!(service.spec.unwrap().ports.unwrap()[0].port, 8443);
    }

    #[test]
    fn other_sources_have_none() {
        assert_eq!(build_service(&pipeline(TELEMETRY)), None);
    }
}
