//! Reads messages until all are there, and checks each as the pipeline does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use batchpipe_bench_calls::Reader;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::BorrowedMessage,
};
use serde::de::IgnoredAny;

use super::{Args, CALL, CONSUMER, Calls, Clock, Spent};
use crate::stage::PARTITIONS;

/// How long the next message is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one call waits for as many messages as it asks for.
const FILLING: Duration = Duration::from_millis(50);

pub(super) fn run(args: &Args) -> Result<Spent> {
    let mut config = args.config(&CONSUMER);
    let consumer: BaseConsumer = config.set("group.id", &args.topic).create()?;
    match args.calls {
        Calls::Single => read_each(&consumer, args),
        Calls::Batch => read_many(&consumer, args),
    }
}

fn read_each(consumer: &BaseConsumer, args: &Args) -> Result<Spent> {
    consumer.subscribe(&[&args.topic])?;
    let clock = Clock::start();
    for seen in 0..args.records {
        let message = next(consumer).with_context(|| no_more(seen))?;
        check(message.payload().unwrap_or_default())?;
    }
    Ok(clock.stop())
}

/// The next message. A call also returns without one when it saw to something else, a rebalance for example.
fn next(consumer: &BaseConsumer) -> Result<BorrowedMessage<'_>> {
    if let Some(message) = consumer.poll(PATIENCE) {
        return Ok(message?);
    }
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(message) = consumer.poll(FILLING) {
            return Ok(message?);
        }
    }
    bail!("the topic is at its end");
}

fn read_many(consumer: &BaseConsumer, args: &Args) -> Result<Spent> {
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(
            &args.topic,
            i32::try_from(partition)?,
            Offset::Beginning,
        )?;
    }
    consumer.assign(&partitions)?;
    let mut reader = Reader::new(consumer, CALL).context("the consumer has no queue")?;
    let (mut seen, mut checked) = (0, Ok(()));
    let (clock, mut last) = (Clock::start(), Instant::now());
    while seen < args.records {
        let count = reader.read(FILLING, |value| {
            if checked.is_ok() {
                checked = check(value);
            }
        });
        let count = count.context("cannot read messages")?;
        if count > 0 {
            last = Instant::now();
        }
        ensure!(last.elapsed() < PATIENCE, no_more(seen));
        seen += count as u64;
    }
    let spent = clock.stop();
    checked.map(|()| spent)
}

fn check(record: &[u8]) -> Result<()> {
    ensure!(std::str::from_utf8(record).is_ok(), "a record is no UTF-8");
    serde_json::from_slice::<IgnoredAny>(record).context("a record is no JSON")?;
    Ok(())
}

fn no_more(seen: u64) -> String {
    format!("nothing more came after {seen} records")
}
