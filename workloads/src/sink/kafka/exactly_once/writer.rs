//! One partition's way into transactions. A message is handed over whole; it is durable when its transaction was
//! committed, which later calls tell.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use super::{
    Desk, Letters,
    parcel::{EACH, Parcel, Record, Request},
    progress::Progress,
};
use crate::{
    budget::Charge,
    dead_letter::DeadLetter,
    key::Pointer,
    sink::{
        Carried, Delivery, Durable, Refused, WriteError, Writer,
        kafka::{cursor::Cursor, writer::find},
        tenure::Tenure,
    },
};

/// How long a call may take.
const LOOK: Duration = Duration::from_millis(100);
/// What a dead letter costs beside its value, in bytes, nearly: headers.
const LETTER: usize = 1024;

/// Hands over one partition's messages.
pub(super) struct TransactionWriter {
    desk: Arc<Desk>,
    requests: Sender<Request>,
    key: Option<Arc<Pointer>>,
    tenure: Arc<dyn Tenure>,
    progress: Arc<Progress>,
    /// Dead letters of the message that is offered next.
    letters: Vec<DeadLetter>,
    charges: Vec<Charge>,
    /// The message at hand, and which of its records were named as refused: they are dead letters by now, and what is
    /// learned of others meanwhile comes too late for it.
    named: Option<(i64, Vec<u32>)>,
}

impl TransactionWriter {
    pub(super) fn new(
        desk: Arc<Desk>,
        requests: Sender<Request>,
        key: Option<Arc<Pointer>>,
        tenure: Arc<dyn Tenure>,
    ) -> Self {
        let progress = Arc::default();
        let (letters, charges) = (Vec::new(), Vec::new());
        Self { desk, requests, key, tenure, progress, letters, charges, named: None }
    }

    fn ask(&self, request: Request) -> Result<(), WriteError> {
        let closed = |_| WriteError::Closed { target: "the thread that sends records".to_owned() };
        self.requests.send(request).map_err(closed)
    }

    /// The records of a message that are known to be refused, in order.
    fn refused(&self, delivery: &Delivery<'_>) -> Vec<Refused> {
        let (limit, refused) = {
            let known = self.desk.known();
            let limit = known.limit(Instant::now());
            let refusals = known.of(self.tenure.partition(), delivery.offset);
            (limit, refusals.map(|refusals| refusals.records.clone()).unwrap_or_default())
        };
        if limit.is_none() && refused.is_empty() {
            return Vec::new();
        }
        let is_too_large = |place: &Refused| {
            limit.is_some_and(|limit| {
                let value = &delivery.text[place.range.clone()];
                // Looked for only when it may matter: a key is part of its record.
                2 * value.len() >= limit
                    && value.len() + self.key_of(value).map_or(0, |key| key.len()) >= limit
            })
        };
        let mut cursor = Cursor::default();
        std::iter::from_fn(|| cursor.next(delivery.text, delivery.runs))
            .filter(|place| refused.contains(&place.number) || is_too_large(place))
            .collect()
    }

    /// The records of a message but for those that were named.
    fn records(&self, delivery: &Delivery<'_>) -> Vec<Record> {
        let mut cursor = Cursor::default();
        let named = self.named.iter().flat_map(|(_, numbers)| numbers);
        let mut named = named.copied().peekable();
        let record = |place: Refused| {
            let key = self.key_of(&delivery.text[place.range.clone()]);
            Record::new(place, key)
        };
        std::iter::from_fn(|| cursor.next(delivery.text, delivery.runs))
            .filter(|place| named.next_if_eq(&place.number).is_none())
            .map(record)
            .collect()
    }

    fn key_of(&self, record: &[u8]) -> Option<Box<[u8]>> {
        self.key.as_deref().and_then(|key| find(key, record))
    }

    fn hand_over(&mut self, parcel: Parcel) -> Result<Durable, WriteError> {
        self.progress.push(parcel.offset);
        self.ask(Request::Store(parcel))?;
        self.progress.durable()
    }

    fn parcel(&mut self, offset: i64, text: &[u8], records: Vec<Record>) -> Parcel {
        Parcel {
            tenure: Arc::clone(&self.tenure),
            progress: Arc::clone(&self.progress),
            offset,
            text: text.into(),
            records,
            letters: std::mem::take(&mut self.letters),
            _charges: std::mem::take(&mut self.charges),
        }
    }
}

impl Writer for TransactionWriter {
    fn write(&mut self, delivery: &Delivery<'_>, _now: Instant) -> Result<Durable, WriteError> {
        self.progress.durable()?;
        if self.named.as_ref().is_none_or(|(offset, _)| *offset != delivery.offset) {
            let refused = self.refused(delivery);
            let numbers = refused.iter().map(|place| place.number).collect();
            self.named = Some((delivery.offset, numbers));
            if !refused.is_empty() {
                let topic = &self.desk.settings.topic.name;
                let why = format!("larger than topic {topic} takes (its max.message.bytes)");
                return Err(WriteError::Refused { records: refused, why });
            }
        }
        let bytes = delivery.text.len() + EACH * delivery.records as usize;
        let Some(charge) = self.desk.room.charge(bytes, LOOK) else {
            return Err(WriteError::Unfinished { progress: false });
        };
        self.charges.push(charge);
        let records = self.records(delivery);
        let parcel = self.parcel(delivery.offset, delivery.text, records);
        self.hand_over(parcel)
    }

    fn carry(&mut self, _offset: i64, letters: Vec<DeadLetter>) -> Carried {
        if letters.is_empty() {
            return Carried::WithMessage;
        }
        let state = self.desk.letters().clone();
        if !matches!(state, Letters::Ready) {
            if self.ask(Request::PrepareLetters).is_err() {
                return Carried::Not(letters); // the thread has died; whoever writes next says so
            }
            let why = if let Letters::Waiting(why) = state { Some(why) } else { None };
            return Carried::Later(letters, why);
        }
        let bytes = letters.iter().map(|letter| letter.value.len() + LETTER).sum();
        // What the message has already may be all that there is room for.
        let charge = if self.charges.is_empty() {
            self.desk.room.charge(bytes, LOOK)
        } else {
            Some(self.desk.room.charge_now(bytes))
        };
        let Some(charge) = charge else { return Carried::Later(letters, None) };
        self.charges.push(charge);
        self.letters.extend(letters);
        Carried::WithMessage
    }

    fn skip(&mut self, offset: i64) -> Durable {
        let parcel = self.parcel(offset, &[], Vec::new());
        // When something is wrong, the next call says so; until then nothing moves.
        self.hand_over(parcel).unwrap_or(Durable::Before(offset))
    }

    fn tick(&mut self, _now: Instant) -> Result<Durable, WriteError> {
        self.progress.durable()
    }

    fn flush(&mut self) -> Result<Durable, WriteError> {
        if self.progress.durable()? == Durable::All {
            return Ok(Durable::All);
        }
        self.ask(Request::Commit)?;
        self.progress.settle(LOOK)
    }
}
