//! The anatomy of one message: what `batchpipe inspect` shows.
//!
//! Pure: bytes in, values and text out. Text from the message is shown with control characters escaped, so
//! that looking at a message cannot change the terminal.

use std::{fmt, fmt::Write as _};

use batchpipe_api::{codec::Codec, reason::Reason};
use serde::Serialize;

use crate::{
    codec::sniff,
    decode::{Batch, Limits, Message, Opened, Opener},
    lines,
};

/// How many characters of the first record are shown.
const PREVIEW_CHARACTERS: usize = 200;
/// How many bad records are listed one by one.
const LISTED_PROBLEMS: usize = 10;

/// What a message is made of; what could not be found out is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Anatomy {
    /// The codec that the headers name, or else the one that the first bytes speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// Size of the value in bytes.
    pub value_bytes: u64,
    /// Size after decompression in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_bytes: Option<u64>,
    /// Raw size by value size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Number of records, good and bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u32>,
    /// Sizes of records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_bytes: Option<RecordBytes>,
    /// The first record, shortened, with control characters escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_record: Option<String>,
    /// What is wrong, in words; empty for a flawless message.
    pub problems: Vec<String>,
}

/// Sizes of records in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RecordBytes {
    /// The smallest.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: u64,
}

/// Takes a message apart; for a value alone, with default headers, its first bytes tell the codec.
pub fn inspect(message: &Message<'_>, limits: &Limits) -> Anatomy {
    let value = message.value.unwrap_or_default();
    let mut anatomy = Anatomy {
        codec: message.headers.codec().ok().map(|named| named.unwrap_or_else(|| sniff(value))),
        value_bytes: value.len() as u64,
        raw_bytes: None,
        ratio: None,
        records: None,
        record_bytes: None,
        first_record: None,
        problems: Vec::new(),
    };
    let mut batch = Batch::default();
    match Opener::new().open(message, limits, true, &mut batch) {
        Ok(Opened::Batch { .. }) => anatomy.describe(&batch),
        Ok(Opened::Tombstone) => {
            anatomy.problems.push("the value is empty: a tombstone".to_owned());
        }
        Ok(Opened::Marker { envelope }) => {
            anatomy.records = Some(envelope.records);
            anatomy.problems.push("the value is empty: its records were dead-lettered".to_owned());
        }
        Err(rejection) => anatomy.problems.push(explain(rejection.reason, limits)),
    }
    anatomy
}

impl Anatomy {
    fn describe(&mut self, batch: &Batch) {
        let text = &batch.text;
        self.raw_bytes = Some(text.len() as u64);
        self.ratio = Some(quotient(text.len() as u64, self.value_bytes));
        self.records = Some(batch.total());
        let mut records = lines::lines(text)
            .map(|line| &text[line])
            .filter(|line| !lines::is_blank(line))
            .peekable();
        self.first_record = records.peek().map(|record| preview(record));
        self.record_bytes = sizes(records.map(|record| record.len() as u64));
        if batch.total() == 0 {
            self.problems.push("there are no records in it".to_owned());
        }
        for bad in batch.bad.iter().take(LISTED_PROBLEMS) {
            let record = preview(&text[bad.range.clone()]);
            self.problems.push(format!("record {} is {}: {record}", bad.index, bad.reason));
        }
        if let Some(more @ 1..) = batch.bad.len().checked_sub(LISTED_PROBLEMS) {
            self.problems.push(format!("{more} more records are not JSON"));
        }
    }
}

fn sizes(records: impl Iterator<Item = u64>) -> Option<RecordBytes> {
    let (mut count, mut sum, mut min, mut max) = (0, 0, u64::MAX, 0);
    for bytes in records {
        count += 1;
        sum += bytes;
        min = min.min(bytes);
        max = max.max(bytes);
    }
    (count > 0).then(|| RecordBytes { min, mean: quotient(sum, count), max })
}

#[expect(clippy::cast_precision_loss, reason = "shown to a few digits; sizes are far below 2^52")]
fn quotient(dividend: u64, divisor: u64) -> f64 {
    dividend as f64 / divisor as f64
}

