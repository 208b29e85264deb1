//! The one container of a pod. Pure.

use batchpipe_api::{
    report::Role,
    spec::{pod::Pod, source::HttpSource},
};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, HTTPGetAction, Probe, SecurityContext, VolumeMount,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    environment::{ADMIN_PORT, build_environment},
    resources::build_resources,
};
use crate::pipeline::Pipeline;

/// The name of the container, in `kubectl logs -c`.
pub const CONTAINER: &str = "batchpipe";
/// The name of the admin server's port.
pub(super) const ADMIN_PORT_NAME: &str = "admin";
/// The name of an HTTP source's port.
pub(super) const SOURCE_PORT_NAME: &str = "records";

/// The container of one side: the image's entry point is `batchpipe`, its command depends on the side.
pub(super) fn build_container(
    pipeline: &Pipeline,
    role: Role,
    pod: &Pod,
    mounts: Vec<VolumeMount>,
) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(pipeline.image.clone()),
        // Said, or another command by hand would stay: without one, the image's entry point runs.
        command: Some(Vec::new()),
        args: Some(vec![command(role).to_owned()]),
        env: Some(build_environment(pipeline, role)),
        ports: Some(ports(pipeline, role)),
        readiness_probe: Some(readiness()),
        liveness_probe: Some(liveness()),
        // The last words of one that ends with an error reach its status, and from there the pipeline's.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        resources: Some(build_resources(pipeline, role, pod)),
        security_context: Some(security_context()),
        volume_mounts: Some(mounts).filter(|it| !it.is_empty()),
        ..Container::default()
    }
}

const fn command(role: Role) -> &'static str {
    match role {
        Role::Producer => "produce",
        Role::Consumer => "consume",
    }
}

/// The port of an HTTP source, if this side has one.
pub(super) fn source_port(pipeline: &Pipeline, role: Role) -> Option<u16> {
    let producer = pipeline.spec.producer.as_ref().filter(|_| role == Role::Producer)?;
    producer.source.http.as_ref().map(HttpSource::port)
}

fn ports(pipeline: &Pipeline, role: Role) -> Vec<ContainerPort> {
    let port = |name: &str, number: u16| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let source = source_port(pipeline, role).map(|number| port(SOURCE_PORT_NAME, number));
    [port(ADMIN_PORT_NAME, ADMIN_PORT)].into_iter().chain(source).collect()
}

/// Often, because a rollout and the first record wait for it.
fn readiness() -> Probe {
    Probe {
        period_seconds: Some(2),
        timeout_seconds: Some(2),
        failure_threshold: Some(2),
        ..probe("/readyz")
    }
}

/// Tolerant: it fails only when one of the process's own loops has hung for a minute, and a restart costs duplicates.
/// No startup probe: the admin server listens before anything outside is asked.
fn liveness() -> Probe {
    Probe {
        period_seconds: Some(10),
        timeout_seconds: Some(5),
        failure_threshold: Some(6),
        ..probe("/livez")
    }
}

fn probe(path: &str) -> Probe {
    let action = HTTPGetAction {
        path: Some(path.to_owned()),
        port: IntOrString::String(ADMIN_PORT_NAME.to_owned()),
        scheme: Some("HTTP".to_owned()),
        ..HTTPGetAction::default()
    };
    Probe { http_get: Some(action), ..Probe::default() }
}

/// Nothing is written but to the volume of a file source or sink, so the root can be read-only without any other volume.
fn security_context() -> SecurityContext {
    let drop = Some(vec!["ALL".to_owned()]);
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop, add: None }),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, TELEMETRY, pipeline};

    fn container(text: &str, role: Role) -> Container {
        build_container(&pipeline(text), role, &Pod::default(), Vec::new())
    }

    #[test]
    fn the_command_is_that_of_the_side() {
        let args = |role| container(TELEMETRY, role).args.unwrap().join(" ");
        assert_eq!(args(Role::Producer), "produce");
        assert_eq!(args(Role::Consumer), "consume");
    }

    #[test]
    fn probes_ask_the_admin_port() {
        let container = container(TELEMETRY, Role::Consumer);
        let path = |probe: Option<Probe>| probe.unwrap().http_get.unwrap().path.unwrap();
        assert_eq!(path(container.readiness_probe), "/readyz");
        assert_eq!(path(container.liveness_probe), "/livez");
    }

    #[test]
    fn an_http_source_has_a_port_on_the_producer_alone() {
        let names = |role| {
            let ports = container(EVERYTHING, role).ports.unwrap();
            ports.into_iter().filter_map(|port| port.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Role::Producer), ["admin", "records"]);
        assert_eq!(names(Role::Consumer), ["admin"]);
    }
}
