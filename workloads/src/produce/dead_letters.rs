//! The producer's dead letters: records that were never sent, kept in the dead-letter topic with their reason.
//!
//! The connection is made when the first one is needed; most producers never do.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use batchpipe_api::reason::Reason;

use super::seal::Debt;
use crate::{
    budget::{Budget, Charge},
    chunk::{Place, Reject},
    clock::unix_ms,
    dead_letter::{self, DeadLetter, Token},
    dead_letter_header::DeadLetterHeader,
    kafka::outbox::{Event, Health, Outbox, Report, Reports, Settings},
    ledger::Ledger,
};

/// How many letters may be on their way.
const MOST_LETTERS: usize = 1000;
/// What a record that waits costs beside its bytes, roughly, in bytes.
const REJECT_COST: usize = 192;
/// Partition and offset of what was never in the topic.
const NOWHERE: (i32, i64) = (-1, -1);

/// What a dead letter owes, and the memory that it holds.
struct Owed {
    debt: Debt,
    #[expect(
        dead_code,
        reason = "held for its memory; given back when the letter is acknowledged"
    )]
    charge: Charge,
}

/// Where a record comes from: in a topic of batches it never was.
fn origin(reject: &Reject, topic: &str) -> DeadLetterHeader {
    let Some(Place { topic, partition, offset }) = &reject.place else {
        return DeadLetterHeader::new(reject.reason, topic, NOWHERE.0, NOWHERE.1);
    };
    let whole = DeadLetterHeader::new(reject.reason, topic, *partition, *offset);
    DeadLetterHeader { truncated: Some(reject.size), ..whole }
}

/// Sends dead letters.
pub(super) struct DeadLetters {
    outbox: Outbox<Token<Owed>>,
    /// The topic that the records were meant for.
    topic: String,
    budget: Arc<Budget>,
    used: bool,
    /// Records that are no letters yet: a letter is several times as large as a small record.
    waiting: VecDeque<(Reject, Owed)>,
    events: Vec<Event<Token<Owed>>>,
}

impl DeadLetters {
    pub(super) fn new(settings: Settings, topic: String, budget: Arc<Budget>) -> Self {
        Self {
            outbox: Outbox::new(settings),
            topic,
            budget,
            used: false,
            waiting: VecDeque::new(),
            events: Vec::new(),
        }
    }

    pub(super) fn reports(&self) -> Reports {
        self.outbox.reports()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.outbox.is_empty()
    }

    /// Letters that were sent again although the first one may have arrived.
    pub(super) const fn resent(&self) -> u64 {
        self.outbox.resent()
    }

    /// Whether dead letters flow, or none has occurred.
    pub(super) fn health(&self) -> Health {
        if self.used { self.outbox.health() } else { Health::Flowing }
    }

    /// Keeps one record.
    pub(super) fn push(&mut self, reject: Reject, debt: Debt) {
        self.used = true;
        let charge = self.budget.charge_now(reject.bytes.len() + REJECT_COST);
        self.waiting.push_back((reject, Owed { debt, charge }));
    }

    /// Makes letters of what waits, as many as may be on their way.
    fn make_letters(&mut self) {
        let room = MOST_LETTERS.saturating_sub(self.outbox.len()).min(self.waiting.len());
        for (reject, owed) in self.waiting.drain(..room) {
            let origin = origin(&reject, &self.topic);
            let letter =
                DeadLetter { value: reject.bytes, size: reject.size, headers: Vec::new(), origin };
            self.outbox.push(0, letter.into_message(unix_ms(), owed));
        }
    }

    pub(super) fn report(&mut self, report: Report, ledger: &Ledger) {
        self.outbox.report(report, &mut self.events);
        self.settle(ledger);
    }

    /// Sends what waits; says when to call again.
    pub(super) fn pump(&mut self, now: Instant, ledger: &Ledger) -> Option<Instant> {
        if !self.used {
            return None;
        }
        self.make_letters();
        let again = self.outbox.pump(now, &mut self.events);
        let is_ready = !self.waiting.is_empty() && self.outbox.len() < MOST_LETTERS;
        if self.settle(ledger) || is_ready { Some(now) } else { again }
    }

    /// Deals with what happened; true when there is more to send.
    fn settle(&mut self, ledger: &Ledger) -> bool {
        let mut more = false;
        for event in self.events.drain(..) {
            match event {
                Event::Delivered(message) => {
                    let reason: Reason = message.token.origin.reason;
                    ledger.update(|counts| counts.add_dead_letters(reason, 1));
                    message.token.inner.debt.settle();
                }
                Event::TooLarge { partition, message } => {
                    match dead_letter::shorten(message) {
                        Ok(shorter) => self.outbox.replace(partition, std::iter::once(shorter)),
                        Err(smallest) => self.outbox.put_back(partition, smallest),
                    }
                    more = true;
                }
            }
        }
        more
    }
}
