//! A worker: takes messages of its partitions from the poll thread and settles them one after the other.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{
    assignment::Assigned, assignments::Work, desk::Desk, fetched::Fetched, partition::Partition,
    tenure::GroupTenure, unreadable::Passing,
};
use crate::{
    backoff::Backoff,
    error::chain,
    kafka::jump::went_back,
    sink::{WriteError, Writer},
};

/// How often sinks are looked after when nothing comes.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// How often to look whether it is known where a partition goes on, which it is a moment after it was assigned.
const SETTLING: Duration = Duration::from_millis(2);
/// A buffer that one unusual batch made larger than this is given back afterwards, in bytes.
const KEPT_BUFFER: usize = 2 * 1024 * 1024;

/// Why a worker leaves a message undelivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// The partition was taken from us, or the process ends.
    #[error("given up, because the partition is given back")]
    Abandoned,
    /// The sink lost what it had taken; everything from this offset on is fetched again.
    #[error("the sink lost what was written from offset {0} on")]
    Rewind(i64),
    /// Only the group knows how much the sink has stored.
    #[error("{}", chain(.0))]
    Unknown(WriteError),
    /// The sink is gone for good.
    #[error("the sink is gone: {}", chain(.0))]
    Sink(WriteError),
    /// A thread of ours died.
    #[error("the {0} thread died")]
    Thread(&'static str),
}

/// What a worker tells the poll thread.
#[derive(Debug)]
pub(super) enum Notice {
    /// Fetch this partition again from this offset on.
    Rewind(Arc<Assigned>, i64),
    /// What the group has of this partition is of an earlier topic: fetch it from the start of its log, which is here.
    BeginAnew(Arc<Assigned>, i64),
    /// Nobody can read these messages: keep their offsets, and fetch from behind them.
    PassOver(Passing),
    /// The log went back under our hands: the topic was made again, or the end of its log was lost.
    WentBack(Arc<Assigned>),
    /// The consumer cannot go on.
    Fail(Stop),
    /// The limit is reached.
    LimitReached,
}

/// Works until the poll thread has gone.
pub(super) fn run(work: &Receiver<Work>, desk: &mut Desk) {
    let mut partitions: BTreeMap<i32, Partition> = BTreeMap::new();
    let mut ticked = Instant::now();
    loop {
        desk.beat();
        match work.recv_timeout(TICK) {
            Ok(Work::Deliver(assigned, message)) => {
                deliver(&mut partitions, &assigned, message, desk);
            }
            Ok(Work::Finish(assigned, answer)) => {
                match take(&mut partitions, &assigned) {
                    Some(mut partition) if assigned.is_lost() => partition.release(desk),
                    Some(partition) => partition.finish(desk),
                    None => {}
                }
                let _ = answer.send(()); // whoever asked may have stopped waiting
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            tick(&mut partitions, desk);
        }
    }
}

fn take(partitions: &mut BTreeMap<i32, Partition>, assigned: &Arc<Assigned>) -> Option<Partition> {
    let is_same = |partition: &Partition| Arc::ptr_eq(&partition.assigned, assigned);
    if !partitions.get(&assigned.partition).is_some_and(is_same) {
        return None;
    }
    partitions.remove(&assigned.partition)
}

fn deliver(
    partitions: &mut BTreeMap<i32, Partition>,
    assigned: &Arc<Assigned>,
    message: Fetched,
    desk: &mut Desk,
) {
    // What waited for a partition that is being given back is fetched again by its next owner.
    if !assigned.is_active() || assigned.stands() || desk.stopped.get() {
        return;
    }
    let id = assigned.partition;
    if let Some(filled) = partitions.get_mut(&id).filter(|known| known.is_filled_by(&message)) {
        return stand(filled, &message, desk);
    }
    if partitions.get(&id).is_some_and(|known| known.is_behind(&message)) {
        return go_back(assigned, desk);
    }
    if is_done(assigned, &message) {
        return drop_done(assigned, desk);
    }
    let is_new = partitions.get(&id).is_none_or(|known| !Arc::ptr_eq(&known.assigned, assigned));
    if is_new {
        // The earlier time that we had this partition was not finished in order: give back what it left.
        if let Some(mut earlier) = partitions.remove(&id) {
            earlier.release(desk);
        }
        match open(assigned, desk) {
            Ok(writer) => _ = partitions.insert(id, Partition::new(Arc::clone(assigned), writer)),
            Err(Stop::Abandoned) if assigned.stands() => return,
            Err(stop) => return fail(assigned, stop, desk),
        }
        // Only now is it known where it goes on.
        if is_done(assigned, &message) {
            return drop_done(assigned, desk);
        }
    }
    let partition = partitions.get_mut(&id).expect("it was put there if it was missing");
    let mut outcome = partition.process(&message, desk);
    if outcome.is_ok() && desk.sink.keeps_offsets() && is_limit_reached(desk) {
        outcome = partition.settle_all(desk);
    }
    if let Err(stop) = outcome {
        stop_partition(partitions, assigned, stop, desk);
    }
    drop(message); // after the notice: see where the poll thread asks whether anything waits
    desk.batch.give_back(KEPT_BUFFER);
    check_limit(desk);
}

/// The offsets of a partition go back: that of the message before is not true, and what it is nobody knows. To go on would
/// leave something out, and to begin anew would deliver it again and again.
fn stand(partition: &mut Partition, message: &Fetched, desk: &Desk) {
    let gone_back = partition.go_back(message);
    let assigned = &partition.assigned;
    assigned.stand();
    let topic = &desk.config.topic.name;
    let mut problem = went_back(topic, assigned.partition, partition.seen(), message.offset);
    if let Err(error) = gone_back {
        let _ = write!(problem, "; the sink has it under that offset: {}", chain(&error)); // a String takes all
    }
    tracing::error!("{problem}");
    desk.shared.side.error(&problem);
}

/// Whether a message was settled before, or another one at its offset. What is fetched again on purpose is of another
/// assignment.
fn is_done(assigned: &Assigned, message: &Fetched) -> bool {
    assigned.is_settled() && message.offset < assigned.done()
}

/// Does without a message that seems to be settled: librdkafka, which has met something that it cannot read, may have lost
/// its place; nothing else brings it.
fn drop_done(assigned: &Arc<Assigned>, desk: &Desk) {
    if !desk.has_lost_its_place() || assigned.topic_id().is_none() {
        go_back(assigned, desk);
    }
}

/// The log is not what it was: whoever takes the partition next finds out where to go on.
fn go_back(assigned: &Arc<Assigned>, desk: &Desk) {
    assigned.close();
    let _ = desk.notices.send(Notice::WentBack(Arc::clone(assigned))); // the poll thread is gone only at the end
}

fn stop_partition(
    partitions: &mut BTreeMap<i32, Partition>,
    assigned: &Arc<Assigned>,
    stop: Stop,
    desk: &Desk,
) {
    assigned.close();
    // When we were told to give the partition back, finishing it comes next.
    if !matches!(stop, Stop::Abandoned)
        && let Some(mut partition) = take(partitions, assigned)
    {
        partition.release(desk);
    }
    fail(assigned, stop, desk);
}

fn fail(assigned: &Arc<Assigned>, stop: Stop, desk: &Desk) {
    assigned.close();
    let notice = match stop {
        Stop::Abandoned => return,
        Stop::Rewind(offset) => Notice::Rewind(Arc::clone(assigned), offset),
        stop => Notice::Fail(stop),
    };
    let _ = desk.notices.send(notice); // the poll thread is gone only when the process ends
}

/// Opens the sink for a partition, however long that takes, as soon as it is known where the partition goes on. Nothing
/// is at hand yet, so as soon as the partition is to be given back there is nothing to wait for.
fn open(assigned: &Arc<Assigned>, desk: &Desk) -> Result<Box<dyn Writer>, Stop> {
    let is_given_back = || !assigned.is_active();
    while !assigned.is_settled() {
        // Others of this worker must not wait for one that stands.
        if desk.wait(SETTLING, is_given_back) || assigned.stands() {
            return Err(Stop::Abandoned);
        }
    }
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        match open_once(assigned, desk) {
            Ok(writer) => match refuse_stale(assigned, writer.as_ref(), desk) {
                None => {
                    backoff.succeed(|| desk.clear_stalled(assigned));
                    return Ok(writer);
                }
                Some(problem) => desk.stalled_by(assigned, reasons::SINK_UNAVAILABLE, &problem),
            },
            Err(error @ WriteError::Locked { .. }) => return Err(Stop::Sink(error)),
            Err(error) => desk.stalled(assigned, &error),
        }
        if desk.wait(backoff.next_wait(), is_given_back) {
            desk.clear_stalled(assigned);
            return Err(Stop::Abandoned);
        }
    }
}

