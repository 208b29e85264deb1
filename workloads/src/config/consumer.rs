//! The consumer's part of a pipeline.

use std::{sync::Arc, time::Duration};

use batchpipe_api::{pipeline::BatchPipeline, spec::sink::SinkKind};

use super::{ConfigError, cluster, dead_letter, support, topic};
use crate::{
    consume::{self, CatchUp},
    decode::Limits,
    sink::{
        Sink, WriteError,
        blackhole::BlackholeSink,
        file::{FileOptions, FileSink, Roll},
        stdout::StdoutSink,
    },
};

/// A consumer that can be started.
pub struct ConsumerSetup {
    /// How it works.
    pub config: consume::Config,
    /// Where its records go.
    pub sink: Arc<dyn Sink>,
}

/// What a command says about a consumer beyond the pipeline.
#[derive(Clone, Debug)]
pub struct ConsumerFlags {
    /// End at the first batch boundary at or after so many records.
    pub limit: Option<u64>,
    /// End when caught up.
    pub catch_up: CatchUp,
    /// How long the work at hand may take after a request to stop.
    pub grace: Duration,
}

/// Sets up the consumer of a pipeline.
pub fn consumer(
    pipeline: &BatchPipeline,
    flags: &ConsumerFlags,
) -> Result<ConsumerSetup, ConfigError> {
    let Some(consumer) = &pipeline.spec.consumer else {
        let problem =
            "is missing, so there is nothing to consume; add it, or use produce".to_owned();
        return Err(ConfigError::Field { path: "spec.consumer", problem });
    };
    let config = consume::Config {
        cluster: cluster(pipeline)?,
        topic: topic(pipeline),
        group: pipeline.group().to_owned(),
        dead_letter: dead_letter(pipeline),
        limits: Limits {
            max_bytes: consumer.limits.max_batch_bytes.as_usize(),
            max_records: consumer.limits.max_batch_records.unsigned_abs(),
        },
        validate: true,
        grace: flags.grace,
        limit: flags.limit,
        catch_up: flags.catch_up.clone(),
    };
    let kind = consumer.sink.kind().ok_or_else(|| ConfigError::Field {
        path: "spec.consumer.sink",
        problem: "must name exactly one sink".to_owned(),
    })?;
    Ok(ConsumerSetup { config, sink: sink(&kind)? })
}

fn sink(kind: &SinkKind<'_>) -> Result<Arc<dyn Sink>, ConfigError> {
    match kind {
        SinkKind::Stdout => StdoutSink::new()
            .map(shared)
            .map_err(|error| refused("spec.consumer.sink.stdout", error)),
        SinkKind::Blackhole => Ok(Arc::new(BlackholeSink)),
        SinkKind::File(spec) => {
            let roll = Roll {
                max_bytes: spec.roll.max_bytes.bytes(),
                interval: spec.roll.interval.as_duration(),
            };
            let options = FileOptions { path: spec.path.clone().into(), roll };
            FileSink::new(options)
                .map(shared)
                .map_err(|error| refused("spec.consumer.sink.file", error))
        }
        SinkKind::Http(_) => Err(support::HTTP_SINK.into()),
        SinkKind::Kafka(_) => Err(support::KAFKA_SINK.into()),
    }
}

fn shared(sink: impl Sink + 'static) -> Arc<dyn Sink> {
    Arc::new(sink)
}

fn refused(path: &'static str, error: WriteError) -> ConfigError {
    match error {
        WriteError::Locked { .. } => ConfigError::Taken { path, source: Box::new(error) },
        _ => ConfigError::Field { path, problem: crate::error::chain(&error) },
    }
}
