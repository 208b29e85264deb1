//! What the file format describes and this version cannot do yet: one list, for the commands that run a pipeline and
//! for the one that checks it. Pure.

use std::fmt;

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::sink::{Delivery, SinkKind},
};

use super::ConfigError;

/// A field that asks for something that this version cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported {
    path: &'static str,
    problem: &'static str,
}

const OTHER_DELIVERY: &str = "is not supported by this version; use AtLeastOnce";
/// `sink.kafka.delivery: ExactlyOnce`
pub(super) const KAFKA_SINK_EXACTLY_ONCE: Unsupported =
    Unsupported { path: "spec.consumer.sink.kafka.delivery", problem: OTHER_DELIVERY };

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.problem)
    }
}

impl From<Unsupported> for ConfigError {
    fn from(Unsupported { path, problem }: Unsupported) -> Self {
        Self::Field { path, problem: problem.to_owned() }
    }
}

/// Everything in a pipeline that this version cannot do.
pub fn unsupported(pipeline: &BatchPipeline) -> Vec<Unsupported> {
    let spec = &pipeline.spec;
    let sink = match spec.consumer.as_ref().and_then(|consumer| consumer.sink.kind()) {
        Some(SinkKind::Kafka(spec)) if spec.delivery == Delivery::ExactlyOnce => {
            Some(KAFKA_SINK_EXACTLY_ONCE)
        }
        Some(
            SinkKind::Stdout
            | SinkKind::File(_)
            | SinkKind::Http(_)
            | SinkKind::Kafka(_)
            | SinkKind::Blackhole,
        )
        | None => None,
    };
    sink.into_iter().collect()
}
