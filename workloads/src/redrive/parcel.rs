//! Messages on their way back, and what takes the place of one that the broker refuses for its size. Pure.

use std::borrow::Cow;

use batchpipe_api::envelope::{ATTEMPTS, DEAD_LETTER};

use super::{batches::Open, letter::Place};
use crate::{
    budget::Charge,
    codec::{DecodeError, Decoder},
    kafka::outbox::{Message, MessageHeader},
    produce::{
        seal::{Sealed, Sealer},
        split::{self, Split},
    },
    receipt::Share,
};

/// What is to be done when a message was acknowledged.
#[derive(Debug)]
pub(super) enum Parcel {
    /// A message as it was before it became a letter.
    Whole {
        /// The letter.
        place: Place,
        /// Its part in its receipt.
        share: Share,
        /// Its memory.
        charge: Charge,
    },
    /// Records that were batched anew, or the marker of one.
    Batch {
        /// As a producer seals them.
        sealed: Sealed,
        /// How often they have been sent back.
        attempts: u32,
        /// The letters, one for each record.
        places: Vec<Place>,
    },
}

/// What to do about a message that is refused for its size.
pub(super) enum Refused {
    /// Send two messages.
    Halves([Message<Parcel>; 2]),
    /// The letter stays; a marker takes the number that its record was given.
    Record {
        /// The marker.
        marker: Message<Parcel>,
        /// The letter.
        place: Place,
    },
    /// The letter stays.
    Whole {
        /// The letter.
        place: Place,
        /// Its part in its receipt.
        share: Share,
    },
}

/// The headers of the message that a letter was: without the header that made it one, and with the number of times that
/// it was sent back in the place of an earlier one.
pub(super) fn original_headers(
    mut headers: Vec<MessageHeader>,
    attempts: u32,
) -> Vec<MessageHeader> {
    let ours = headers.iter().rposition(|header| header.name == DEAD_LETTER);
    if let Some(ours) = ours {
        headers.remove(ours);
    }
    headers.retain(|header| !header.name.eq_ignore_ascii_case(ATTEMPTS));
    headers.push(attempts_header(attempts));
    headers
}

fn attempts_header(attempts: u32) -> MessageHeader {
    let value = Some(Cow::Owned(attempts.to_string().into_bytes()));
    MessageHeader { name: Cow::Borrowed(ATTEMPTS), value }
}

/// Seals a batch for a partition.
pub(super) fn seal(sealer: &mut Sealer, partition: u32, open: Open) -> Message<Parcel> {
    let Open { mut batch, attempts, places } = open;
    wrap(sealer.seal(partition, &mut batch), attempts, places)
}

fn wrap(message: Message<Sealed>, attempts: u32, places: Vec<Place>) -> Message<Parcel> {
    let Message { key, value, mut headers, timestamp_ms, token: sealed } = message;
    if sealed.envelope.dead_lettered.is_none() {
        headers.push(attempts_header(attempts));
    }
    Message { key, value, headers, timestamp_ms, token: Parcel::Batch { sealed, attempts, places } }
}

/// Decides about a message that is refused for its size even alone. The error gives back a marker, which is as small as
/// a message can be.
#[expect(clippy::result_large_err, reason = "rare, and moved once")]
pub(super) fn refuse(
    message: Message<Parcel>,
    sealer: &mut Sealer,
    decoder: &mut Decoder,
) -> Result<Result<Refused, DecodeError>, Message<Parcel>> {
    let Message { key, value, headers, timestamp_ms, token } = message;
    match token {
        Parcel::Whole { place, share, .. } => Ok(Ok(Refused::Whole { place, share })),
        Parcel::Batch { sealed, attempts, places } if sealed.envelope.dead_lettered.is_some() => {
            let token = Parcel::Batch { sealed, attempts, places };
            Err(Message { key, value, headers, timestamp_ms, token })
        }
        Parcel::Batch { sealed, attempts, places } => {
            let message = Message { key, value, headers, timestamp_ms, token: sealed };
            Ok(split::split(message, sealer, decoder).map(|parts| refused(parts, attempts, places)))
        }
    }
}

