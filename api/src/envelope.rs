//! The `batchpipe` header: what a message says of the batch that it carries.
//!
//! Pure text in, values out, and back. Checking a batch against its envelope is the reader's job.

use std::fmt;

use crate::reason::Reason;

/// Name of the header that holds the envelope.
pub const HEADER: &str = "batchpipe";
/// Name of the header that holds the codec.
pub const CONTENT_ENCODING: &str = "content-encoding";
/// Name of the header that holds the media type.
pub const CONTENT_TYPE: &str = "content-type";
/// Media type of a batch.
pub const NDJSON: &str = "application/x-ndjson";
/// Name of the header that a dead letter carries in addition to the original ones.
pub const DEAD_LETTER: &str = "batchpipe-dlq";
/// Name of the header of a message that was sent back from a dead-letter topic: how often that was done.
pub const ATTEMPTS: &str = "batchpipe-attempts";
/// The only envelope version so far.
pub const VERSION: u32 = 1;
/// The longest header value that is read; ours have under 120 bytes.
pub const MAX_HEADER_BYTES: usize = 1024;

/// One run of a producer process: random, the same for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Number of records in the batch.
    pub records: u32,
    /// Size of the batch before compression, in bytes.
    pub raw_bytes: u64,
    /// CRC-32C of the batch before compression; absent in a marker.
    pub crc32c: Option<u32>,
    /// The producer process that sent it.
    pub incarnation: Incarnation,
    /// Number of the batch's first record among those that the incarnation sent to this partition.
    pub sequence: u64,
    /// Whether the producer checked that every record is JSON.
    pub validated: bool,
    /// Set in a marker: an empty message in the place of records that were dead-lettered after they
    /// had got their numbers.
    pub dead_lettered: Option<Reason>,
}

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The version is one that this program does not know.
    Version,
    /// A field is missing, doubled or not a number.
    Malformed,
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "envelope version is not supported",
            Self::Malformed => "envelope is malformed",
        })
    }
}

impl std::error::Error for EnvelopeError {}

impl Envelope {
    /// The sequence number after the batch's last record.
    pub const fn next_sequence(&self) -> u64 {
        self.sequence.saturating_add(self.records as u64)
    }

    /// Reads a header value. The version decides first: nothing else is looked at in an unknown one.
    pub fn parse(value: &[u8]) -> Result<Self, EnvelopeError> {
        if value.len() > MAX_HEADER_BYTES {
            return Err(EnvelopeError::Malformed);
        }
        let text = std::str::from_utf8(value).map_err(|_| EnvelopeError::Malformed)?;
        let mut fields = Fields::default();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or(EnvelopeError::Malformed)?;
            fields.set(key, value)?;
        }
        fields.finish()
    }
}

/// The fields as text, before they are understood.
#[derive(Default)]
struct Fields<'a> {
    version: Option<&'a str>,
    records: Option<&'a str>,
    bytes: Option<&'a str>,
    crc: Option<&'a str>,
    incarnation: Option<&'a str>,
    sequence: Option<&'a str>,
    validated: Option<&'a str>,
    dead_lettered: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn set(&mut self, key: &str, value: &'a str) -> Result<(), EnvelopeError> {
        let slot = match key {
            "v" => &mut self.version,
            "n" => &mut self.records,
            "b" => &mut self.bytes,
            "c" => &mut self.crc,
            "p" => &mut self.incarnation,
            "s" => &mut self.sequence,
            "j" => &mut self.validated,
            "x" => &mut self.dead_lettered,
            _ => return Ok(()), // later versions of this program may add keys
        };
        if slot.replace(value).is_some() {
            return Err(EnvelopeError::Malformed);
        }
        Ok(())
    }

    fn finish(self) -> Result<Envelope, EnvelopeError> {
        let version = self.version.ok_or(EnvelopeError::Malformed)?;
        if number(Some(version))? != u64::from(VERSION) {
            return Err(EnvelopeError::Version);
        }
        let dead_lettered = match self.dead_lettered {
            None => None,
            Some(name) => Some(Reason::from_name(name).ok_or(EnvelopeError::Malformed)?),
        };
        let crc32c = match self.crc {
            None if dead_lettered.is_some() => None,
            crc => Some(u32::try_from(hex(crc, 8)?).map_err(|_| EnvelopeError::Malformed)?),
        };
        Ok(Envelope {
            records: u32::try_from(number(self.records)?).map_err(|_| EnvelopeError::Malformed)?,
            raw_bytes: number(self.bytes)?,
            crc32c,
            incarnation: Incarnation(hex(self.incarnation, 16)?),
            sequence: number(self.sequence)?,
            validated: self.validated == Some("1"),
            dead_lettered,
        })
    }
}

