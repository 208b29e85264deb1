//! The demo: producer, embedded broker and consumer in one process, and the proof that every record arrived.
//!
//! The producer and the consumer are the real ones; only the broker is librdkafka's own stand-in. What arrives is
//! checked against what was made by the records' own numbers and bytes, not by the product's counters.

mod broker;
mod verify;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::{
    codec::Codec,
    report::{DemoReport, Latency, Role},
    validate::check_text,
};

use self::{
    broker::EmbeddedBroker,
    verify::{Expected, Found, VerifySink},
};
use crate::{
    admin::{self, Side},
    budget::{Budget, cgroup_limit},
    clock::unix_ms,
    config::{self, ConfigError, ConsumerFlags, ProducerFlags},
    consume::{self, CatchUp, ConsumeError},
    ledger::{Counts, Ledger},
    produce::{self, ProduceError, Shared},
    progress::Progress,
    shutdown::Shutdown,
    sink::Sink,
    source::generator::{Gate, GeneratorOptions, GeneratorSource, ProfileName},
};

/// How long records are made when nobody says how many.
const DURATION: Duration = Duration::from_secs(8);
/// How many records may be on their way. The embedded broker silently drops what is older than 5 MiB in a
/// partition. Batches go to its partitions in turn, and the records of the profiles have at most 400 bytes, so
/// that this many stay below even uncompressed.
const MOST_IN_FLIGHT: u64 = 36_000;
/// The embedded broker does not answer a waiting fetch when something comes, only when its time is up.
const FETCH_WAIT_MS: u32 = 2;
/// When nothing arrives for so long, the rest is taken for lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the consumer may take to be ready: the broker is in this process.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// Equal seeds give equal records.
const SEED: u64 = 20_260_101;

