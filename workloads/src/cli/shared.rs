//! Arguments that several commands have.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use batchpipe_api::{pipeline::BatchPipeline, units::Timespan};
use clap::Args;

use crate::config::{self, ConfigError, Overrides};

/// Which pipeline, and what differs from its file.
#[derive(Args, Debug)]
pub(super) struct PipelineArgs {
    /// File with a `BatchPipeline` (its first document); `BATCHPIPE_PIPELINE` may hold the text instead
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Kafka's addresses, in the place of spec.kafka.bootstrapServers
    #[arg(short, long, env = "KAFKA_BROKER", value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// The topic, in the place of spec.topic.name
    #[arg(short, long, env = "KAFKA_TOPIC")]
    topic: Option<String>,
    /// Kafka's own compression, in the place of spec.compression.transport
    #[arg(long, env = "COMPRESSION_CODEC", value_name = "CODEC")]
    transport: Option<String>,
}

impl PipelineArgs {
    pub(super) fn load(&self) -> Result<BatchPipeline, ConfigError> {
        // An empty variable is what an unset one looks like in many tools.
        let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        let overrides = Overrides {
            brokers: given(&self.brokers),
            topic: given(&self.topic),
            transport: given(&self.transport),
        };
        config::load(self.file.as_ref(), &overrides)
    }
}

/// How a process is run.
#[derive(Args, Debug)]
pub(super) struct ProcessArgs {
    /// Address of the admin server (/livez, /readyz, /metrics, /status); port 0 takes a free one
    #[arg(long, env = "BATCHPIPE_ADMIN", default_value = "127.0.0.1:0", value_name = "ADDR")]
    pub(super) admin: SocketAddr,
    /// How long work at hand is waited for after SIGTERM or SIGINT
    #[arg(long, env = "BATCHPIPE_GRACE_PERIOD", default_value = "25s", value_name = "TIME")]
    grace_period: Timespan,
    /// Print the exit report as JSON on standard output
    #[arg(long)]
    pub(super) json: bool,
}

impl ProcessArgs {
    pub(super) fn grace(&self) -> Duration {
        self.grace_period.as_duration()
    }

    /// Whether the process idles when its work is done.
    pub(super) fn stays() -> bool {
        std::env::var(crate::process::STAY_VARIABLE).is_ok_and(|value| value == "1")
    }
}
