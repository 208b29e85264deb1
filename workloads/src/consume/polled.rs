//! What the poll thread does with what librdkafka gives it: a message, the end of a partition, or an error.

use batchpipe_api::conditions::reasons;
use rdkafka::{Message as _, consumer::Consumer as _, error::KafkaError, message::BorrowedMessage};

use super::{
    fetched::Fetched,
    poll::Consumer,
    session::{End, Session},
};
use crate::{
    admin::Gate,
    kafka::{jump, refusal::Refusal},
};

impl Consumer {
    /// Hands a message to its worker.
    pub(super) fn take(
        &self,
        session: &mut Session,
        message: &BorrowedMessage<'_>,
    ) -> Result<(), End> {
        let (partition, offset) = (message.partition(), message.offset());
        if session.send_back(partition, Some(offset))? {
            return Ok(());
        }
        session.flow();
        self.shared.side.gate(Gate::Topic).open();
        let copy = Fetched::copy(message, self.config.largest_value(), &self.queue);
        session.assignments.deliver(partition, copy, || {
            // What lies before the end as it was heard last is there; whatever is behind it is asked for.
            if session.watermarks.end(partition).is_some_and(|end| offset < end) {
                return Ok(());
            }
            let topic = &self.config.topic.name;
            jump::check(&session.client, topic, partition, offset).map(drop).map_err(End::Rebuild)
        })
    }

    /// The end of a partition was told.
    pub(super) fn reach(&self, session: &mut Session, partition: i32) -> Result<(), End> {
        if !session.send_back(partition, None)? {
            session.reach(partition);
            self.shared.side.gate(Gate::Topic).open();
        }
        Ok(())
    }

    /// Deals with what librdkafka says instead of a message.
    pub(super) fn note_error(&self, session: &mut Session, error: &KafkaError) -> Option<End> {
        if let Some(damage) = session.client.context().take_damage() {
            tracing::debug!(?damage, "a record batch cannot be read");
            session.suspect();
            return None;
        }
        match Refusal::of(error, &self.config.topic.name, &self.config.group) {
            Some(Refusal::TopicGone) => return Some(End::TopicGone),
            Some(Refusal::Fatal(why)) => return Some(End::Rebuild(why)),
            Some(Refusal::Reading(problem)) => {
                session.refuse();
                self.complain(Gate::Topic, reasons::AUTHORIZATION_FAILED, &problem);
            }
            Some(Refusal::Group(problem)) => {
                self.complain(Gate::Topic, reasons::AUTHORIZATION_FAILED, &problem);
            }
            Some(Refusal::Joining(problem)) => {
                self.complain(Gate::Group, reasons::GROUP_NOT_JOINED, &problem);
            }
            Some(Refusal::Storage(problem)) => self.shared.side.warn(&problem),
            None => tracing::debug!(%error, "while polling"),
        }
        None
    }

    /// The brokers refuse something; librdkafka goes on asking, and what then comes opens the gate.
    fn complain(&self, gate: Gate, reason: &'static str, problem: &str) {
        self.shared.side.warn(problem);
        self.shared.side.gate(gate).close(reason, problem);
    }
}
