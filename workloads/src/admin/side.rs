//! The facts about one side of the pipeline: what its loops note and what the server reads.
//!
//! Loops call it at most once for each batch; the counters live in the ledger and are only read here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use batchpipe_api::report::{LastError, PartitionLag, Rates, Role, Stall, WorkloadState};

use super::{
    conditions::{Gate, Gates, Stalls, one_line, words},
    facts::gates,
    heartbeat::{Beat, Heartbeats, Silent},
};
use crate::{
    batch::CloseReason,
    clock::unix_ms,
    latency::{Latency, Quantiles, Totals},
    ledger::{Counts, Ledger},
    rates::Rate,
};

/// One side of the pipeline in this process.
#[derive(Debug)]
pub struct Side {
    role: Role,
    started: Instant,
    ledger: Arc<Ledger>,
    topic: OnceLock<String>,
    codec: OnceLock<&'static str>,
    sink: OnceLock<&'static str>,
    state: Mutex<WorkloadState>,
    gates: Gates,
    stalls: Stalls,
    beats: Heartbeats,
    last_error: Mutex<Option<LastError>>,
    partitions: Mutex<Option<i32>>,
    lag: Mutex<BTreeMap<i32, PartitionLag>>,
    latency: Mutex<Latency>,
    closed: [AtomicU64; CloseReason::ALL.len()],
    rates: Mutex<[Rate; 4]>,
}

/// One gate of a side, to open or close.
#[derive(Clone, Copy, Debug)]
pub struct GateHandle<'a> {
    side: &'a Side,
    gate: Gate,
}

impl GateHandle<'_> {
    /// The condition holds.
    pub fn open(self) {
        self.side.gates.open(self.gate);
    }

    /// The condition does not hold: a reason of [`batchpipe_api::conditions::reasons`], and what is awaited
    /// in words. It shows in `/readyz` and, as something that is waited for, in the Report.
    pub fn close(self, reason: &str, what: &str) {
        self.side.gates.close(self.gate, stall(reason, what));
    }
}