fn open_once(assigned: &Arc<Assigned>, desk: &Desk) -> Result<Box<dyn Writer>, WriteError> {
    let topic = &desk.config.topic.name;
    if let Some(id) = assigned.topic_id() {
        desk.sink.keep_to(topic, id)?;
    }
    let (assigned, client) = (Arc::clone(assigned), Weak::clone(&desk.client));
    desk.sink.open(topic, Arc::new(GroupTenure { assigned, client }))
}

/// A sink that has more of a partition than there is holds records of an earlier topic of that name: going on
/// would pass over everything until the new topic has grown as long.
fn refuse_stale(assigned: &Assigned, writer: &dyn Writer, desk: &Desk) -> Option<String> {
    let resume_at = writer.resume_at()?;
    let Some(end) = desk.watermarks.end(assigned.partition) else {
        return Some("the end of the partition is not known yet".to_owned());
    };
    (resume_at > end).then(|| {
        format!(
            "holds messages of topic {} partition {} up to offset {}, but the partition ends at {end}: the topic \
             was made again; give the new topic an empty folder",
            desk.config.topic.name,
            assigned.partition,
            resume_at - 1,
        )
    })
}

fn tick(partitions: &mut BTreeMap<i32, Partition>, desk: &Desk) {
    let mut stopped = Vec::new();
    for partition in partitions.values_mut() {
        if let Err(stop) = partition.tick(desk) {
            stopped.push((Arc::clone(&partition.assigned), stop));
        }
    }
    for (assigned, stop) in stopped {
        stop_partition(partitions, &assigned, stop, desk);
    }
}

/// With a limit there is one worker, which begins no other message once it is reached.
fn check_limit(desk: &Desk) {
    if is_limit_reached(desk) && !desk.stopped.replace(true) {
        let _ = desk.notices.send(Notice::LimitReached);
    }
}

fn is_limit_reached(desk: &Desk) -> bool {
    let Some(limit) = desk.config.limit else { return false };
    let counts = desk.shared.ledger.snapshot();
    counts.accepted - counts.released >= limit
}
