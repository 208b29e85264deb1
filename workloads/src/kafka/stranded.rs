//! A client that gets no answer from brokers which answer others: librdkafka has been seen not to connect any more after a
//! broker was away. Nothing but a new client helps then. Asks with a client of its own, in a thread of its own.

use std::{
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError};

use super::{awaiting, client::Cluster};

/// How long a client may take to find its brokers again by itself: thrice the longest wait between two of its attempts.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait between two questions.
const PERIOD: Duration = Duration::from_secs(10);
/// How often others have to be answered in a row: brokers may have come back a moment ago.
const ANSWERS: u32 = 2;

/// Why the client is made anew.
pub(crate) const STRANDED: &str = "brokers answer others, but not this client";

/// What is known of a client that gets no answer.
#[derive(Debug, Default)]
pub(crate) struct Stranded {
    /// Since when it gets none.
    since: Option<Instant>,
    /// When the last question was asked.
    asked: Option<Instant>,
    /// Where the answer comes in: whether there was one.
    answer: Option<Receiver<bool>>,
    answers: u32,
}

impl Stranded {
    /// Whether others have been answered for a while in which the client was not. To be asked all the time; `is_away`: whether
    /// the client gets no answer now.
    pub(crate) fn is_found(&mut self, is_away: bool, cluster: &Cluster, topic: &str) -> bool {
        self.look(is_away, Instant::now(), || {
            let (sender, answer) = crossbeam_channel::bounded(1);
            let (cluster, topic) = (cluster.clone(), topic.to_owned());
            thread::spawn(move || {
                // A topic that is missing is an answer too, but not one to begin anew for.
                let _ = sender.send(awaiting::partitions(&cluster, topic).is_ok()); // nobody listens at the end
            });
            answer
        })
    }

    fn look(&mut self, is_away: bool, now: Instant, ask: impl FnOnce() -> Receiver<bool>) -> bool {
        if !is_away {
            *self = Self::default();
            return false;
        }
        let since = *self.since.get_or_insert(now);
        if let Some(answer) = &self.answer {
            match answer.try_recv() {
                Ok(true) => self.answers += 1,
                Ok(false) | Err(TryRecvError::Disconnected) => self.answers = 0,
                Err(TryRecvError::Empty) => return false,
            }
            self.answer = None;
        }
        let is_due = self.asked.is_none_or(|asked| now.duration_since(asked) >= PERIOD);
        if self.answers < ANSWERS && is_due && now.duration_since(since) >= PATIENCE {
            self.asked = Some(now);
            self.answer = Some(ask());
        }
        self.answers >= ANSWERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(answer: bool) -> Receiver<bool> {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        sender.send(answer).unwrap();
        receiver
    }

    fn unasked() -> Receiver<bool> {
        panic!("it is too early to ask")
    }

    #[test]
    fn a_client_is_stranded_when_others_were_answered_twice_in_a_row() {
        let (mut stranded, now) = (Stranded::default(), Instant::now());
        assert!(!stranded.look(true, now, unasked));
        assert!(!stranded.look(true, now + PATIENCE / 2, unasked));
        let asked = now + PATIENCE;
        for (step, answer) in (0..).zip([true, false, true, true]) {
            let at = asked + step * PERIOD;
            assert!(!stranded.look(true, at, || answered(answer)), "{step}");
            assert_eq!(stranded.look(true, at + PERIOD / 2, unasked), step == 3, "{step}");
        }
    }

    #[test]
    fn an_answer_that_does_not_come_is_awaited_and_one_of_its_own_ends_it() {
        let (mut stranded, now) = (Stranded::default(), Instant::now());
        let (sender, receiver) = crossbeam_channel::bounded(1);
        assert!(!stranded.look(true, now, unasked));
        assert!(!stranded.look(true, now + PATIENCE, || receiver));
        assert!(!stranded.look(true, now + PATIENCE + 3 * PERIOD, unasked));
        sender.send(true).unwrap();
        assert!(!stranded.look(false, now + PATIENCE + 4 * PERIOD, unasked));
        assert!(!stranded.look(true, now + PATIENCE + 5 * PERIOD, unasked), "counted anew");
    }
}
