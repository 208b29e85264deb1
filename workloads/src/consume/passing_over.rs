//! What the poll thread does about messages that nobody can read: it stays where we are until it is known which they are, and
//! goes on behind them.

use std::{sync::Arc, time::Instant};

use rdkafka::consumer::Consumer as _;

use super::{
    fetched::Fetched,
    session::{End, Session},
    unreadable::Unreadable,
};
use crate::budget::Budget;

impl Session {
    /// Something was fetched that cannot be read. Whatever librdkafka has behind it is nothing that we may go by: fetches
    /// again from where we are, until it is known what is to be passed over.
    pub(super) fn suspect(&mut self) {
        let now = Instant::now();
        self.suspicion.arise(now);
        self.client.context().suspect();
        if self.suspicion.is_to_begin_anew(now) {
            self.fetching.begin_anew(&self.client);
        }
    }

    /// Whether a message, or the partition's end, is not what comes next, because librdkafka lost its place behind something
    /// that cannot be read; then it is sent back to where we are.
    pub(super) fn is_sent_back(
        &mut self,
        partition: i32,
        offset: Option<i64>,
    ) -> Result<bool, End> {
        if !self.suspicion.has_arisen() {
            return Ok(false);
        }
        let Some(assigned) = self.assignments.get(partition) else { return Ok(false) };
        let (position, now) = (assigned.position(), Instant::now());
        let is_doubtful = match offset {
            Some(offset) => self.suspicion.is_astray(partition, offset, position, now),
            None => self.suspicion.is_end_doubtful(partition, position, now),
        };
        if !is_doubtful {
            return Ok(false);
        }
        self.seek(partition, position).map_or(Ok(true), Err)
    }

    /// Hands over the offsets of messages that nobody can read, and goes on behind them.
    pub(super) fn pass_over(
        &mut self,
        unreadable: &Unreadable,
        queue: &Arc<Budget>,
    ) -> Option<End> {
        let Unreadable { assigned, from, until, why } = unreadable;
        if !self.is_current(assigned) || assigned.position() != *from {
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
            self.assignments.deliver(partition, Fetched::unreadable(offset, queue));
        }
        self.seek(partition, *until)
    }
}