/// What the loops of a side note.
impl Side {
    /// A side that begins now; nothing is known of its gates.
    pub fn new(role: Role, ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self::at(role, ledger, Instant::now()))
    }

    pub(super) fn at(role: Role, ledger: Arc<Ledger>, now: Instant) -> Self {
        let rates = measured(&ledger.snapshot()).map(|total| Rate::new(now, total));
        Self {
            role,
            started: now,
            ledger,
            topic: OnceLock::new(),
            codec: OnceLock::new(),
            sink: OnceLock::new(),
            state: Mutex::new(WorkloadState::Starting),
            gates: Gates::unknown(gates(role)),
            stalls: Stalls::default(),
            beats: Heartbeats::new(now),
            last_error: Mutex::default(),
            partitions: Mutex::default(),
            lag: Mutex::default(),
            latency: Mutex::new(Latency::new(now)),
            closed: Default::default(),
            rates: Mutex::new(rates),
        }
    }

    /// The topic of batches; the first call counts.
    pub fn set_topic(&self, topic: &str) {
        self.topic.get_or_init(|| topic.to_owned());
    }

    /// The codec, for labels; the first call counts.
    pub fn set_codec(&self, codec: &'static str) {
        self.codec.get_or_init(|| codec);
    }

    /// The kind of sink, for labels; the first call counts.
    pub fn set_sink(&self, sink: &'static str) {
        self.sink.get_or_init(|| sink);
    }

    /// What the side does now. A side that is stopping is not ready.
    pub fn set_state(&self, state: WorkloadState) {
        *lock(&self.state) = state;
    }

    /// A condition of readiness.
    pub const fn gate(&self, gate: Gate) -> GateHandle<'_> {
        GateHandle { side: self, gate }
    }

    /// The side waits for something outside: a reason of [`batchpipe_api::conditions::reasons`], and the same
    /// in words.
    pub fn stalled(&self, reason: &str, what: &str) {
        self.stalled_at("", reason, what);
    }

    /// The side goes on.
    pub fn clear_stalled(&self) {
        self.clear_stalled_at("");
    }

    /// One part of the side, such as a partition, waits for something outside. True when it did not wait before.
    pub fn stalled_at(&self, part: &str, reason: &str, what: &str) -> bool {
        self.stalls.add(part, stall(reason, what))
    }

    /// That part goes on, or is no longer ours; true when it has waited. Costs next to nothing when nothing waits.
    pub fn clear_stalled_at(&self, part: &str) -> bool {
        self.stalls.clear(part)
    }

    /// The newest error, for people; it changes nothing else.
    pub fn error(&self, message: &str) {
        *lock(&self.last_error) = Some(LastError { message: one_line(message), at_ms: unix_ms() });
    }

    /// The same, with a line in the log when it is not the newest already.
    pub fn warn(&self, message: &str) {
        let message = one_line(message);
        if self.last_error().is_none_or(|newest| newest.message != message) {
            tracing::warn!("{message}");
        }
        self.error(&message);
    }

    /// A loop that begins now; it must tick at least once a minute until the beat is dropped.
    pub fn heartbeat(&self, name: &str) -> Beat {
        self.heartbeat_at(name, Instant::now())
    }

    pub(super) fn heartbeat_at(&self, name: &str, now: Instant) -> Beat {
        self.beats.register(name, now)
    }

    /// How many partitions the topic has.
    pub fn set_partitions(&self, count: i32) {
        *lock(&self.partitions) = Some(count);
    }

    /// How far a partition is behind.
    pub fn lag(&self, lag: PartitionLag) {
        lock(&self.lag).insert(lag.partition, lag);
    }

    /// A partition is no longer ours.
    pub fn forget_lag(&self, partition: i32) {
        lock(&self.lag).remove(&partition);
    }

    /// A batch was closed.
    pub fn batch_closed(&self, reason: CloseReason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// So many records took so long.
    pub fn latency(&self, millis: u64, records: u64) {
        lock(&self.latency).record(millis, records);
    }
}

/// What the server reads.
impl Side {
    /// Which half it is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// When it began.
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// All counters at one moment.
    pub fn counts(&self) -> Counts {
        self.ledger.snapshot()
    }

    /// The topic, once it is known.
    pub fn topic(&self) -> Option<&str> {
        self.topic.get().map(String::as_str)
    }

    /// The codec, once it is known.
    pub fn codec(&self) -> Option<&'static str> {
        self.codec.get().copied()
    }

    /// The kind of sink, once it is known.
    pub fn sink(&self) -> Option<&'static str> {
        self.sink.get().copied()
    }

    /// What it does.
    pub fn state(&self) -> WorkloadState {
        *lock(&self.state)
    }

    /// Everything that is waited for.
    pub fn waiting_for(&self) -> Vec<Stall> {
        self.gates.closed().into_iter().chain(self.stalls.all()).collect()
    }

    /// The newest error.
    pub fn last_error(&self) -> Option<LastError> {
        lock(&self.last_error).clone()
    }

    /// How many partitions the topic has, once a consumer has heard.
    pub fn partitions(&self) -> Option<i32> {
        *lock(&self.partitions)
    }

    /// Lag of the partitions that are ours.
    pub fn lags(&self) -> Vec<PartitionLag> {
        lock(&self.lag).values().copied().collect()
    }

    /// Growth of the counters over the last 30 s.
    pub fn rates(&self) -> Rates {
        let [records, batches, raw_bytes, wire_bytes] =
            lock(&self.rates).each_ref().map(Rate::per_second);
        Rates {
            records_per_second: records,
            batches_per_second: batches,
            raw_bytes_per_second: raw_bytes,
            wire_bytes_per_second: wire_bytes,
        }
    }

    /// Latency quantiles of the last minutes.
    pub fn quantiles(&self) -> Option<Quantiles> {
        lock(&self.latency).quantiles()
    }

    /// Latencies since the start.
    pub fn latency_totals(&self) -> Totals {
        *lock(&self.latency).totals()
    }

    /// Batches closed so far, in the order of [`CloseReason::ALL`].
    pub fn closed(&self) -> [u64; CloseReason::ALL.len()] {
        self.closed.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// What keeps the side from being ready, a line each; nothing when it is.
    pub fn unmet(&self) -> Vec<String> {
        let mut lines = self.gates.unmet();
        lines.extend(self.stalls.all().iter().map(|stall| format!("stalled: {}", words(stall))));
        if self.state() == WorkloadState::Stopping {
            lines.push("stopping".to_owned());
        }
        lines
    }

    /// The loops that hang.
    pub fn silent(&self, now: Instant) -> Vec<Silent> {
        self.beats.silent(now)
    }

    pub(super) fn sample(&self, now: Instant) {
        let totals = measured(&self.counts());
        for (rate, total) in lock(&self.rates).iter_mut().zip(totals) {
            rate.observe(now, total);
        }
        lock(&self.latency).rotate(now);
    }
}