fn number(text: Option<&str>) -> Result<u64, EnvelopeError> {
    let text = text.ok_or(EnvelopeError::Malformed)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EnvelopeError::Malformed); // `parse` alone would take a leading plus sign
    }
    text.parse().map_err(|_| EnvelopeError::Malformed)
}

fn hex(text: Option<&str>, digits: usize) -> Result<u64, EnvelopeError> {
    let text = text.ok_or(EnvelopeError::Malformed)?;
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(EnvelopeError::Malformed);
    }
    u64::from_str_radix(text, 16).map_err(|_| EnvelopeError::Malformed)
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v={VERSION};n={};b={}", self.records, self.raw_bytes)?;
        if let Some(crc) = self.crc32c {
            write!(f, ";c={crc:08x}")?;
        }
        write!(f, ";p={};s={}", self.incarnation, self.sequence)?;
        if self.validated {
            f.write_str(";j=1")?;
        }
        if let Some(reason) = self.dead_lettered {
            write!(f, ";x={reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "v=1;n=500;b=123456;c=9a1b2c3d;p=0f3a5c7e9b1d2f48;s=88000;j=1";

    #[test]
    fn what_is_printed_is_read_back_the_same() {
        let envelope = Envelope::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(envelope.records, 500);
        assert_eq!(envelope.next_sequence(), 88_500);
        assert_eq!(envelope.to_string(), EXAMPLE);
    }

    #[test]
    fn a_marker_has_no_checksum_but_a_reason() {
        let marker = "v=1;n=2;b=0;p=0f3a5c7e9b1d2f48;s=7;x=record_too_large";
        let envelope = Envelope::parse(marker.as_bytes()).unwrap();
        assert_eq!(envelope.dead_lettered, Some(Reason::RecordTooLarge));
        assert_eq!(envelope.to_string(), marker);
    }

    #[test]
    fn unknown_keys_are_ignored() {
        let text = format!("{EXAMPLE};future=thing");
        assert_eq!(Envelope::parse(text.as_bytes()), Envelope::parse(EXAMPLE.as_bytes()));
    }

    #[test]
    fn an_unknown_version_is_told_apart_from_damage() {
        assert_eq!(Envelope::parse(b"v=2;whatever=1"), Err(EnvelopeError::Version));
        for text in [
            "",
            "v=1",
            "n=1",
            "v=1;n=1;n=1;b=1;c=00000000;p=0000000000000000;s=0",
            "v=1;n=-1;b=1;c=00000000;p=0000000000000000;s=0",
            "v=1;n=+1;b=1;c=00000000;p=0000000000000000;s=0",
            "v=1;n=1;b=1;c=0000000;p=0000000000000000;s=0",
            "v=1;n=1;b=1;p=0000000000000000;s=0",
            "v=1;n=4294967296;b=1;c=00000000;p=0000000000000000;s=0",
            "\u{fffd}",
        ] {
            assert_eq!(Envelope::parse(text.as_bytes()), Err(EnvelopeError::Malformed), "{text}");
        }
    }
}
