//! The variables of the container. Pure. No secret is ever among them: a variable can be read by whoever may read pods.

use batchpipe_api::report::Role;
use k8s_openapi::api::core::v1::EnvVar;

use super::{configuration::configuration, container::source_port};
use crate::pipeline::Pipeline;

/// The port of the admin server, which serves probes, metrics and the Report.
pub const ADMIN_PORT: u16 = 8080;
/// The variable with what the pods are told.
pub const PIPELINE: &str = "BATCHPIPE_PIPELINE";
/// How long the workload waits for work at hand after SIGTERM, in seconds.
pub(super) const GRACE_SECONDS: i64 = 30;

/// All variables of one side's container.
pub(super) fn build_environment(pipeline: &Pipeline, role: Role) -> Vec<EnvVar> {
    let mut variables = vec![
        variable(PIPELINE, escape(&configuration(pipeline, role))),
        variable("BATCHPIPE_ADMIN", format!("0.0.0.0:{ADMIN_PORT}")),
        variable("BATCHPIPE_GRACE_PERIOD", format!("{GRACE_SECONDS}s")),
        variable("BATCHPIPE_STAY", "1".to_owned()),
    ];
    if source_port(pipeline, role).is_some() {
        variables.push(variable("BATCHPIPE_LISTEN", "0.0.0.0".to_owned()));
    }
    variables
}

fn variable(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}

/// Kubernetes puts other variables in the place of `$(NAME)`, and makes `$` of `$$`.
fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, TELEMETRY, pipeline};

    /// What the kubelet makes of a value, by the rules of the field's documentation: `$$` is `$`, `$(NAME)` is the
    /// variable, and everything else stays.
    fn expand(value: &str) -> String {
        let (mut expanded, mut rest) = (String::new(), value);
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
            } else if let Some((_, after)) =
                rest.strip_prefix('(').and_then(|it| it.split_once(')'))
            {
                expanded.push_str("EXPANDED");
                rest = after;
            } else {
                expanded.push('$');
            }
        }
        expanded + rest
    }

    #[test]
    fn only_an_http_source_listens_to_others() {
        let listens = |text, role| {
            let variables = build_environment(&pipeline(text), role);
            variables.iter().any(|variable| variable.name == "BATCHPIPE_LISTEN")
        };
        assert!(listens(EVERYTHING, Role::Producer));
        assert!(!listens(EVERYTHING, Role::Consumer) && !listens(TELEMETRY, Role::Producer));
    }

    #[test]
    fn every_text_arrives_as_it_was_written() {
        for text in ["", "plain", "$(PATH)", "$$(PATH)", "$$$", "a$b", "$(", "$()", "ends with $"] {
            assert_eq!(expand(&escape(text)), text);
        }
    }

    #[test]
    fn the_pipelines_text_arrives_as_it_was_written() {
        let mut pipeline = pipeline(TELEMETRY);
        let key = "/$(BATCHPIPE_STAY)/$$".to_owned();
        pipeline.spec.producer.as_mut().unwrap().key = Some(key.clone());
        let variables = build_environment(&pipeline, Role::Producer);
        let arrived = expand(variables[0].value.as_deref().unwrap());
        assert_eq!(arrived, configuration(&pipeline, Role::Producer));
        assert!(arrived.contains(&key));
    }
}
