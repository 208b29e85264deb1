//! One line about one message, as `name=value` pairs. Nothing of the message's own text is in it, so nothing can act on
//! a terminal. Pure.

use batchpipe_api::envelope::Envelope;
use rdkafka::{Message as _, message::BorrowedMessage};

use super::letter;
use crate::{
    dead_letter_header::DeadLetterHeader,
    decode::{Batch, Opened, Rejection},
};

/// Appends the line about a message.
pub(super) fn describe(
    message: &BorrowedMessage<'_>,
    opened: &Result<Opened, Rejection>,
    batch: &Batch,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(text(&Place::of(message), opened, batch).as_bytes());
    out.push(b'\n');
}

/// Appends the line about a dead letter.
pub(super) fn describe_letter(
    message: &BorrowedMessage<'_>,
    header: &DeadLetterHeader,
    out: &mut Vec<u8>,
) {
    let place = Place::of(message);
    let line = format!("{} wire={} {}\n", place.start(), place.wire_bytes, letter::pairs(header));
    out.extend_from_slice(line.as_bytes());
}

/// What Kafka says of a message.
struct Place {
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    wire_bytes: usize,
}

impl Place {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            wire_bytes: message.payload_len(),
        }
    }

    fn start(&self) -> String {
        let Self { partition, offset, .. } = self;
        format!("partition={partition} offset={offset} time={}", time(self.timestamp_ms))
    }
}

fn text(place: &Place, opened: &Result<Opened, Rejection>, batch: &Batch) -> String {
    let (start, wire) = (place.start(), place.wire_bytes);
    match opened {
        Ok(Opened::Tombstone) => format!("{start} wire={wire} tombstone"),
        Ok(Opened::Marker { envelope }) => {
            let reason =
                envelope.dead_lettered.map_or("unknown", batchpipe_api::reason::Reason::name);
            let (records, numbers) = (envelope.records, numbers(Some(envelope)));
            format!("{start} dead-lettered={records} reason={reason}{numbers}")
        }
        Ok(Opened::Batch { codec, envelope }) => {
            let (records, raw, numbers) =
                (batch.total(), batch.text.len(), numbers(envelope.as_ref()));
            let ratio = ratio(raw, wire);
            format!(
                "{start} codec={codec} records={records} raw={raw} wire={wire} ratio={ratio}{numbers}"
            )
        }
        Err(rejection) => {
            let (reason, numbers) = (rejection.reason, numbers(rejection.envelope.as_ref()));
            format!("{start} wire={wire} unreadable={reason}{numbers}")
        }
    }
}

fn numbers(envelope: Option<&Envelope>) -> String {
    envelope.map_or_else(String::new, |envelope| {
        format!(" incarnation={} sequence={}", envelope.incarnation, envelope.sequence)
    })
}

fn time(timestamp_ms: Option<i64>) -> String {
    let timestamp = timestamp_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    timestamp.map_or_else(|| "-".to_owned(), |timestamp| format!("{timestamp:.3}"))
}

/// Two digits after the point, rounded down.
fn ratio(raw: usize, wire: usize) -> String {
    let hundredths = raw.saturating_mul(100).checked_div(wire).unwrap_or(0);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Headers, Limits, Message, Opener};

    fn line(value: &[u8], envelope: Option<&str>) -> String {
        let limits = Limits { max_bytes: 1 << 20, max_records: 1000 };
        let headers = Headers::new(None, envelope.map(str::as_bytes));
        let mut batch = Batch::default();
        let message = Message { value: Some(value), headers };
        let opened = Opener::new().open(&message, &limits, true, &mut batch);
        let timestamp_ms = Some(1_767_225_600_123);
        let place = Place { partition: 2, offset: 40, timestamp_ms, wire_bytes: value.len() };
        text(&place, &opened, &batch)
    }

    #[test]
    fn a_batch_is_described_with_its_sizes_and_numbers() {
        let crc = crc32c::crc32c(b"{}\n{}");
        let envelope = format!("v=1;n=2;b=5;c={crc:08x};p=0f3a5c7e9b1d2f48;s=88000;j=1");
        assert_eq!(
            line(b"{}\n{}", Some(&envelope)),
            "partition=2 offset=40 time=2026-01-01T00:00:00.123Z codec=none records=2 raw=5 wire=5 ratio=1.00 \
             incarnation=0f3a5c7e9b1d2f48 sequence=88000"
        );
    }

    #[test]
    fn a_message_that_cannot_be_read_says_why_and_shows_nothing_of_itself() {
        let shown = line(b"\x1b[31m\0\0", None);
        assert_eq!(
            shown,
            "partition=2 offset=40 time=2026-01-01T00:00:00.123Z wire=7 unreadable=corrupt"
        );
    }

    #[test]
    fn messages_without_records_say_so() {
        assert!(line(b"", None).ends_with(" wire=0 tombstone"));
        let marker = "v=1;n=3;b=0;p=00000000000000aa;s=7;x=newline";
        let expected = " dead-lettered=3 reason=newline incarnation=00000000000000aa sequence=7";
        assert!(line(b"", Some(marker)).ends_with(expected));
    }

    #[test]
    fn a_time_that_is_no_time_is_a_dash() {
        assert_eq!(time(None), "-");
        assert_eq!(time(Some(i64::MAX)), "-");
    }

    #[test]
    fn ratios_have_two_digits() {
        assert_eq!([ratio(680, 100), ratio(1, 3), ratio(5, 0)], ["6.80", "0.33", "0.00"]);
    }
}
