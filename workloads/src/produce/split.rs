//! What takes the place of a message that the broker refuses for its size: two halves, or, for a single record,
//! a marker and a dead letter.

use batchpipe_api::{codec::Codec, envelope::Envelope, reason::Reason};

use super::seal::{Debt, Past, Sealed, Sealer};
use crate::{
    codec::{DecodeError, Decoder},
    kafka::outbox::Message,
};

/// What to do instead.
pub(crate) enum Split {
    /// Send two messages.
    Halves([Message<Sealed>; 2]),
    /// Keep the record, which is too large alone, and send a marker in its place.
    Record {
        /// Says that the record's number was given, but not used.
        marker: Message<Sealed>,
        /// The record.
        record: Vec<u8>,
        /// What its dead letter owes.
        debt: Debt,
    },
}

/// Splits a message that was refused. Its own value is unpacked again: keeping every batch twice for the rare
/// case would cost more.
pub(crate) fn split(
    message: Message<Sealed>,
    sealer: &mut Sealer,
    decoder: &mut Decoder,
) -> Result<Split, DecodeError> {
    let Message { value, timestamp_ms, token: Sealed { envelope, codec, debt, charge }, .. } =
        message;
    let text = unpack(&value, codec, &envelope, decoder)?;
    drop((value, charge));
    if envelope.records == 1 {
        let lost = Some(Reason::RecordTooLarge);
        let envelope = Envelope {
            raw_bytes: 0,
            crc32c: None,
            validated: false,
            dead_lettered: lost,
            ..envelope
        };
        // Its chunks are safe when both are: nothing else would bring the record back.
        let past = Past { timestamp_ms, debt: debt.another() };
        let marker = sealer.marker(envelope, past);
        return Ok(Split::Record { marker, record: text, debt });
    }
    let first = envelope.records / 2;
    let middle = memchr::memchr_iter(b'\n', &text)
        .nth(first as usize - 1)
        .expect("records are joined by line ends");
    let second = envelope.sequence + u64::from(first);
    let other = Past { timestamp_ms, debt: debt.another() };
    Ok(Split::Halves([
        sealer.message(&text[..middle], envelope.sequence..second, Past { timestamp_ms, debt }),
        sealer.message(&text[middle + 1..], second..envelope.next_sequence(), other),
    ]))
}

fn unpack(
    value: &[u8],
    codec: Codec,
    envelope: &Envelope,
    decoder: &mut Decoder,
) -> Result<Vec<u8>, DecodeError> {
    let size = usize::try_from(envelope.raw_bytes).unwrap_or(usize::MAX);
    let mut text = Vec::with_capacity(size);
    decoder.decode(codec, value, size, &mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use batchpipe_api::envelope::Incarnation;

    use super::*;
    use crate::{budget::Budget, produce::seal::Debt, receipt::Receipt};

    fn sealer() -> Sealer {
        let budget = Budget::new(1024 * 1024);
        Sealer::new(Codec::Zstd, None, Incarnation(1), true, budget).unwrap()
    }

    #[test]
    fn a_batch_is_safe_when_both_of_its_halves_are() {
        let ((receipt, share), mut sealer) = (Receipt::new(), sealer());
        let past = Past { timestamp_ms: 7, debt: Debt::from(vec![share]) };
        let message = sealer.message(b"1\n2\n3", 10..13, past);
        let parts = split(message, &mut sealer, &mut Decoder::new()).unwrap();
        let Split::Halves([first, second]) = parts else { panic!("it has several records") };
        let numbers = [&first, &second].map(|half| {
            (half.token.envelope.sequence, half.token.envelope.records, half.timestamp_ms)
        });
        assert_eq!(numbers, [(10, 1, 7), (11, 2, 7)]);
        first.token.debt.settle();
        assert!(!receipt.is_settled());
        second.token.debt.settle();
        assert!(receipt.is_settled());
    }

    #[test]
    fn a_record_that_is_too_large_leaves_a_marker_and_a_letter_that_owe_what_the_batch_owed() {
        let ((receipt, share), mut sealer) = (Receipt::new(), sealer());
        let past = Past { timestamp_ms: 7, debt: Debt::from(vec![share]) };
        let message = sealer.message(b"1", 10..11, past);
        let parts = split(message, &mut sealer, &mut Decoder::new()).unwrap();
        let Split::Record { marker, record, debt } = parts else { panic!("it has one record") };
        assert_eq!((record.as_slice(), marker.value.len()), (&b"1"[..], 0));
        marker.token.debt.settle();
        assert!(!receipt.is_settled(), "the letter is not safe yet");
        debt.settle();
        assert!(receipt.is_settled());
    }
}
