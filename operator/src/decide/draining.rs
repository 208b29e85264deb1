//! Draining: whether everything that producers sent is delivered and committed. Pure.
//!
//! A number that nobody has reported is unknown, never 0; a number that was measured before the last producer was
//! gone says nothing of what that producer still sent.

use batchpipe_api::{
    report::PartitionLag,
    status::{BatchPipelineStatus, DrainingStatus, Phase},
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};

use super::{DecideInput, is_gone};
use crate::observe::{Measured, ObservedSide, Partitions};

/// How long after the last producer was seen measurements begin to count: clocks of operators that take turns differ
/// a little, and a request of a killed producer may still be on its way.
const SETTLING: SignedDuration = SignedDuration::from_secs(3);
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
    let previous = input.object.status.as_ref();
    if let Some(draining) =
        previous.filter(|_| was_drained(input)).and_then(|it| it.draining.clone())
    {
        return Drain::Done(draining);
    }
    let (draining, since) = begun(previous, input);
    match (&spec.consumer, &spec.producer) {
        (None, _) => Drain::Done(draining),
        (Some(_), Some(_)) => to_the_end(draining, since, &input.observed.consumer),
        (Some(_), None) => to_the_noted_ends(draining, since, &input.observed.consumer),
    }
}

/// Whether an earlier pass has seen the end. If the spec has changed since, it may have been Running in between: then
/// consumers that should not be there say so.
fn was_drained(input: &DecideInput<'_>) -> bool {
    let Some(status) = &input.object.status else { return false };
    let is_same_spec = status.observed_generation == input.object.metadata.generation;
    let consumer = input.observed.consumer.deployment.as_ref();
    status.phase == Some(Phase::Drained)
        && (is_same_spec || consumer.is_none_or(|deployment| deployment.desired_replicas == 0))
}

fn begun(
    previous: Option<&BatchPipelineStatus>,
    input: &DecideInput<'_>,
) -> (DrainingStatus, Timestamp) {
    let mut draining = previous.and_then(|status| status.draining.clone()).unwrap_or_default();
    let noted = draining.since.as_ref().map(|since| since.0);
    // What we saw ourselves is newer than what was written, if writing failed.
    let since =
        noted.unwrap_or(input.now).max(input.memory.producer_seen_at.unwrap_or(Timestamp::MIN));
    draining.since = Some(Time(since));
    (draining, since)
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

/// Until each partition is worked off to its end, for nobody adds to it any more.
fn to_the_end(draining: DrainingStatus, since: Timestamp, consumer: &ObservedSide) -> Drain {
    let fresh = Fresh::new(consumer, since);
    let is_done = |lag: &PartitionLag| {
        is_empty(lag) || (lag.end.is_some() && lag.position == lag.end && lag.committed == lag.end)
    };
    fresh.conclude(draining, |_, lag| is_done(lag))
}

/// Until each partition is worked off to the end that it had when draining began, for others go on to add.
fn to_the_noted_ends(
    mut draining: DrainingStatus,
    since: Timestamp,
    consumer: &ObservedSide,
) -> Drain {
    let fresh = Fresh::new(consumer, since);
    for measured in fresh.measured() {
        if let Some(end) = measured.lag.end {
            draining.ends.entry(measured.lag.partition.to_string()).or_insert(end);
        }
    }
    let ends = draining.ends.clone();
    let reached = |offset: Option<i64>, end: i64| offset.is_some_and(|offset| offset >= end);
    fresh.conclude(draining, |partition, lag| {
        is_empty(lag)
            || ends
                .get(&partition.to_string())
                .is_some_and(|end| reached(lag.position, *end) && reached(lag.committed, *end))
    })
}

/// Nothing is in the log, and nobody has a position in it: there never was anything, or retention took it.
fn is_empty(lag: &PartitionLag) -> bool {
    lag.position.is_none() && lag.messages == Some(0)
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
