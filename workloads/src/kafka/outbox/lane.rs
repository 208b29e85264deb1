//! The messages of one partition, oldest first, from the hand-over to the acknowledgement. Pure.

use std::{
    borrow::Cow,
    collections::VecDeque,
    time::{Duration, Instant},
};

use rdkafka::error::RDKafkaErrorCode;

/// How long brokers surely remember a producer of a partition; `producer.id.expiration.ms` is a day by default.
const BROKER_MEMORY: Duration = Duration::from_mins(10);

/// A header of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its value; Kafka allows none.
    pub value: Option<Cow<'static, [u8]>>,
}

/// A message and what its sender wants to have back with it.
#[derive(Clone, Debug)]
pub struct Message<T> {
    /// The key; batches and dead letters have none.
    pub key: Option<Box<[u8]>>,
    /// The value; empty in a marker.
    pub value: Box<[u8]>,
    /// The headers.
    pub headers: Vec<MessageHeader>,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The sender's own.
    pub token: T,
}

impl<T> Message<T> {
    /// What Kafka counts, nearly: key, value and headers in bytes.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        self.key.as_ref().map_or(0, |key| key.len())
            + self.value.len()
            + headers.map(|h| h.name.len() + h.value.as_ref().map_or(0, |v| v.len())).sum::<usize>()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Handed,
    Delivered,
}

/// What became of a size refusal.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// Other messages were on their way with it: each has to be tried alone.
    TryAlone,
    /// It was alone, and was taken out; the lane is blocked until something takes its place.
    AloneTooLarge(Message<T>),
}

/// One partition's messages.
#[derive(Debug)]
pub(super) struct Lane<T> {
    entries: VecDeque<(State, Message<T>)>,
    /// The number of the first entry; numbers wrap.
    first: u32,
    handed: usize,
    /// One message must get through alone before others follow: at first, after a failure, after a long rest.
    ///
    /// librdkafka believes that a broker which takes a later request has taken all earlier ones, because
    /// brokers check that numbers follow each other. But a broker that knows nothing of this producer yet takes
    /// any number: were the first of several requests refused for a moment and the second one taken, the
    /// first would be reported as delivered, and be lost.
    probing: bool,
    /// When a message was last handed over.
    used: Option<Instant>,
    /// The entry that was taken out has to be replaced first.
    blocked: bool,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        let entries = VecDeque::new();
        Self { entries, first: 0, handed: 0, probing: true, used: None, blocked: false }
    }
}

