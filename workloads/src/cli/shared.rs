//! Arguments that several commands have.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use batchpipe_api::{pipeline::BatchPipeline, units::Timespan};
use clap::Args;

use crate::{
    config::{self, ConfigError, Loaded, Overrides, ProducerFlags},
    process::STAY_VARIABLE,
};

/// Where the admin server listens unless somebody says so.
const ADMIN: &str = "127.0.0.1:0";
/// Where a source that takes connections listens unless somebody says so: nobody else should reach it by accident.
const LISTEN: &str = "127.0.0.1";
/// How long work is waited for unless somebody says so; Kubernetes kills after 30 s by default.
const GRACE: &str = "25s";

/// What `--help` says at the end about commands that run a process.
pub(super) const VARIABLES: &str = "\
Further variables:
  BATCHPIPE_PIPELINE  The pipeline itself, where there is no file (-f)
  BATCHPIPE_SECRETS   Folder with a folder for each Secret that the pipeline names, and in it a file for each key;
                      by default /etc/batchpipe/secrets
  BATCHPIPE_HTTP_TIMEOUT
                      How long a request of an HTTP sink may take; 30s by default
  BATCHPIPE_STAY      1: idle, ready, when the work is done, until SIGTERM or SIGINT; 0: do not
  BATCHPIPE_LOG       What is logged on standard error: info, debug, batchpipe=debug,librdkafka=debug

A flag is stronger than its variable, and both are stronger than the file. Exit codes: 0 done, 1 failed or records
unaccounted for, 2 wrong usage or configuration.";

/// Which pipeline, and what differs from its file.
#[derive(Args, Debug)]
pub(super) struct PipelineArgs {
    /// File with a `BatchPipeline` (its first document), - for standard input; `BATCHPIPE_PIPELINE` may hold the text
    /// instead
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
    /// The pipeline, if this process can run it.
    pub(super) fn load(&self) -> Result<BatchPipeline, ConfigError> {
        self.read()?.for_this_process()
    }

    /// The same, if its records do not come from where the pipeline itself came from.
    pub(super) fn load_with_source(&self) -> Result<BatchPipeline, ConfigError> {
        let pipeline = self.load()?;
        let source = pipeline.spec.producer.as_ref().map(|producer| &producer.source);
        let is_twice = self.file.as_deref() == Some(Path::new(config::STANDARD_INPUT))
            && source.is_some_and(|source| source.stdin.is_some());
        if is_twice {
            let problem =
                "standard input holds the pipeline already (-f -); name a file with -f".to_owned();
            return Err(ConfigError::Field { path: "spec.producer.source.stdin", problem });
        }
        Ok(pipeline)
    }

    /// The pipeline, wherever it is to run.
    pub(super) fn read(&self) -> Result<Loaded, ConfigError> {
        let overrides = Overrides {
            brokers: given(self.brokers.as_ref()).map(str::to_owned),
            topic: given(self.topic.as_ref()).map(str::to_owned),
            transport: given(self.transport.as_ref()).map(str::to_owned),
        };
        config::load(self.file.as_deref(), &overrides)
    }
}

/// How much comes from the source.
#[derive(Args, Debug)]
pub(super) struct SourceArgs {
    /// End after so many records, when they are acknowledged, or delivered if this process consumes them too
    #[arg(long, value_name = "N", value_parser = limit, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// Records a second of the generator; 0 = as fast as possible
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<u64>,
    /// Address at which an HTTP source listens; its port is spec.producer.source.http.port. 0.0.0.0 or :: is every
    /// address of the machine
    #[arg(long, env = "BATCHPIPE_LISTEN", default_value = LISTEN, value_name = "IP", value_parser = ip)]
    listen: IpAddr,
}

impl SourceArgs {
    pub(super) fn flags(&self, grace: Duration) -> ProducerFlags {
        let listen = Some(self.listen);
        ProducerFlags { limit: self.limit, rate: self.rate, gate: None, grace, listen }
    }
}

/// How a process is run.
#[derive(Args, Debug)]
pub(super) struct ProcessArgs {
    /// Address of the admin server (/livez, /readyz, /metrics, /status); port 0 takes a free one
    #[arg(long, env = "BATCHPIPE_ADMIN", default_value = ADMIN, value_name = "IP:PORT", value_parser = address)]
    pub(super) admin: SocketAddr,
    /// How long work at hand is waited for after SIGTERM or SIGINT
    #[arg(long, env = "BATCHPIPE_GRACE_PERIOD", default_value = GRACE, value_name = "TIME", value_parser = timespan)]
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
    pub(super) fn stays() -> Result<bool, ConfigError> {
        let value = std::env::var_os(STAY_VARIABLE).unwrap_or_default();
        let is_on = switch(&value.to_string_lossy());
        is_on.ok_or(ConfigError::Switch { name: STAY_VARIABLE, found: value })
    }
}

/// What a flag or its variable says. An empty variable is what an unset one looks like in many tools.
pub(super) fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}

/// An empty variable is what an unset one looks like in many tools.
fn switch(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "" | "0" => Some(false),
        _ => None,
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let text = if text.is_empty() { ADMIN } else { text };
    text.parse().map_err(|_| "must be IP:PORT, such as 127.0.0.1:8080 or [::]:8080")
}

fn ip(text: &str) -> Result<IpAddr, &'static str> {
    let text = if text.is_empty() { LISTEN } else { text };
    text.parse().map_err(|_| "must be an IP address, such as 127.0.0.1, 0.0.0.0 or ::")
}

fn timespan(text: &str) -> Result<Timespan, <Timespan as FromStr>::Err> {
    if text.is_empty() { GRACE } else { text }.parse()
}

/// A number of records after which to end.
pub(super) fn limit(text: &str) -> Result<u64, &'static str> {
    let least = text.parse().ok().filter(|number| *number > 0);
    least.ok_or("must be a whole number, at least 1; leave it out for no limit")
}

/// A number of records for each second.
pub(super) fn rate(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "must be a whole number, or 0 for as fast as possible")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_like_none() {
        assert_eq!(address(""), address(ADMIN));
        assert_eq!(ip(""), ip(LISTEN));
        assert_eq!(timespan("").unwrap(), GRACE.parse().unwrap());
    }

    #[test]
    fn a_switch_is_on_or_off() {
        assert_eq!(["1", "0", ""].map(switch), [Some(true), Some(false), Some(false)]);
        assert_eq!(["yes", "true", "2", " 1"].map(switch), [None; 4]);
    }

    #[test]
    fn a_limit_is_at_least_one() {
        assert_eq!(limit("1"), Ok(1));
        for wrong in ["0", "-1", "1.5", "1k", ""] {
            assert!(limit(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_rate_may_be_zero() {
        assert_eq!(rate("0"), Ok(0));
        assert!(rate("-1").is_err());
    }
}
