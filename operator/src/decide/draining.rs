//! Draining: whether everything that producers sent is delivered and committed. Pure.
//!
//! A number that nobody has reported is unknown, never 0; a number that was measured before the last producer was
//! gone says nothing of what that producer still sent.

use batchpipe_api::{
    conditions::reasons,
    report::{PartitionLag, missing_topic},
    status::{BatchPipelineStatus, DrainingStatus, Phase},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{DecideInput, is_gone};
use crate::observe::{Measured, ObservedPod, ObservedSide, Partitions};

/// How long after the last producer was seen measurements begin to count: clocks of operators that take turns differ
/// a little, and a request of a killed producer may still be on its way.
const SETTLING: SignedDuration = SignedDuration::from_secs(3);
/// How long a topic has to be missing until it counts as not there, in milliseconds.
const LASTING_MS: i64 = 30_000;
/// So many partitions are named.
const NAMED: usize = 8;

/// How far draining is.
#[derive(Clone, Debug, PartialEq)]
pub enum Drain {
    /// Nothing is left, and the status says so.
    Done(DrainingStatus),
    /// Nothing is left, which the status has to say before the consumer may be stopped: whoever comes after a crash
    /// in between could not find it out any more, and would start consumers to ask them.
    Ending(DrainingStatus),
    /// Something is left, or it is not known; the text says what is waited for.
    Waiting(DrainingStatus, String),
}

/// How far draining is now.
pub(super) fn drain(input: &DecideInput<'_>) -> Drain {
    let spec = &input.object.spec;
    let producer = &input.observed.producer;
    if !is_gone(producer) {
        return Drain::Waiting(DrainingStatus::default(), producers_left(producer));
    }
    if was_drained(input) {
        return Drain::Done(said(input).cloned().unwrap_or_default());
    }
    let draining = begun(input);
    match &spec.consumer {
        None => Drain::Done(draining),
        Some(_) => to_the_ends(draining, input),
    }
}

/// What the status says of draining.
fn said<'a>(input: &DecideInput<'a>) -> Option<&'a DrainingStatus> {
    input.object.status.as_ref()?.draining.as_ref()
}

/// Whether an earlier pass has seen the end. If the spec has changed since, it may have been Running in between: then
/// consumers that should not be there say so. What only the status says, another process may have written, or anybody:
/// that the consumers were stopped bears it out, and as long as they were not, they can be asked.
fn was_drained(input: &DecideInput<'_>) -> bool {
    let Some(status) = &input.object.status else { return false };
    let is_same_spec = status.observed_generation == input.object.metadata.generation;
    let consumer = input.observed.consumer.deployment.as_ref();
    let asked_for = consumer.map(|it| it.desired_replicas);
    let is_borne_out = if input.memory.has_spoken {
        is_same_spec || asked_for.is_none_or(|pods| pods == 0)
    } else {
        asked_for == Some(0)
    };
    status.phase == Some(Phase::Drained) && status.draining.is_some() && is_borne_out
}

/// What draining began with, or begins with now.
fn begun(input: &DecideInput<'_>) -> DrainingStatus {
    // What is noted of another spec may be older than producers of one in between; and what this process has not noted
    // itself may be anything.
    let is_ours = |status: &&BatchPipelineStatus| {
        input.memory.has_spoken && status.observed_generation == input.object.metadata.generation
    };
    let previous = input.object.status.as_ref().filter(is_ours);
    let mut noted = previous.and_then(|status| status.draining.clone()).unwrap_or_default();
    // By a clock that went ahead of ours: until ours gets there no measurement would count.
    noted.since = noted.since.map(|since| Time(since.0.min(input.now)));
    let seen = input.memory.producer_seen_at.unwrap_or(Timestamp::MIN);
    match &noted.since {
        // What we saw ourselves is newer than what was written, if writing failed: then the ends are those of before.
        Some(since) if since.0 >= seen => noted,
        Some(_) => DrainingStatus { since: Some(Time(seen)), ..DrainingStatus::default() },
        None => DrainingStatus { since: Some(Time(input.now)), ..noted },
    }
}

fn producers_left(producer: &ObservedSide) -> String {
    let pods = producer.pods.iter().map(|pod| pod.name.as_str());
    let names: Vec<_> = pods.chain(producer.strays.iter().map(String::as_str)).collect();
    match names.as_slice() {
        [] => "the producer's Deployment to stop its pods".to_owned(),
        [one] => format!("producer pod {one} to end"),
        [first, others @ ..] => format!("producer pod {first} and {} more to end", others.len()),
    }
}