impl<T> Lane<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.blocked
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Messages that librdkafka has.
    pub(super) const fn handed(&self) -> usize {
        self.handed
    }

    pub(super) fn push(&mut self, message: Message<T>) {
        self.entries.push_back((State::Waiting, message));
    }

    /// Puts messages before all others, in their order, and unblocks the lane.
    pub(super) fn push_front(&mut self, messages: impl DoubleEndedIterator<Item = Message<T>>) {
        for message in messages.rev() {
            self.entries.push_front((State::Waiting, message));
            self.first = self.first.wrapping_sub(1);
        }
        self.blocked = false;
    }

    /// Forgets messages that librdkafka does not have and nobody wants any more. Only those behind the last that was handed
    /// over, so that the numbers of the others stay: one that failed before it is sent again.
    pub(super) fn forget(&mut self, is_unwanted: impl Fn(&T) -> bool) {
        let is_out = |(state, _): &(State, Message<T>)| *state != State::Waiting;
        let kept = self.entries.iter().rposition(is_out).map_or(0, |last| last + 1);
        let behind = self.entries.split_off(kept);
        self.entries.extend(behind.into_iter().filter(|(_, message)| !is_unwanted(&message.token)));
    }

    /// The next message to hand over, with its number.
    pub(super) fn next(&self) -> Option<(u32, &Message<T>)> {
        let index = self.next_index()?;
        Some((self.first.wrapping_add(u32::try_from(index).ok()?), &self.entries[index].1))
    }

    fn next_index(&self) -> Option<usize> {
        if self.blocked || (self.probing && self.handed > 0) {
            return None;
        }
        // Handed ones come first, so the search starts behind them.
        (self.handed..self.entries.len()).find(|index| self.entries[*index].0 == State::Waiting)
    }

    /// After a long rest the broker may have forgotten this producer: one message goes alone again.
    pub(super) fn wake(&mut self, now: Instant) {
        let is_rested = |used| now.saturating_duration_since(used) > BROKER_MEMORY;
        if self.handed == 0 && self.used.is_some_and(is_rested) {
            self.probing = true;
        }
    }

    /// The message that [`Lane::next`] gave was handed over; returns its size.
    pub(super) fn mark_handed(&mut self, now: Instant) -> usize {
        self.used = Some(now);
        let index = self.next_index().expect("`next` gave a message just now");
        self.entries[index].0 = State::Handed;
        self.handed += 1;
        self.entries[index].1.bytes()
    }

    /// Takes out the next message, and blocks the lane, if no other is before it.
    pub(super) fn take_next_if_first(&mut self) -> Option<Message<T>> {
        if self.next_index() != Some(0) {
            return None;
        }
        self.blocked = true;
        self.first = self.first.wrapping_add(1);
        self.entries.pop_front().map(|(_, message)| message)
    }

    /// Notes what was reported; returns the message's size, or `None` when it is not handed over.
    pub(super) fn settle(
        &mut self,
        number: u32,
        result: Result<(), RDKafkaErrorCode>,
    ) -> Option<usize> {
        let entry = self.entries.get_mut(number.wrapping_sub(self.first) as usize)?;
        if entry.0 != State::Handed {
            return None;
        }
        self.handed -= 1;
        entry.0 = if result.is_ok() { State::Delivered } else { State::Waiting };
        let bytes = entry.1.bytes();
        if result.is_ok() {
            self.probing = false;
        }
        Some(bytes)
    }

    /// The messages at the front that were delivered.
    pub(super) fn take_delivered(&mut self) -> impl Iterator<Item = Message<T>> {
        let count = self.entries.iter().take_while(|(state, _)| *state == State::Delivered).count();
        self.first = self.first.wrapping_add(u32::try_from(count).expect("numbers are u32"));
        self.entries.drain(..count).map(|(_, message)| message)
    }

    /// The message that was just refused for its size: if it was alone on its way, it is taken out.
    pub(super) fn refuse_alone(&mut self) -> Outcome<T> {
        if !self.probing {
            return Outcome::TryAlone;
        }
        self.take_next_if_first().map_or(Outcome::TryAlone, Outcome::AloneTooLarge)
    }

    /// Everything that was not delivered is to be handed over again, the first one alone.
    pub(super) fn rewind(&mut self) {
        for (state, _) in &mut self.entries {
            if *state == State::Handed {
                *state = State::Waiting;
            }
        }
        self.handed = 0;
        self.probing = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(token: u32) -> Message<u32> {
        Message {
            key: None,
            value: Box::from(&b"v"[..]),
            headers: Vec::new(),
            timestamp_ms: 0,
            token,
        }
    }

    /// A lane through which messages have come already.
    fn lane(tokens: &[u32]) -> Lane<u32> {
        let mut lane = Lane { probing: false, ..Lane::default() };
        for token in tokens {
            lane.push(message(*token));
        }
        lane
    }

    fn hand(lane: &mut Lane<u32>) -> Option<(u32, u32)> {
        let (number, token) = lane.next().map(|(number, message)| (number, message.token))?;
        lane.mark_handed(Instant::now());
        Some((number, token))
    }

    fn delivered(lane: &mut Lane<u32>) -> Vec<u32> {
        lane.take_delivered().map(|message| message.token).collect()
    }

    const REFUSED: Result<(), RDKafkaErrorCode> = Err(RDKafkaErrorCode::MessageSizeTooLarge);

    #[test]
    fn what_nobody_wants_is_forgotten_unless_it_is_on_its_way() {
        let mut lane = lane(&[10, 11, 12, 13]);
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((0, 10)), Some((1, 11))));
        lane.forget(|token| *token < 13);
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((2, 13)), None));
        for number in 0..3 {
            lane.settle(number, Ok(()));
        }
        assert_eq!(delivered(&mut lane), [10, 11, 13]);
    }

    #[test]
    fn what_failed_before_others_that_are_on_their_way_keeps_its_number() {
        let mut lane = lane(&[10, 11, 12, 13]);
        while hand(&mut lane).is_some_and(|(number, _)| number < 2) {}
        lane.settle(0, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
        lane.forget(|token| [10, 13].contains(token));
        assert_eq!((lane.len(), lane.handed()), (3, 2));
        lane.settle(1, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
        lane.settle(2, Ok(()));
        assert_eq!(lane.handed(), 0, "the link waits for these before it makes a new client");
        lane.rewind();
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((0, 10)), None));
        lane.settle(0, Ok(()));
        assert_eq!(hand(&mut lane), Some((1, 11)));
        lane.settle(1, Ok(()));
        assert_eq!(delivered(&mut lane), [10, 11, 12]);
    }

    #[test]
    fn messages_leave_in_order_once_all_before_them_are_delivered() {
        let mut lane = lane(&[10, 11]);
        assert_eq!(
            (hand(&mut lane), hand(&mut lane), hand(&mut lane)),
            (Some((0, 10)), Some((1, 11)), None)
        );
        lane.settle(1, Ok(()));
        assert!(delivered(&mut lane).is_empty());
        lane.settle(0, Ok(()));
        assert_eq!(delivered(&mut lane), [10, 11]);
        assert!(lane.is_empty());
    }

    #[test]
    fn after_a_failure_the_first_goes_alone_and_the_order_stays() {
        let mut lane = lane(&[10, 11, 12]);
        while hand(&mut lane).is_some() {}
        for number in 0..3 {
            lane.settle(number, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
        }
        lane.rewind();
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((0, 10)), None));
        lane.settle(0, Ok(()));
        assert_eq!(delivered(&mut lane), [10]);
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((1, 11)), Some((2, 12))));
    }

    #[test]
    fn what_was_delivered_is_not_sent_again_with_what_was_not() {
        let mut lane = lane(&[10, 11]);
        while hand(&mut lane).is_some() {}
        lane.settle(1, Ok(()));
        lane.settle(0, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
        lane.rewind();
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((0, 10)), None));
        lane.settle(0, Ok(()));
        assert_eq!((hand(&mut lane), delivered(&mut lane)), (None, vec![10, 11]));
    }

    #[test]
    fn only_what_is_refused_alone_is_taken_out() {
        let mut lane = lane(&[10, 11]);
        while hand(&mut lane).is_some() {}
        lane.settle(0, REFUSED);
        assert!(matches!(lane.refuse_alone(), Outcome::TryAlone));
        lane.settle(1, REFUSED);
        lane.rewind();
        hand(&mut lane);
        lane.settle(0, REFUSED);
        assert!(matches!(lane.refuse_alone(), Outcome::AloneTooLarge(Message { token: 10, .. })));
        assert!(lane.next().is_none(), "blocked until it is replaced");
        lane.push_front([message(1), message(2)].into_iter());
        lane.rewind();
        let mut order = Vec::new();
        while let Some((number, token)) = hand(&mut lane) {
            order.push(token);
            lane.settle(number, Ok(()));
        }
        assert_eq!(order, [1, 2, 11]);
        assert_eq!(delivered(&mut lane), [1, 2, 11]);
    }

    #[test]
    fn a_report_for_what_is_not_on_its_way_is_ignored() {
        let mut lane = lane(&[10]);
        assert_eq!(lane.settle(0, Ok(())), None);
        assert_eq!(lane.settle(7, Ok(())), None);
        assert!(delivered(&mut lane).is_empty());
    }

    #[test]
    fn a_lane_waiting_for_a_replacement_is_not_empty() {
        let mut lane = lane(&[10]);
        lane.take_next_if_first().unwrap();
        assert!(!lane.is_empty());
        lane.push_front(std::iter::empty());
        assert!(lane.is_empty());
    }

    #[test]
    fn the_first_message_of_all_goes_alone() {
        let mut lane = Lane::default();
        lane.push(message(10));
        lane.push(message(11));
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((0, 10)), None));
        lane.settle(0, Ok(()));
        assert_eq!(hand(&mut lane), Some((1, 11)));
    }

    #[test]
    fn the_first_message_after_a_long_rest_goes_alone() {
        let mut lane = lane(&[10, 11, 12, 13]);
        let begun = Instant::now();
        lane.mark_handed(begun);
        lane.wake(begun + BROKER_MEMORY * 2);
        assert!(!lane.probing, "one is on its way, so this is no rest");
        lane.settle(0, Ok(()));
        lane.wake(begun + BROKER_MEMORY);
        assert!(!lane.probing);
        lane.wake(begun + BROKER_MEMORY * 2);
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((1, 11)), None));
    }

    #[test]
    fn numbers_wrap() {
        let mut lane = lane(&[10, 11]);
        lane.first = u32::MAX;
        assert_eq!((hand(&mut lane), hand(&mut lane)), (Some((u32::MAX, 10)), Some((0, 11))));
        lane.settle(u32::MAX, Ok(()));
        lane.settle(0, Ok(()));
        assert_eq!(delivered(&mut lane), [10, 11]);
    }
}
