//! The facts about one side of the pipeline: what its loops note and what the server reads.
//!
//! Loops call it at most once for each batch; the counters live in the ledger and are only read here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use super::{
    conditions::{Gate, GateHandle, Gates, Stall, Stalls, one_line},
    facts::{CloseReason, Lag, LastError, Phase, Rates, Role, moment},
    heartbeat::{Beat, Heartbeats, Silent},
};
use crate::{
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
    codec: OnceLock<&'static str>,
    sink: OnceLock<&'static str>,
    phase: Mutex<Phase>,
    gates: Gates,
    stalls: Stalls,
    beats: Heartbeats,
    last_error: Mutex<Option<LastError>>,
    lag: Mutex<BTreeMap<i32, Lag>>,
    latency: Mutex<Latency>,
    closed: [AtomicU64; CloseReason::ALL.len()],
    rates: Mutex<[Rate; 3]>,
}

/// What the loops of a side note.
impl Side {
    /// A side that begins now, with all its gates closed.
    pub fn new(role: Role, ledger: Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self::at(role, ledger, Instant::now()))
    }

    fn at(role: Role, ledger: Arc<Ledger>, now: Instant) -> Self {
        let counts = ledger.snapshot();
        let rates = measured(&counts).map(|total| Rate::new(now, total));
        Self {
            role,
            started: now,
            ledger,
            codec: OnceLock::new(),
            sink: OnceLock::new(),
            phase: Mutex::default(),
            gates: Gates::closed(role.gates()),
            stalls: Stalls::default(),
            beats: Heartbeats::new(now),
            last_error: Mutex::default(),
            lag: Mutex::default(),
            latency: Mutex::new(Latency::new(now)),
            closed: Default::default(),
            rates: Mutex::new(rates),
        }
    }

    /// The codec, for labels; the first call counts.
    pub fn set_codec(&self, codec: &'static str) {
        let _ = self.codec.set(codec);
    }

    /// The kind of sink, for labels; the first call counts.
    pub fn set_sink(&self, sink: &'static str) {
        let _ = self.sink.set(sink);
    }

    /// What the side is doing now. A side that is stopping is not ready.
    pub fn set_phase(&self, phase: Phase) {
        *lock(&self.phase) = phase;
    }

    /// A condition of readiness, to open or close.
    pub const fn gate(&self, gate: Gate) -> GateHandle<'_> {
        self.gates.handle(gate)
    }

    /// The side waits for something outside.
    pub fn stalled(&self, what: &str) {
        self.stalled_at("", what);
    }

    /// The side goes on.
    pub fn clear_stalled(&self) {
        self.clear_stalled_at("");
    }

    /// One part of the side, such as a partition, waits for something outside.
    pub fn stalled_at(&self, part: &str, what: &str) {
        self.stalls.add(part, what, unix_millis());
    }

    /// That part goes on, or is no longer ours. Costs next to nothing when nothing waits.
    pub fn clear_stalled_at(&self, part: &str) {
        self.stalls.clear(part);
    }

    /// The newest error, for people; it changes nothing else.
    pub fn error(&self, message: &str) {
        *lock(&self.last_error) =
            Some(LastError { message: one_line(message), at_ms: unix_millis() });
    }

    /// A loop that begins now; it must tick at least once a minute until the beat is dropped.
    pub fn heartbeat(&self, name: &str) -> Beat {
        self.beats.register(name, Instant::now())
    }

    /// How far a partition is behind.
    pub fn lag(&self, partition: i32, lag: Lag) {
        lock(&self.lag).insert(partition, lag);
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

    /// The codec, once it is known.
    pub fn codec(&self) -> Option<&'static str> {
        self.codec.get().copied()
    }

    /// The kind of sink, once it is known.
    pub fn sink(&self) -> Option<&'static str> {
        self.sink.get().copied()
    }

    /// What it is doing.
    pub fn phase(&self) -> Phase {
        *lock(&self.phase)
    }

    /// What is waited for longest.
    pub fn oldest_stall(&self) -> Option<Stall> {
        self.stalls.oldest()
    }

    /// The newest error.
    pub fn last_error(&self) -> Option<LastError> {
        lock(&self.last_error).clone()
    }

    /// Lag of the partitions that are ours.
    pub fn lags(&self) -> BTreeMap<i32, Lag> {
        lock(&self.lag).clone()
    }

    /// Growth of the counters over the last 30 s.
    pub fn rates(&self) -> Rates {
        let [records, raw_bytes, wire_bytes] = &*lock(&self.rates);
        Rates {
            records: records.per_second(),
            raw_bytes: raw_bytes.per_second(),
            wire_bytes: wire_bytes.per_second(),
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
        let gates =
            self.gates.unmet().into_iter().map(|(gate, why)| format!("{}: {why}", gate.name()));
        let stalls = self.stalls.all().into_iter();
        let stalls =
            stalls.map(|stall| format!("stalled: {} since {}", stall.what, moment(stall.since_ms)));
        let stopping = (self.phase() == Phase::Stopping).then(|| "stopping".to_owned());
        gates.chain(stalls).chain(stopping).collect()
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

/// The totals that rates are made of.
const fn measured(counts: &Counts) -> [u64; 3] {
    [counts.delivered, counts.raw_bytes, counts.wire_bytes]
}

fn unix_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{admin::state::State, budget::Budget};

    fn open_all(side: &Side) {
        side.role().gates().iter().for_each(|gate| side.gate(*gate).open());
    }

    #[test]
    fn a_side_is_ready_when_all_its_gates_are_open() {
        let side = Side::new(Role::Consumer, Arc::default());
        assert_eq!(side.unmet().len(), 4);
        open_all(&side);
        assert!(side.unmet().is_empty());
        side.gate(Gate::Group).close("group g: not a member");
        assert_eq!(side.unmet(), ["group: group g: not a member"]);
    }

    #[test]
    fn a_stalled_side_says_what_it_waits_for_and_since_when() {
        let side = Side::new(Role::Producer, Arc::default());
        open_all(&side);
        side.stalled("the broker at b:9092");
        let [line] = side.unmet().try_into().unwrap();
        assert!(line.starts_with("stalled: the broker at b:9092 since 20"), "{line}");
        side.clear_stalled();
        assert!(side.unmet().is_empty());
    }

    #[test]
    fn a_side_that_stops_is_not_ready() {
        let side = Side::new(Role::Producer, Arc::default());
        open_all(&side);
        side.set_phase(Phase::Stopping);
        assert_eq!(side.unmet(), ["stopping"]);
    }

    #[test]
    fn rates_come_from_the_ledger() {
        let start = Instant::now();
        let ledger = Arc::new(Ledger::new());
        let side = Arc::new(Side::at(Role::Producer, Arc::clone(&ledger), start));
        let state = State::new(Budget::new(1), vec![Arc::clone(&side)]);
        ledger.update(|counts| {
            (counts.delivered, counts.raw_bytes, counts.wire_bytes) = (100, 1000, 200)
        });
        state.sample(start + Duration::from_secs(10));
        assert_eq!(side.rates(), Rates { records: 10.0, raw_bytes: 100.0, wire_bytes: 20.0 });
    }
}