fn refused(parts: Split, attempts: u32, mut places: Vec<Place>) -> Refused {
    match parts {
        Split::Halves([first, second]) => {
            let count = first.token.envelope.records as usize;
            let others = places.split_off(count.min(places.len()));
            Refused::Halves([wrap(first, attempts, places), wrap(second, attempts, others)])
        }
        Split::Record { marker, .. } => {
            let place = places.first().copied().unwrap_or(Place { partition: -1, offset: -1 });
            Refused::Record { marker: wrap(marker, attempts, Vec::new()), place }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use batchpipe_api::{codec::Codec, envelope::Incarnation, reason::Reason};

    use super::*;
    use crate::{
        batch::{Batch, Limits},
        budget::Budget,
        chunk::{Arrival, Chunk, Records, Rules},
        receipt::Receipt,
        source::Block,
    };

    fn header(name: &'static str, value: &'static str) -> MessageHeader {
        MessageHeader { name: Cow::Borrowed(name), value: Some(Cow::Borrowed(value.as_bytes())) }
    }

    fn sealer(budget: &Arc<Budget>) -> Sealer {
        Sealer::new(Codec::Zstd, None, Incarnation(7), false, Arc::clone(budget)).unwrap()
    }

    fn open(text: &str, attempts: u32) -> Open {
        let mut records = Records::default();
        let rules = Rules { validate: false, key: None };
        records.fill(&mut Block { text: text.as_bytes().to_vec(), ..Block::default() }, &rules);
        let arrival = Arrival { instant: std::time::Instant::now(), unix_ms: 5 };
        let (count, share) = (records.len(), Receipt::new().1);
        let chunk = Chunk { records, arrival, share, charge: Budget::new(1).charge_now(0) };
        let limits = Limits { max_records: 99, max_bytes: 999, linger: std::time::Duration::ZERO };
        let mut batch = Batch::default();
        batch.take(&chunk, 0, count, &limits);
        let places = (0_i64..).take(count).map(|offset| Place { partition: 0, offset }).collect();
        Open { batch, attempts, places }
    }

    fn names(message: &Message<Parcel>) -> Vec<&str> {
        message.headers.iter().map(|header| header.name.as_ref()).collect()
    }

    #[test]
    fn a_message_gets_its_own_headers_back_and_one_more() {
        let before = vec![
            header("x", "1"),
            header(DEAD_LETTER, "of an earlier life"),
            header("Batchpipe-Attempts", "1"),
            header(DEAD_LETTER, "ours"),
        ];
        let after = original_headers(before, 2);
        assert_eq!(
            after,
            [header("x", "1"), header(DEAD_LETTER, "of an earlier life"), header(ATTEMPTS, "2")]
        );
    }

    #[test]
    fn records_are_numbered_anew_and_promise_no_json() {
        let mut sealer = sealer(&Budget::new(1 << 20));
        let first = seal(&mut sealer, 3, open("a\nb", 2));
        let second = seal(&mut sealer, 3, open("c", 2));
        assert_eq!(names(&first), ["content-type", "content-encoding", "batchpipe", ATTEMPTS]);
        let Parcel::Batch { sealed, .. } = second.token else { panic!("it is a batch") };
        assert_eq!((sealed.envelope.sequence, sealed.envelope.validated), (2, false));
    }

    #[test]
    fn a_batch_that_is_too_large_is_halved_with_its_letters() {
        let (mut sealer, mut decoder) = (sealer(&Budget::new(1 << 20)), Decoder::new());
        let message = seal(&mut sealer, 0, open("a\nb\nc", 1));
        let Ok(Ok(Refused::Halves(halves))) = refuse(message, &mut sealer, &mut decoder) else {
            panic!("it has three records")
        };
        let letters = halves.map(|half| {
            assert_eq!(names(&half).last(), Some(&ATTEMPTS));
            let Parcel::Batch { places, .. } = half.token else { panic!("it is a batch") };
            places.iter().map(|place| place.offset).collect::<Vec<_>>()
        });
        assert_eq!(letters, [vec![0], vec![1, 2]]);
    }

    #[test]
    fn a_marker_takes_the_number_of_a_record_that_is_too_large() {
        let (mut sealer, mut decoder) = (sealer(&Budget::new(1 << 20)), Decoder::new());
        let message = seal(&mut sealer, 0, open("a", 1));
        let Ok(Ok(Refused::Record { marker, place })) = refuse(message, &mut sealer, &mut decoder)
        else {
            panic!("it has one record")
        };
        assert_eq!(place.offset, 0);
        assert_eq!(names(&marker), ["content-type", "content-encoding", "batchpipe"]);
        let Parcel::Batch { sealed, .. } = &marker.token else { panic!("it is a batch") };
        assert_eq!(sealed.envelope.dead_lettered, Some(Reason::RecordTooLarge));
        assert!(refuse(marker, &mut sealer, &mut decoder).is_err(), "nothing is smaller");
    }
}
