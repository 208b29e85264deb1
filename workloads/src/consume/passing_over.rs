//! What the poll thread does about messages that nobody can read: it stays where we are until it is known which they are, and
//! goes on behind them.

use std::{sync::Arc, time::Instant};

use rdkafka::consumer::Consumer as _;

use super::{
    fetched::Fetched,
    session::{End, Session},
    unreadable::Passing,
};
use crate::{budget::Budget, kafka::probe::Unreadable};

impl Session {
    /// Something was fetched that cannot be read. Whatever librdkafka has behind it is nothing that we may go by: fetches
    /// again from where we are, until it is known what is to be passed over.
    pub(super) fn suspect(&mut self) {
        self.suspicion.arise(Instant::now());
        self.client.context().suspect();
        self.begin_anew_when_suspected();
    }

    /// Begins fetching anew when that is due.
    pub(super) fn begin_anew_when_suspected(&mut self) {
        if self.suspicion.is_fresh_start_due() {
            self.fetching.begin_anew(&self.client);
        }
    }

    /// Sends a partition back to where we are, if a message, or its end, is not what comes next: librdkafka has lost its
    /// place behind something that cannot be read. True when it did.
    pub(super) fn send_back(&mut self, partition: i32, offset: Option<i64>) -> Result<bool, End> {
        let position = || self.assignments.get(partition).map(|it| it.position());
        let Some(back) = self.suspicion.way_back(partition, offset, position) else {
            return Ok(false);
        };
        self.seek(partition, back).map_or(Ok(true), Err)
    }

    /// Hands over the offsets of messages that nobody can read, and goes on behind them.
    pub(super) fn pass_over(&mut self, passing: &Passing, queue: &Arc<Budget>) -> Option<End> {
        let Passing { assigned, position, unreadable: Unreadable { from, until, why } } = passing;
        if !self.is_current(assigned) || assigned.position() != *position {
            return None; // given back meanwhile, or it could be read after all
        }
        let (partition, last) = (assigned.partition, until - 1);
        let context = self.client.context();
        let problem = format!(
            "topic {}, partition {partition}, offsets {from} to {last} cannot be read: {why}; each is kept as a dead \
             letter without its content",
            context.topic
        );
        tracing::error!("{problem}");
        context.tell(&problem);
        for offset in *from..*until {
            self.assignments.deliver_true(partition, Fetched::unreadable(offset, queue));
        }
        // What follows may be of the same kind, and silent.
        self.client.context().suspect();
        self.seek(partition, *until)
    }
}
