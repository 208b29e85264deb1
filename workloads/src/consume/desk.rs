//! What a worker has at hand, and how it shows outside that it lives and what it waits for.

use std::{
    cell::Cell,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::Sender;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{
    Config, Shared,
    assignment::Assigned,
    dead_letters::DeadLetters,
    group::Context,
    watermarks::Watermarks,
    worker::{Notice, TICK},
};
use crate::{
    admin::Beat,
    decode::{Batch, Opener},
    error::chain,
    kafka::waiting::Waiting,
    sink::{Sink, WriteError},
};

/// Who waits when the sink itself, rather than a partition, lacks something.
const SINK: &str = "sink";
/// Who waits when dead letters do.
pub(super) const LETTERS: &str = "dead letters";

/// What a worker has at hand; the same for all its partitions.
pub(super) struct Desk {
    pub(super) config: Arc<Config>,
    pub(super) shared: Shared,
    pub(super) dead_letters: DeadLetters,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) watermarks: Arc<Watermarks>,
    pub(super) client: Weak<BaseConsumer<Context>>,
    pub(super) notices: Sender<Notice>,
    pub(super) opener: Opener,
    pub(super) batch: Batch,
    pub(super) heartbeat: Beat,
    pub(super) stopped: Cell<bool>,
    /// When it was last looked whether the sink has what it needs.
    pub(super) checked: Cell<Option<Instant>>,
}

impl Desk {
    /// Shows that the worker lives, also while it waits for something outside, and now and then what the sink lacks:
    /// while it waits as well, because what it waits for may have become something else.
    pub(super) fn beat(&self) {
        self.heartbeat.tick();
        if self.checked.get().is_none_or(|checked| checked.elapsed() >= TICK) {
            self.checked.set(Some(Instant::now()));
            self.check_sink();
        }
    }

    /// Whether librdkafka may be elsewhere than where we are.
    pub(super) fn has_lost_its_place(&self) -> bool {
        self.client.upgrade().is_some_and(|client| client.context().was_suspected())
    }

    /// Waits, and shows meanwhile that the worker lives; true when `gives_up` says so before the time is over.
    pub(super) fn wait(&self, period: Duration, gives_up: impl Fn() -> bool) -> bool {
        let until = Instant::now() + period;
        while !gives_up() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.beat();
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        true
    }

    /// The sink does not take records of a partition.
    pub(super) fn stalled(&self, assigned: &Assigned, error: &WriteError) {
        self.stalled_by(assigned, error.reason(), &chain(error));
    }

    /// The same in other words.
    pub(super) fn stalled_by(&self, assigned: &Assigned, reason: &str, what: &str) {
        let what = format!("sink {}: {what}", self.sink.name());
        if self.shared.side.stalled_at(&part(assigned), reason, &what) {
            tracing::warn!(partition = assigned.partition, "{what}; trying again");
        }
    }

    /// It takes them again, or the partition is no longer ours.
    pub(super) fn clear_stalled(&self, assigned: &Assigned) {
        if self.shared.side.clear_stalled_at(&part(assigned)) {
            tracing::info!(partition = assigned.partition, "the sink is not waited for any more");
        }
    }

    /// The topic of dead letters cannot be used.
    pub(super) fn letters_wait(&self, why: &Waiting) {
        let side = &self.shared.side;
        if side.stalled_at(LETTERS, reasons::DEAD_LETTER_UNAVAILABLE, &why.what) {
            tracing::warn!("dead letters: {}; trying again", why.what);
        }
    }

    /// It can be used again.
    pub(super) fn letters_flow(&self) {
        self.shared.side.clear_stalled_at(LETTERS);
    }

    /// The sink will never take some records, which are safe elsewhere.
    pub(super) fn refused(&self, assigned: &Assigned, records: usize, why: &str) {
        let (sink, partition) = (self.sink.name(), assigned.partition);
        tracing::debug!(sink, partition, records, "refused for good: {why}");
        let what = format!("sink {sink}: {records} records were refused for good: {why}");
        self.shared.side.error(&what);
    }

    /// Tells whether the sink has what it needs, also when no partition has anything for it.
    fn check_sink(&self) {
        let (side, sink) = (&self.shared.side, self.sink.name());
        match self.sink.check() {
            Ok(()) if side.clear_stalled_at(SINK) => {
                tracing::info!("sink {sink} has what it needs");
            }
            Ok(()) => {}
            Err(error) => {
                let what = format!("sink {sink}: {}", chain(&error));
                if side.stalled_at(SINK, error.reason(), &what) {
                    tracing::warn!("{what}; trying again");
                }
            }
        }
    }
}

fn part(assigned: &Assigned) -> String {
    format!("partition {}", assigned.partition)
}
