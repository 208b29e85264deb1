//! Sends each line of a file as a message, and counts delivery reports.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use batchpipe_bench_calls::Sender;
use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use super::{Args, CALL, Calls, Clock, PRODUCER, Spent};

/// How long a full queue and the last reports are waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Counts what was delivered.
#[derive(Clone, Default)]
struct Reports {
    delivered: Arc<AtomicU64>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Spent> {
    let text = fs::read(&args.file).context("cannot read the records")?;
    let wanted = usize::try_from(args.records).context("too many records")?;
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').take(wanted).collect();
    let reports = Reports::default();
    let mut config = args.config(&PRODUCER);
    let producer: BaseProducer<Reports> =
        config.set("compression.codec", &args.codec).create_with_context(reports.clone())?;
    let clock = Clock::start();
    match args.calls {
        Calls::Single => send_each(&producer, &args.topic, &lines)?,
        Calls::Batch => send_many(&producer, &args.topic, &lines)?,
    }
    producer.flush(PATIENCE).context("not all messages were sent in time")?;
    let spent = clock.stop();
    let delivered = reports.delivered.load(Ordering::Relaxed);
    ensure!(delivered == args.records, "{delivered} of {} were delivered", args.records);
    Ok(spent)
}

fn send_each(producer: &BaseProducer<Reports>, topic: &str, lines: &[&[u8]]) -> Result<()> {
    for lines in lines.chunks(CALL) {
        for line in lines {
            let mut record = BaseRecord::<(), [u8]>::to(topic).payload(line);
            while let Err((error, refused)) = producer.send(record) {
                wait_for_room(producer, &error)?;
                record = refused;
            }
        }
        producer.poll(Duration::ZERO);
    }
    Ok(())
}

fn wait_for_room(producer: &BaseProducer<Reports>, error: &KafkaError) -> Result<()> {
    match error {
        KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
            producer.poll(Duration::from_millis(10));
            Ok(())
        }
        error => bail!("cannot send a record: {error}"),
    }
}

fn send_many(producer: &BaseProducer<Reports>, topic: &str, lines: &[&[u8]]) -> Result<()> {
    let mut sender = Sender::new(producer, topic).context("librdkafka refuses the topic")?;
    for mut lines in lines.chunks(CALL) {
        loop {
            let taken = sender.send(lines).context("cannot send records")?;
            lines = &lines[taken..];
            if lines.is_empty() {
                break;
            }
            producer.poll(Duration::from_millis(10));
        }
        producer.poll(Duration::ZERO);
    }
    Ok(())
}