/// What the demo is to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many records; without it, as many as can be made in 8 seconds.
    pub records: Option<u64>,
    /// What they look like.
    pub profile: ProfileName,
    /// How batches are compressed.
    pub codec: Codec,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The embedded broker does not start.
    #[error("the embedded broker does not start")]
    Broker(#[source] rdkafka::error::KafkaError),
    /// The demo's own pipeline is wrong.
    #[error("the demo's own pipeline cannot be used; this is a defect of batchpipe")]
    Pipeline(#[from] ConfigError),
    /// The producer failed.
    #[error("the producer failed")]
    Produce(#[from] ProduceError),
    /// The consumer failed.
    #[error("the consumer failed")]
    Consume(#[from] ConsumeError),
    /// Signals cannot be watched.
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
    /// The embedded broker cannot be reached.
    #[error(
        "the embedded broker at {address} does not answer within {} s; the demo needs the loopback interface",
        START_PATIENCE.as_secs()
    )]
    Unreachable {
        /// Where it listens.
        address: String,
    },
    /// It was stopped before there was anything to judge.
    #[error("stopped before the first record was made")]
    Stopped,
    /// A thread of ours died.
    #[error("the {0} died; this is a defect of batchpipe")]
    Died(&'static str),
}

/// What came out.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// The figures.
    pub report: DemoReport,
    /// Whether what arrived is, byte for byte, what was made.
    pub identical: bool,
    /// Whether a signal ended it before all records were made that were asked for, or before its time was over.
    pub is_short: bool,
}

impl Verdict {
    /// Whether all records were made that were to be, and each arrived exactly once and unchanged.
    pub const fn is_good(&self) -> bool {
        self.report.lost == 0 && self.report.duplicated == 0 && self.identical && !self.is_short
    }
}

/// Runs the demo.
pub fn run(options: Options) -> Result<Verdict, DemoError> {
    let broker = EmbeddedBroker::start().map_err(DemoError::Broker)?;
    let stop = Shutdown::new();
    crate::signals::watch(&stop).map_err(DemoError::Signals)?;
    let pipeline = pipeline(&broker, options);
    let (producer, consumer) =
        (shared(Role::Producer, stop.clone()), shared(Role::Consumer, Shutdown::new()));
    let catch_up = CatchUp::default();
    let grace = Duration::from_secs(10);
    let flags = ConsumerFlags { limit: None, catch_up: catch_up.clone(), grace };
    let consume = config::consumer(&pipeline, &flags)?.config;
    let produce =
        config::producer(&pipeline, &ProducerFlags { grace, ..ProducerFlags::default() })?.config;
    let generator = GeneratorOptions {
        profile: options.profile,
        seed: SEED,
        limit: options.records.unwrap_or(0),
        records_per_second: 0,
        start_ms: unix_ms().unsigned_abs(),
        gate: Some(gate(&producer, &consumer)),
    };
    let source = Box::new(GeneratorSource::new(generator.clone()));
    let sink = Arc::new(VerifySink::default());
    let delivered: Arc<dyn Sink> = Arc::clone(&sink) as Arc<dyn Sink>;
    let progress = Progress::start(&[producer.clone(), consumer.clone()]);
    let theirs = consumer.clone();
    let consuming = std::thread::spawn(move || consume::run(consume, delivered, &theirs));
    if !await_group(&consumer, &stop) {
        consumer.shutdown.request();
        return Err(DemoError::Unreachable { address: broker.bootstrap_servers() });
    }
    let started = Instant::now();
    let theirs = producer.clone();
    let producing = std::thread::spawn(move || produce::run(&produce, source, &theirs));
    // Until the time is over, only a signal asks for a stop.
    let is_interrupted = options.records.is_none() && stop.wait(DURATION);
    if options.records.is_none() {
        stop.request();
    }
    producing.join().map_err(|_| DemoError::Died("producer"))??;
    catch_up.want();
    await_rest(&consumer, &consuming);
    let seconds = started.elapsed().as_secs_f64();
    consuming.join().map_err(|_| DemoError::Died("consumer"))??;
    drop(progress);
    let expected = Expected::of(
        GeneratorOptions { gate: None, ..generator },
        producer.ledger.snapshot().accepted,
    );
    if expected.records == 0 {
        return Err(DemoError::Stopped);
    }
    let (report, identical) = judge(&expected, &sink.found(), &consumer, seconds);
    let is_short =
        is_interrupted || options.records.is_some_and(|wanted| expected.records < wanted);
    Ok(Verdict { report, identical, is_short })
}

/// Waits until the consumer is in its group, so that no record waits for that; false when it takes too long.
fn await_group(consumer: &Shared, stop: &Shutdown) -> bool {
    let begun = Instant::now();
    consumer.side.gate(admin::Gate::Configuration).open();
    while !consumer.side.unmet().is_empty() && !stop.wait(Duration::from_millis(20)) {
        if begun.elapsed() > START_PATIENCE {
            return false;
        }
    }
    true
}

/// Waits until the consumer ends by itself, or for as long as anything arrives.
fn await_rest<T>(consumer: &Shared, consuming: &std::thread::JoinHandle<T>) {
    let mut last = (consumer.ledger.snapshot().delivered, Instant::now());
    while !consuming.is_finished() {
        consumer.shutdown.wait(Duration::from_millis(20));
        let delivered = consumer.ledger.snapshot().delivered;
        if delivered != last.0 {
            last = (delivered, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            consumer.shutdown.request();
        }
    }
}

fn shared(role: Role, shutdown: Shutdown) -> Shared {
    let ledger = Arc::new(Ledger::new());
    let share = Budget::limit_for(cgroup_limit()) / 2;
    let side = Side::new(role, Arc::clone(&ledger));
    Shared { side, ledger, budget: Budget::new(share), share, shutdown }
}

/// Holds the generator back while too much is on its way.
fn gate(producer: &Shared, consumer: &Shared) -> Gate {
    let (made, delivered) = (Arc::clone(&producer.ledger), Arc::clone(&consumer.ledger));
    Arc::new(move || {
        made.snapshot().accepted.saturating_sub(delivered.snapshot().delivered) < MOST_IN_FLIGHT
    })
}

fn pipeline(broker: &EmbeddedBroker, options: Options) -> batchpipe_api::pipeline::BatchPipeline {
    let text = format!(
        "apiVersion: batchpipe.dev/v1alpha1\nkind: BatchPipeline\nmetadata: {{name: demo}}\nspec:\n  \
         kafka: {{bootstrapServers: \"{}\", options: {{fetch.wait.max.ms: \"{FETCH_WAIT_MS}\"}}}}\n  topic: {{name: {}, provision: Never}}\n  \
         batch: {{linger: 20ms}}\n  compression: {{codec: {}}}\n  \
         producer: {{source: {{generator: {{profile: {}}}}}}}\n  consumer: {{sink: {{blackhole: {{}}}}}}\n",
        broker.bootstrap_servers(),
        broker::TOPIC,
        options.codec,
        options.profile.name(),
    );
    check_text(&text).expect("the demo's pipeline is valid for every codec and profile")
}

/// The figures, and whether what arrived is what was made.
fn judge(
    expected: &Expected,
    found: &Found,
    consumer: &Shared,
    seconds: f64,
) -> (DemoReport, bool) {
    let Counts { raw_bytes, wire_bytes, .. } = consumer.ledger.snapshot();
    let quantiles = consumer.side.quantiles();
    let report = DemoReport {
        records_produced: expected.records,
        records_delivered: found.records,
        lost: expected.records - found.distinct,
        duplicated: found.records - found.distinct - found.strangers,
        raw_bytes,
        wire_bytes,
        ratio: as_float(raw_bytes) / as_float(wire_bytes.max(1)),
        records_per_second: as_float(found.records) / seconds,
        latency_ms: Latency {
            p50: quantiles.map_or(0.0, |latency| as_float(latency.p50)),
            p99: quantiles.map_or(0.0, |latency| as_float(latency.p99)),
        },
    };
    (report, found.strangers == 0 && found.checksum == expected.checksum)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people; counts stay far below 2^52")]
const fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_waits_while_more_is_on_its_way_than_the_broker_keeps() {
        let [producer, consumer] =
            [Role::Producer, Role::Consumer].map(|role| shared(role, Shutdown::new()));
        let may_go_on = gate(&producer, &consumer);
        assert!(may_go_on());
        producer.ledger.update(|counts| counts.accepted = MOST_IN_FLIGHT);
        assert!(!may_go_on());
        consumer.ledger.update(|counts| counts.delivered = 1);
        assert!(may_go_on());
    }
}
