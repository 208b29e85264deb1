//! Neighbouring records on their way to the topic together, and what becomes of each.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use crossbeam_channel::Sender;

use crate::{kafka::outbox::Message, sink::Refused};

/// What a record costs beside its bytes, in bytes: our message and librdkafka's.
const EACH: usize = 256;

/// Some records of one message.
pub(super) struct Parcel {
    pub(super) items: Vec<Item>,
    pub(super) ticket: Arc<Ticket>,
}

/// One record.
pub(super) struct Item {
    pub(super) place: Refused,
    pub(super) key: Option<Box<[u8]>>,
    pub(super) value: Box<[u8]>,
}

/// What a record on its way owes to whoever waits for it.
pub(super) struct Token {
    place: Refused,
    ticket: Arc<Ticket>,
}

/// What the writer waits for.
pub(super) struct Ticket {
    /// Records whose fate is not known.
    open: AtomicU32,
    refused: Mutex<Vec<Refused>>,
    cost: usize,
    told: Sender<Outcome>,
    abandoned: Arc<AtomicBool>,
}

/// What became of a parcel: the broker has all of its records but these.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) refused: Vec<Refused>,
    /// What the parcel cost.
    pub(super) cost: usize,
}

impl Item {
    /// What it takes of memory, nearly.
    pub(super) fn cost(&self) -> usize {
        EACH + self.value.len() + self.key.as_ref().map_or(0, |key| key.len())
    }

    /// The message for the topic.
    pub(super) fn into_message(self, timestamp_ms: i64, ticket: Arc<Ticket>) -> Message<Token> {
        let Self { place, key, value } = self;
        Message { key, value, headers: Vec::new(), timestamp_ms, token: Token { place, ticket } }
    }
}

impl Parcel {
    /// Records that cost so much, of whose fate `told` hears unless it was `abandoned`.
    pub(super) fn new(
        items: Vec<Item>,
        cost: usize,
        told: Sender<Outcome>,
        abandoned: Arc<AtomicBool>,
    ) -> Self {
        let open = AtomicU32::new(u32::try_from(items.len()).unwrap_or(u32::MAX));
        let ticket = Ticket { open, refused: Mutex::default(), cost, told, abandoned };
        Self { items, ticket: Arc::new(ticket) }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ticket.is_abandoned()
    }
}

impl Token {
    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.ticket.is_abandoned()
    }

    /// The broker has the record.
    pub(super) fn settle(self) {
        self.ticket.count();
    }

    /// The broker will never take it.
    pub(super) fn refuse(self) {
        let Self { place, ticket } = self;
        ticket.refused.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        ticket.count();
    }
}

impl Ticket {
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    fn count(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = Outcome { refused: std::mem::take(&mut *refused), cost: self.cost };
        let _ = self.told.send(outcome); // nobody listens when it was abandoned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32) -> Item {
        Item { place: Refused { number, range: 0..1 }, key: None, value: b"1".as_slice().into() }
    }

    #[test]
    fn the_last_record_tells_what_became_of_all() {
        let (told, outcomes) = crossbeam_channel::unbounded();
        let parcel = Parcel::new(vec![item(3), item(4)], 9, told, Arc::default());
        let token = |item: Item| item.into_message(0, Arc::clone(&parcel.ticket)).token;
        let mut tokens: Vec<_> = [item(3), item(4)].into_iter().map(token).collect();
        tokens.pop().unwrap().refuse();
        assert!(outcomes.try_recv().is_err());
        tokens.pop().unwrap().settle();
        let outcome = outcomes.try_recv().unwrap();
        assert_eq!((outcome.refused, outcome.cost), (vec![Refused { number: 4, range: 0..1 }], 9));
    }
}