fn stall(reason: &str, what: &str) -> Stall {
    Stall { reason: reason.to_owned(), what: one_line(what), since_ms: unix_ms() }
}

/// The totals that rates are made of.
const fn measured(counts: &Counts) -> [u64; 4] {
    [counts.delivered, counts.batches, counts.raw_bytes, counts.wire_bytes]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{admin::state::State, budget::Budget};

    fn ready(role: Role) -> Arc<Side> {
        let side = Side::new(role, Arc::default());
        for gate in gates(role) {
            side.gate(*gate).open();
        }
        side
    }

    #[test]
    fn a_side_is_ready_when_all_its_gates_are_open() {
        assert_eq!(Side::new(Role::Consumer, Arc::default()).unmet().len(), 4);
        let side = ready(Role::Consumer);
        assert!(side.unmet().is_empty());
        side.gate(Gate::Group).close("GroupNotJoined", "group g");
        let [line] = side.unmet().try_into().unwrap();
        assert!(line.starts_with("group: group g (GroupNotJoined, since 20"), "{line}");
        assert_eq!(side.waiting_for()[0].reason, "GroupNotJoined");
    }

    #[test]
    fn a_producer_needs_no_group() {
        assert!(ready(Role::Producer).unmet().is_empty());
    }

    #[test]
    fn a_stalled_side_says_what_it_waits_for_and_since_when() {
        let side = ready(Role::Producer);
        side.stalled("PartitionClosed", "the broker at b:9092");
        let [line] = side.unmet().try_into().unwrap();
        assert!(
            line.starts_with("stalled: the broker at b:9092 (PartitionClosed, since 20"),
            "{line}"
        );
        side.clear_stalled();
        assert!(side.unmet().is_empty());
        assert!(side.waiting_for().is_empty());
    }

    #[test]
    fn a_side_that_stops_is_not_ready() {
        let side = ready(Role::Producer);
        side.set_state(WorkloadState::Completed);
        assert!(side.unmet().is_empty(), "one that is done is");
        side.set_state(WorkloadState::Stopping);
        assert_eq!(side.unmet(), ["stopping"]);
    }

    #[test]
    fn rates_come_from_the_ledger() {
        let start = Instant::now();
        let ledger = Arc::new(Ledger::new());
        let side = Arc::new(Side::at(Role::Producer, Arc::clone(&ledger), start));
        let state = State::new(Budget::new(1), vec![Arc::clone(&side)]);
        ledger.update(|counts| {
            (counts.accepted, counts.delivered, counts.batches) = (100, 100, 10);
            (counts.raw_bytes, counts.wire_bytes) = (1000, 200);
        });
        state.sample(start + Duration::from_secs(10));
        let expected = Rates {
            records_per_second: 10.0,
            batches_per_second: 1.0,
            raw_bytes_per_second: 100.0,
            wire_bytes_per_second: 20.0,
        };
        assert_eq!(side.rates(), expected);
    }
}
