//! One partition's way to the topic. A call hands over what there is room for and waits a moment for what the broker has
//! acknowledged, so whoever calls can stop at any time; what of a message is done is kept between calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};

use super::{
    courier::Courier,
    cursor::Cursor,
    parcel::{Item, Outcome, Parcel},
};
use crate::{
    key::Pointer,
    sink::{Delivery, Durable, Refused, WriteError, Writer},
};

/// How long a call may take.
const LOOK: Duration = Duration::from_millis(100);
/// The most that is handed over together, unless a single record is larger, in bytes.
const PARCEL: usize = 64 * 1024;
/// No more is handed over while so much is on its way, in bytes.
const ON_THEIR_WAY: usize = 2 * 1024 * 1024;

/// Sends one partition's messages.
pub(super) struct KafkaWriter {
    courier: Courier,
    topic: Arc<str>,
    key: Option<Arc<Pointer>>,
    work: Option<Work>,
}

/// The message at hand.
struct Work {
    offset: i64,
    cursor: Cursor,
    /// Parcels whose fate is not known.
    parcels: usize,
    /// What these cost.
    cost: usize,
    refused: Vec<Refused>,
    told: Sender<Outcome>,
    outcomes: Receiver<Outcome>,
    abandoned: Arc<AtomicBool>,
    courier: Courier,
}

impl KafkaWriter {
    pub(super) const fn new(courier: Courier, topic: Arc<str>, key: Option<Arc<Pointer>>) -> Self {
        Self { courier, topic, key, work: None }
    }

    /// The message's state, from earlier calls if there were any.
    fn take_work(&mut self, delivery: &Delivery<'_>) -> Work {
        let known = self.work.take().filter(|work| work.offset == delivery.offset);
        known.unwrap_or_else(|| {
            let (told, outcomes) = crossbeam_channel::unbounded();
            Work {
                offset: delivery.offset,
                cursor: Cursor::default(),
                parcels: 0,
                cost: 0,
                refused: Vec::new(),
                told,
                outcomes,
                abandoned: Arc::default(),
                courier: self.courier.clone(),
            }
        })
    }
}

impl Writer for KafkaWriter {
    fn write(&mut self, delivery: &Delivery<'_>, _now: Instant) -> Result<Durable, WriteError> {
        let mut work = self.take_work(delivery);
        let outcome = work.advance(delivery, self.key.as_deref(), &self.topic);
        if outcome.is_err() {
            self.work = Some(work);
        }
        outcome
    }
}

impl Work {
    /// Hands over what there is room for, and takes in what is known.
    fn advance(
        &mut self,
        delivery: &Delivery<'_>,
        key: Option<&Pointer>,
        topic: &str,
    ) -> Result<Durable, WriteError> {
        let until = Instant::now() + LOOK;
        let mut progress = false;
        loop {
            while self.cost < ON_THEIR_WAY && !self.cursor.is_at_end(delivery.runs) {
                self.hand_over(delivery, key)?;
            }
            if self.parcels == 0 {
                return self.finish(topic);
            }
            let Ok(outcome) = self.outcomes.recv_deadline(until) else {
                return Err(WriteError::Unfinished { progress });
            };
            self.take(outcome);
            progress = true;
        }
    }

    fn hand_over(
        &mut self,
        delivery: &Delivery<'_>,
        key: Option<&Pointer>,
    ) -> Result<(), WriteError> {
        let (mut items, mut cost) = (Vec::new(), 0);
        while cost < PARCEL
            && let Some(place) = self.cursor.next(delivery.text, delivery.runs)
        {
            let value = &delivery.text[place.range.clone()];
            let item =
                Item { key: key.and_then(|key| find(key, value)), value: value.into(), place };
            cost += item.cost();
            items.push(item);
        }
        let abandoned = Arc::clone(&self.abandoned);
        if !self.courier.send(Parcel::new(items, cost, self.told.clone(), abandoned)) {
            return Err(WriteError::Closed { target: "the thread that sends records".to_owned() });
        }
        self.parcels += 1;
        self.cost += cost;
        Ok(())
    }

    fn take(&mut self, outcome: Outcome) {
        self.parcels -= 1;
        self.cost -= outcome.cost;
        self.refused.extend(outcome.refused);
    }

    /// Everything has its fate.
    fn finish(&mut self, topic: &str) -> Result<Durable, WriteError> {
        if self.refused.is_empty() {
            return Ok(Durable::All);
        }
        let mut records = std::mem::take(&mut self.refused);
        records.sort_unstable_by_key(|record| record.number);
        let why = format!("larger than topic {topic} takes (its max.message.bytes)");
        Err(WriteError::Refused { records, why })
    }
}

impl Drop for Work {
    /// Whoever gets the partition next sends again what is not acknowledged.
    fn drop(&mut self) {
        if self.parcels > 0 {
            self.abandoned.store(true, Ordering::Release);
            self.courier.forget();
        }
    }
}

/// The key of a record, if it has one.
pub(super) fn find(key: &Pointer, record: &[u8]) -> Option<Box<[u8]>> {
    let record = std::str::from_utf8(record).ok()?;
    let found = key.key(record).ok()??;
    Some(found.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unescaped_strings_and_scalars_as_they_stand() {
        let key = |record: &str| {
            let found = find(&Pointer::parse("/id").unwrap(), record.as_bytes());
            found.map(|key| String::from_utf8(key.into()).unwrap())
        };
        assert_eq!(key(r#"{"id":"a\u0062\n"}"#).as_deref(), Some("ab\n"));
        assert_eq!(key(r#"{"id":1.50}"#).as_deref(), Some("1.50"));
        assert_eq!(key(r#"{"id":""}"#).as_deref(), Some(""));
        for record in ["1", r#"{"id":null}"#, r#"{"id":[1]}"#, r#"{"di":1}"#] {
            assert_eq!(key(record), None, "{record}");
        }
    }
}
