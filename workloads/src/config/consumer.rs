//! The consumer's part of a pipeline.

use std::{env, error::Error, ops::RangeInclusive, sync::Arc, time::Duration};

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::sink::{Delivery, SinkKind},
    units::Timespan,
};

use super::{ConfigError, cluster, dead_letter, secrets, topic};
use crate::{
    consume::{self, CatchUp},
    decode::Limits,
    error::chain,
    kafka::topics::TopicSpec,
    sink::{
        Sink, WriteError,
        blackhole::BlackholeSink,
        file::{FileOptions, FileSink, Roll},
        http::HttpSink,
        kafka::{
            KafkaSink,
            exactly_once::{self, ExactlyOnceSink},
        },
        stdout::StdoutSink,
    },
};

/// The variable that says how long a request of an HTTP sink may take.
pub const HTTP_TIMEOUT_VARIABLE: &str = "BATCHPIPE_HTTP_TIMEOUT";
/// What holds without it.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
const HTTP_TIMEOUTS: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_mins(10);

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
    let mut config = consume::Config {
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
        sink_bytes: 0,
    };
    let kind = consumer.sink.kind().ok_or_else(|| ConfigError::Field {
        path: "spec.consumer.sink",
        problem: "must name exactly one sink".to_owned(),
    })?;
    let sink = sink(&kind, &mut config)?;
    Ok(ConsumerSetup { config, sink })
}

/// Makes the sink, and notes in the configuration what it needs for itself.
fn sink(kind: &SinkKind<'_>, config: &mut consume::Config) -> Result<Arc<dyn Sink>, ConfigError> {
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
        SinkKind::Http(spec) => HttpSink::new(spec, secrets(), http_timeout()?)
            .map(shared)
            .map_err(|error| field("spec.consumer.sink.http.url", &error)),
        SinkKind::Kafka(spec) if spec.delivery == Delivery::ExactlyOnce => {
            let settings = exactly_once::Settings {
                cluster: config.cluster.clone(),
                group: config.group.clone(),
                source: config.topic.name.clone(),
                topic: TopicSpec::existing(&spec.topic),
                dead_letter: config.dead_letter.clone(),
                largest_batch: config.largest_value(),
                largest_letter: config.largest_letter(),
            };
            let sink = ExactlyOnceSink::new(spec, settings)
                .map_err(|error| field("spec.consumer.sink.kafka.key", &error))?;
            config.sink_bytes = sink.bytes();
            Ok(Arc::new(sink))
        }
        SinkKind::Kafka(spec) => {
            let sink = KafkaSink::new(spec, config.cluster.clone(), config.largest_value())
                .map_err(|error| field("spec.consumer.sink.kafka.key", &error))?;
            config.sink_bytes = sink.bytes();
            Ok(Arc::new(sink))
        }
    }
}

fn shared(sink: impl Sink + 'static) -> Arc<dyn Sink> {
    Arc::new(sink)
}

/// An empty variable is what an unset one looks like in many tools.
fn http_timeout() -> Result<Duration, ConfigError> {
    let text = env::var_os(HTTP_TIMEOUT_VARIABLE).unwrap_or_default();
    if text.is_empty() {
        return Ok(HTTP_TIMEOUT);
    }
    let text = text.to_string_lossy();
    let timeout = text.parse().ok().map(Timespan::as_duration);
    timeout.filter(|timeout| HTTP_TIMEOUTS.contains(timeout)).ok_or_else(|| ConfigError::Field {
        path: HTTP_TIMEOUT_VARIABLE,
        problem: format!("must be a time from 100ms to 10m (found {text:?})"),
    })
}

fn field(path: &'static str, error: &dyn Error) -> ConfigError {
    ConfigError::Field { path, problem: chain(error) }
}

fn refused(path: &'static str, error: WriteError) -> ConfigError {
    match error {
        WriteError::Locked { .. } => ConfigError::Taken { path, source: Box::new(error) },
        _ => field(path, &error),
    }
}