fn explain(reason: Reason, limits: &Limits) -> String {
    match reason {
        Reason::Corrupt => {
            "corrupt: damaged, or followed by bytes that do not belong to it".to_owned()
        }
        Reason::Truncated => "truncated: the data ends too early".to_owned(),
        Reason::TooLarge => {
            format!("too_large: more than {} bytes after decompression", limits.max_bytes)
        }
        Reason::TooManyRecords => {
            format!("too_many_records: more than {} records", limits.max_records)
        }
        Reason::UnsupportedCodec => {
            "unsupported_codec: unknown content-encoding, or a dictionary is needed".to_owned()
        }
        Reason::UnsupportedVersion => {
            "unsupported_version: the envelope is of a later version".to_owned()
        }
        Reason::IntegrityMismatch => {
            "integrity_mismatch: records, size or checksum differ from the envelope".to_owned()
        }
        other => other.to_string(),
    }
}

/// The start of a record for a terminal or a log: one line, nothing in it acts on the terminal.
pub fn preview(record: &[u8]) -> String {
    // A character takes at most 4 bytes; more need not be looked at.
    let start = &record[..record.len().min(4 * (PREVIEW_CHARACTERS + 1))];
    let text = String::from_utf8_lossy(start);
    let mut shown = String::new();
    for character in text.chars().take(PREVIEW_CHARACTERS) {
        if is_harmless(character) {
            shown.push(character);
        } else {
            _ = write!(shown, "\\u{{{:x}}}", u32::from(character)); // writing to a String cannot fail
        }
    }
    if text.chars().nth(PREVIEW_CHARACTERS).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Not a control character, a line separator or a change of the text's direction.
fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for Anatomy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(codec) = self.codec {
            writeln!(f, "codec         {codec}")?;
        }
        writeln!(f, "value         {} bytes", self.value_bytes)?;
        if let (Some(raw), Some(ratio)) = (self.raw_bytes, self.ratio) {
            writeln!(f, "raw           {raw} bytes ({ratio:.1}x)")?;
        }
        if let Some(records) = self.records {
            writeln!(f, "records       {records}")?;
        }
        if let Some(RecordBytes { min, mean, max }) = self.record_bytes {
            writeln!(f, "record bytes  {min} least, {mean:.1} mean, {max} most")?;
        }
        if let Some(first) = &self.first_record {
            writeln!(f, "first record  {first}")?;
        }
        for problem in &self.problems {
            writeln!(f, "problem       {problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoder;

    const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_records: 1000 };

    fn inspect_value(value: &[u8]) -> Anatomy {
        inspect(&Message { value: Some(value), ..Message::default() }, &LIMITS)
    }

    #[test]
    fn a_flawless_message_is_shown_with_its_sizes() {
        let text = "{\"id\":1,\"name\":\"a\"}\n".repeat(99) + "{\"id\":1}";
        let mut value = Vec::new();
        Encoder::new(Codec::Zlib, None).unwrap().encode(text.as_bytes(), &mut value);
        let anatomy = inspect_value(&value);
        assert_eq!(anatomy.codec, Some(Codec::Zlib));
        assert_eq!(anatomy.raw_bytes, Some(99 * 20 + 8));
        assert_eq!(anatomy.records, Some(100));
        assert_eq!(anatomy.record_bytes, Some(RecordBytes { min: 8, mean: 18.89, max: 19 }));
        assert!(anatomy.problems.is_empty());
        let shown = anatomy.to_string();
        assert!(shown.contains("first record  {\"id\":1,\"name\":\"a\"}\n"), "{shown}");
        let json = serde_json::to_value(&anatomy).unwrap();
        assert_eq!(json["codec"], "zlib");
        assert_eq!(json["recordBytes"]["max"], 19);
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        assert_eq!(inspect_value(b"").problems, ["the value is empty: a tombstone"]);
        let anatomy = inspect_value(b"\x1f\x8b\x08");
        assert_eq!(anatomy.problems, ["truncated: the data ends too early"]);
        assert_eq!((anatomy.codec, anatomy.raw_bytes), (Some(Codec::Gzip), None));
        let bad = inspect_value(("1\n".to_owned() + &"x\n".repeat(12)).as_bytes()).problems;
        assert_eq!(bad[0], "record 1 is invalid_json: x");
        assert_eq!(bad[10], "2 more records are not JSON");
    }

    #[test]
    fn nothing_that_is_shown_acts_on_the_terminal() {
        let shown = preview("\x1b[31mred\r\n\u{9b}x\u{202e}y\u{2028}\0é".as_bytes());
        assert_eq!(shown, r"\u{1b}[31mred\u{d}\u{a}\u{9b}x\u{202e}y\u{2028}\u{0}é");
    }

    #[test]
    fn long_records_are_shortened() {
        assert_eq!(preview("é".repeat(1000).as_bytes()), "é".repeat(200) + "...");
        assert_eq!(preview("é".repeat(200).as_bytes()), "é".repeat(200));
    }
}
