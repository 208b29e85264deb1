//! What a reading does about record batches that nobody can read: finds them, and goes on behind them.

use std::time::{Duration, Instant};

use rdkafka::{Offset, consumer::Consumer as _};

use super::Reader;
use crate::{
    kafka::probe::{self, Probe},
    shutdown::Shutdown,
};

/// How long going back to an offset may take.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Messages of which nothing but the offsets is known.
#[derive(Clone, Copy, Debug)]
pub struct Unreadable {
    /// Their partition.
    pub partition: i32,
    /// The offset of the first one.
    pub from: i64,
    /// The offset after the last one.
    pub until: i64,
    /// What is wrong with them.
    pub why: &'static str,
}

impl Reader {
    /// After something came that cannot be read: what that is, in partitions that stand still since it came before. Each is
    /// read on behind it.
    pub(super) fn pass_over(&mut self, shutdown: &Shutdown) -> Vec<Unreadable> {
        let mut all = Vec::new();
        for (partition, position) in self.standing.still(self.positions.open()) {
            let probe = Probe {
                cluster: &self.cluster,
                largest: super::FETCH_BYTES,
                topic: &self.topic,
                partition,
                is_over: &|| shutdown.is_requested(),
            };
            let found = probe.unreadable(position).unwrap_or_else(|problem| {
                tracing::warn!("{problem}");
                None
            });
            if let Some(probe::Unreadable { from, until, why }) = found {
                let is_wanted = |offset: &i64| self.positions.is_wanted(partition, *offset);
                let until =
                    (from..until).take_while(is_wanted).last().map_or(from, |last| last + 1);
                if from < until {
                    all.push(Unreadable { partition, from, until, why });
                }
                self.standing.sent_on(partition, until);
                if self.positions.advance(partition, until - 1) {
                    self.pause(partition);
                }
            }
        }
        // Meanwhile librdkafka may have gone anywhere.
        for (partition, position) in self.positions.open().collect::<Vec<_>>() {
            self.seek(partition, position);
        }
        self.suspicion.arise(Instant::now());
        all
    }

    /// Sends a partition back to where we are, if a message, or its end, is not what comes next: librdkafka has lost its
    /// place behind something that cannot be read. True when it did.
    pub(super) fn send_back(&mut self, partition: i32, offset: Option<i64>) -> bool {
        let position = || self.positions.position(partition);
        let back = self.suspicion.way_back(partition, offset, position);
        if let Some(back) = back {
            self.seek(partition, back);
        }
        back.is_some()
    }

    /// Reads a partition from where we are.
    pub(super) fn seek(&mut self, partition: i32, position: i64) {
        let to = Offset::Offset(position);
        if let Err(error) = self.client.seek(&self.topic, partition, to, SEEK_TIMEOUT) {
            tracing::debug!(%error, partition, position, "cannot go back; trying again");
            self.suspicion.arise(Instant::now()); // what comes next was not asked for
        }
    }
}
