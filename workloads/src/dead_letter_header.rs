//! The `batchpipe-dlq` header: why a dead letter is one, and where it came from.
//!
//! Pure text in, values out, and back:
//! `reason=invalid_json;topic=t;partition=0;offset=7;index=3;attempts=1;truncated=1;size=2000000`.

use std::fmt;

use batchpipe_api::{
    envelope::{ATTEMPTS, DEAD_LETTER, MAX_HEADER_BYTES},
    reason::Reason,
};

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterHeader {
    /// Why it is a dead letter.
    pub reason: Reason,
    /// The topic that the original is, or would have been, in.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset; -1 for what never got one, because it was refused while producing.
    pub offset: i64,
    /// Which record of the batch it is, from 0; absent for a whole message.
    pub index: Option<u32>,
    /// How often it was sent back and failed again; written only when it is not 0.
    pub attempts: u32,
    /// Size of the original in bytes when it was too large to be kept whole.
    pub truncated: Option<u64>,
}

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeadLetterHeaderError {
    /// It is longer than any header of ours, or not text.
    #[error("dead-letter header is not text of at most {MAX_HEADER_BYTES} bytes")]
    NotText,
    /// A field is missing.
    #[error("dead-letter header has no field {0}")]
    Missing(&'static str),
    /// A field is there twice.
    #[error("dead-letter header has field {0} twice")]
    Twice(&'static str),
    /// A field's value is not what it has to be.
    #[error("dead-letter header field {0} has an impossible value")]
    Value(&'static str),
}

/// The fields, in the order in which they are written.
const KEYS: [&str; 8] =
    ["reason", "topic", "partition", "offset", "index", "attempts", "truncated", "size"];

impl DeadLetterHeader {
    /// The header of a whole message that failed for the first time.
    pub fn new(reason: Reason, topic: &str, partition: i32, offset: i64) -> Self {
        Self {
            reason,
            topic: topic.to_owned(),
            partition,
            offset,
            index: None,
            attempts: 0,
            truncated: None,
        }
    }

    /// Reads the header of a letter with these headers; `None` when it has none, and so is no letter. The last one
    /// counts: a message that was a letter before keeps its old one among the original's headers.
    pub fn find<'a>(
        headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) -> Option<Result<Self, DeadLetterHeaderError>> {
        let (_, value) = headers.filter(|(name, _)| *name == DEAD_LETTER).last()?;
        Some(Self::parse(value.unwrap_or_default()))
    }

    /// Reads a header value; unknown fields are ignored.
    pub fn parse(value: &[u8]) -> Result<Self, DeadLetterHeaderError> {
        let fields = Fields::read(value)?;
        let size = fields.number("size")?;
        Ok(Self {
            reason: Reason::from_name(fields.required("reason")?)
                .ok_or(DeadLetterHeaderError::Value("reason"))?,
            topic: fields.topic()?,
            partition: required(fields.number("partition")?, "partition")?,
            offset: required(fields.number("offset")?, "offset")?,
            index: fields.number("index")?,
            attempts: fields.number("attempts")?.unwrap_or(0),
            truncated: match fields.get("truncated") {
                None => None,
                Some("1") => Some(required(size, "size")?),
                Some(_) => return Err(DeadLetterHeaderError::Value("truncated")),
            },
        })
    }
}

/// How often a message with these headers was sent back from a dead-letter topic; 0 when no header says so. Of several
/// the largest counts, so that adding one cannot get a message past the guard.
pub fn attempts<'a>(headers: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>) -> u32 {
    let ours = headers.filter(|(name, _)| name.eq_ignore_ascii_case(ATTEMPTS));
    let numbers = ours.filter_map(|(_, value)| std::str::from_utf8(value?).ok()?.parse().ok());
    numbers.max().unwrap_or(0)
}

fn required<T>(value: Option<T>, key: &'static str) -> Result<T, DeadLetterHeaderError> {
    value.ok_or(DeadLetterHeaderError::Missing(key))
}

/// The values of [`KEYS`] as text.
struct Fields<'a>([Option<&'a str>; KEYS.len()]);

impl<'a> Fields<'a> {
    fn read(value: &'a [u8]) -> Result<Self, DeadLetterHeaderError> {
        let text = std::str::from_utf8(value).map_err(|_| DeadLetterHeaderError::NotText)?;
        if text.len() > MAX_HEADER_BYTES {
            return Err(DeadLetterHeaderError::NotText);
        }
        let mut fields = [None; KEYS.len()];
        for (key, value) in text.split(';').filter_map(|part| part.split_once('=')) {
            let Some(place) = KEYS.iter().position(|known| *known == key) else { continue };
            if fields[place].replace(value).is_some() {
                return Err(DeadLetterHeaderError::Twice(KEYS[place]));
            }
        }
        Ok(Self(fields))
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        KEYS.iter().position(|known| *known == key).and_then(|place| self.0[place])
    }