/// Until each partition is worked off to the end that it had at the first measurement after the last producer of ours
/// was gone: others may go on to add to it, for as long as they like.
fn to_the_ends(mut draining: DrainingStatus, input: &DecideInput<'_>) -> Drain {
    let since = draining.since.as_ref().map_or(Timestamp::MAX, |since| since.0);
    let consumer = &input.observed.consumer;
    let fresh = Fresh::new(consumer, since);
    if is_missing(input.object.topic_name(), consumer, &fresh) {
        return Drain::Ending(draining);
    }
    for measured in fresh.measured() {
        if let Some(end) = measured.lag.end {
            draining.ends.entry(measured.lag.partition.to_string()).or_insert(end);
        }
    }
    let ends = draining.ends.clone();
    let reached = |offset: Option<i64>, end: i64| offset.is_some_and(|offset| offset >= end);
    fresh.conclude(draining, |partition, lag| {
        is_empty(lag)
            || is_at_its_end(lag)
            || ends
                .get(&partition.to_string())
                .is_some_and(|end| reached(lag.position, *end) && reached(lag.committed, *end))
    })
}

/// Nothing is left whatever was noted: a topic that was made again begins anew.
fn is_at_its_end(lag: &PartitionLag) -> bool {
    lag.end.is_some() && lag.position == lag.end && lag.committed == lag.end
}

/// Nothing is in the log, and nobody has a position in it: there never was anything, or retention took it.
fn is_empty(lag: &PartitionLag) -> bool {
    lag.position.is_none() && lag.messages == Some(0)
}

/// Whether all consumers say that there is no such topic, and nobody is left who could make it. It has to have lasted:
/// brokers that have just begun do not know of every topic yet.
fn is_missing(topic: &str, consumer: &ObservedSide, fresh: &Fresh) -> bool {
    let text = missing_topic(topic);
    let says_so = |pod: &ObservedPod| {
        let is_fresh = pod.asked_at.is_some_and(|asked_at| asked_at >= fresh.from);
        let report = pod.report.as_ref().filter(|report| is_fresh && report.partitions.is_none());
        report.is_some_and(|report| {
            report.stalled.iter().any(|stall| {
                stall.reason == reasons::TOPIC_MISSING
                    && stall.what.starts_with(&text)
                    && report.begun_at_ms.saturating_sub(stall.since_ms) >= LASTING_MS
            })
        })
    };
    let mut pods = consumer.staying().peekable();
    pods.peek().is_some() && pods.all(says_so)
}

/// What was measured late enough to count.
struct Fresh {
    partitions: Partitions,
    from: Timestamp,
}

impl Fresh {
    fn new(consumer: &ObservedSide, since: Timestamp) -> Self {
        let from = since.checked_add(SETTLING).unwrap_or(Timestamp::MAX);
        Self { partitions: Partitions::of(consumer), from }
    }

    fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.partitions.known.values().filter(|measured| self.counts(measured))
    }

    fn counts(&self, measured: &Measured) -> bool {
        measured.at >= self.from
    }

    fn conclude(
        &self,
        draining: DrainingStatus,
        is_done: impl Fn(i32, &PartitionLag) -> bool,
    ) -> Drain {
        let Some(count) = self.partitions.count else {
            let text = "a consumer pod to report how many partitions the topic has";
            return Drain::Waiting(draining, text.to_owned());
        };
        let (mut unknown, mut behind) = (Vec::new(), Vec::new());
        for partition in 0..count {
            let measured = self.partitions.known.get(&partition);
            match measured.filter(|measured| self.counts(measured)) {
                None => unknown.push(partition),
                Some(measured) if !is_done(partition, &measured.lag) => behind.push(partition),
                Some(_) => {}
            }
        }
        if !behind.is_empty() {
            let text = format!("the consumer to work off {}", partitions(&behind));
            Drain::Waiting(draining, text)
        } else if !unknown.is_empty() {
            let text = format!("a consumer pod to report on {}", partitions(&unknown));
            Drain::Waiting(draining, text)
        } else {
            Drain::Ending(draining)
        }
    }
}

fn partitions(numbers: &[i32]) -> String {
    let named: Vec<_> = numbers.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match numbers.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if numbers.len() == 1 { "partition" } else { "partitions" };
    format!("{noun} {}{more}", named.join(", "))
}

#[cfg(test)]
mod tests;
