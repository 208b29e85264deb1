//! A plain Kafka client as people write it with librdkafka: one record is one message. It runs as a process of its
//! own, `batchpipe-bench client`, so that CPU and memory are its own.

mod consume;
mod produce;

use std::{path::PathBuf, time::Instant};

use anyhow::Result;
use clap::ValueEnum;
use rdkafka::ClientConfig;
use rustix::time::{ClockId, clock_gettime};

/// What librdkafka's documentation advises for throughput: much linger, large batches, room in the queue.
pub(crate) const PRODUCER: [(&str, &str); 5] = [
    ("acks", "all"),
    ("linger.ms", "100"),
    ("batch.num.messages", "10000"),
    ("queue.buffering.max.messages", "1000000"),
    ("queue.buffering.max.kbytes", "1048576"),
];
/// Messages are fetched far ahead, and at once when there is room again.
pub(crate) const CONSUMER: [(&str, &str); 3] = [
    ("auto.offset.reset", "earliest"),
    ("queued.min.messages", "1000000"),
    ("fetch.queue.backoff.ms", "10"),
];
/// Messages of one batch call.
pub(crate) const CALL: usize = 1000;

/// Which half of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Produce,
    Consume,
}

/// How librdkafka is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Calls {
    /// Once for each message.
    Single,
    /// Once for many.
    Batch,
}

/// What the client is told.
#[derive(Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct Args {
    pub(crate) mode: Mode,
    #[arg(long)]
    pub(crate) calls: Calls,
    #[arg(long)]
    pub(crate) codec: String,
    #[arg(long)]
    pub(crate) brokers: String,
    #[arg(long)]
    pub(crate) topic: String,
    #[arg(long)]
    pub(crate) records: u64,
    #[arg(long)]
    pub(crate) file: PathBuf,
}

impl Args {
    /// The command line that means the same.
    pub(crate) fn to_words(&self) -> Vec<String> {
        let mode = if self.mode == Mode::Produce { "produce" } else { "consume" };
        let calls = if self.calls == Calls::Single { "single" } else { "batch" };
        let (records, file) = (self.records.to_string(), self.file.display().to_string());
        let named = [
            ("--calls", calls),
            ("--codec", &self.codec),
            ("--brokers", &self.brokers),
            ("--topic", &self.topic),
            ("--records", &records),
            ("--file", &file),
        ];
        let named = named.into_iter().flat_map(|(key, value)| [key.to_owned(), value.to_owned()]);
        ["client".to_owned(), mode.to_owned()].into_iter().chain(named).collect()
    }

    fn config(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        for (key, value) in settings {
            config.set(*key, *value);
        }
        config
    }
}

/// Works, and prints what the loop took.
pub(crate) fn run(args: &Args) -> Result<()> {
    let spent = match args.mode {
        Mode::Produce => produce::run(args)?,
        Mode::Consume => consume::run(args)?,
    };
    println!("{{\"cpuSeconds\":{},\"wallSeconds\":{}}}", spent.cpu, spent.wall);
    Ok(())
}

/// What a loop took.
struct Spent {
    cpu: f64,
    wall: f64,
}

/// Runs while a loop does.
struct Clock {
    cpu: f64,
    wall: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { cpu: process_seconds(), wall: Instant::now() }
    }

    fn stop(&self) -> Spent {
        let cpu = process_seconds() - self.cpu;
        Spent { cpu, wall: self.wall.elapsed().as_secs_f64() }
    }
}

/// CPU seconds of this process so far, all threads.
#[expect(clippy::cast_precision_loss, reason = "seconds since a start are few")]
fn process_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Only,
    }

    #[derive(clap::Subcommand)]
    enum Only {
        Client(Args),
    }

    #[test]
    fn the_command_line_means_the_same() {
        let args = Args {
            mode: Mode::Consume,
            calls: Calls::Batch,
            codec: "lz4".to_owned(),
            brokers: "127.0.0.1:9092".to_owned(),
            topic: "a topic".to_owned(),
            records: 7,
            file: "/a file".into(),
        };
        let words = ["bench".to_owned()].into_iter().chain(args.to_words());
        let Only::Client(read) = Line::parse_from(words).command;
        assert_eq!(read, args);
    }
}