    fn required(&self, key: &'static str) -> Result<&'a str, DeadLetterHeaderError> {
        required(self.get(key), key)
    }

    fn number<T: std::str::FromStr>(
        &self,
        key: &'static str,
    ) -> Result<Option<T>, DeadLetterHeaderError> {
        let parse = |text: &str| text.parse().map_err(|_| DeadLetterHeaderError::Value(key));
        self.get(key).map(parse).transpose()
    }

    fn topic(&self) -> Result<String, DeadLetterHeaderError> {
        let topic = self.required("topic")?;
        let is_legal =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if topic.is_empty() || topic.len() > 249 || !topic.bytes().all(is_legal) {
            return Err(DeadLetterHeaderError::Value("topic"));
        }
        Ok(topic.to_owned())
    }
}

impl fmt::Display for DeadLetterHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, topic, partition, offset, .. } = self;
        write!(f, "reason={reason};topic={topic};partition={partition};offset={offset}")?;
        if let Some(index) = self.index {
            write!(f, ";index={index}")?;
        }
        if self.attempts > 0 {
            write!(f, ";attempts={}", self.attempts)?;
        }
        if let Some(size) = self.truncated {
            write!(f, ";truncated=1;size={size}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "reason=corrupt;topic=demo-topic;partition=3;offset=17";
    const FULL: &str = "reason=invalid_json;topic=t.x_y-z;partition=0;offset=-1;index=4;attempts=2;truncated=1;size=2000000";

    #[test]
    fn what_is_printed_is_read_back_the_same() {
        for text in [WHOLE, FULL] {
            assert_eq!(DeadLetterHeader::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        let header = DeadLetterHeader::parse(FULL.as_bytes()).unwrap();
        assert_eq!(
            (header.index, header.attempts, header.truncated),
            (Some(4), 2, Some(2_000_000))
        );
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let later = format!("{WHOLE};note=from-a-later-version;flag");
        assert_eq!(
            DeadLetterHeader::parse(later.as_bytes()),
            DeadLetterHeader::parse(WHOLE.as_bytes())
        );
    }

    #[test]
    fn what_is_missing_doubled_or_impossible_is_named() {
        let error = |text: &str| DeadLetterHeader::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error("reason=corrupt"), "dead-letter header has no field topic");
        assert_eq!(
            error(&format!("{WHOLE};offset=1")),
            "dead-letter header has field offset twice"
        );
        assert_eq!(
            error(&WHOLE.replace("corrupt", "bad")),
            "dead-letter header field reason has an impossible value"
        );
        assert_eq!(
            error(&WHOLE.replace("demo-topic", "a b")),
            "dead-letter header field topic has an impossible value"
        );
        assert_eq!(error(&format!("{WHOLE};truncated=1")), "dead-letter header has no field size");
    }

    #[test]
    fn the_last_header_makes_the_letter() {
        let newest = WHOLE.replace("17", "18");
        let headers = [
            ("x", None),
            (DEAD_LETTER, Some(WHOLE.as_bytes())),
            (DEAD_LETTER, Some(newest.as_bytes())),
        ];
        let found = DeadLetterHeader::find(headers.into_iter()).unwrap().unwrap();
        assert_eq!(found.offset, 18);
        assert_eq!(DeadLetterHeader::find([("x", None)].into_iter()), None);
        let null = DeadLetterHeader::find([(DEAD_LETTER, None)].into_iter());
        assert_eq!(null, Some(Err(DeadLetterHeaderError::Missing("reason"))));
    }

    #[test]
    fn attempts_are_what_the_largest_header_says() {
        let of = |values: &[&'static str]| {
            attempts(values.iter().map(|value| ("Batchpipe-Attempts", Some(value.as_bytes()))))
        };
        assert_eq!((of(&[]), of(&["2"]), of(&["2", "7", "1"])), (0, 2, 7));
        assert_eq!((of(&["-1"]), of(&["many"]), of(&["4294967296"])), (0, 0, 0));
        assert_eq!(attempts([(ATTEMPTS, None)].into_iter()), 0);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for cut in 0..FULL.len() {
            let _ = DeadLetterHeader::parse(&FULL.as_bytes()[cut..]);
            let _ = DeadLetterHeader::parse(&FULL.as_bytes()[..cut]);
        }
        assert_eq!(DeadLetterHeader::parse(b"\xff"), Err(DeadLetterHeaderError::NotText));
        assert_eq!(DeadLetterHeader::parse(&[b'a'; 5000]), Err(DeadLetterHeaderError::NotText));
    }
}
