//! The two headers that say how a message is to be read, out of whatever headers it has.
//!
//! Names are compared without regard to case. Nothing is copied or kept of the others, however many there are.

use batchpipe_api::{
    codec::Codec,
    envelope::{CONTENT_ENCODING, Envelope, EnvelopeError, HEADER},
    reason::Reason,
};

/// What matters of a message's headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    content_encoding: Field<'a>,
    envelope: Field<'a>,
}

/// A header that should be there once at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    /// Several that differ.
    Conflicting,
}

impl<'a> Field<'a> {
    fn add(&mut self, value: &'a [u8], is_same: impl Fn(&[u8], &[u8]) -> bool) {
        *self = match *self {
            Field::Absent => Field::Once(value),
            Field::Once(first) if is_same(first, value) => *self,
            Field::Once(_) | Field::Conflicting => Field::Conflicting,
        };
    }
}

impl<'a> Headers<'a> {
    /// Headers with these values, as a producer writes them.
    pub fn new(content_encoding: Option<&'a [u8]>, envelope: Option<&'a [u8]>) -> Self {
        let mut headers = Self::default();
        headers.add(CONTENT_ENCODING, content_encoding);
        headers.add(HEADER, envelope);
        headers
    }

    /// Takes note of one header of the message. A null value counts as no header.
    pub fn add(&mut self, name: &str, value: Option<&'a [u8]>) {
        let Some(value) = value else { return };
        if name.eq_ignore_ascii_case(CONTENT_ENCODING) {
            self.content_encoding.add(value, |a, b| a == b || parse_codec(a) == parse_codec(b));
        } else if name.eq_ignore_ascii_case(HEADER) {
            self.envelope.add(value, |a, b| a == b);
        }
    }

    /// The codec that the headers name; `None` when they name none.
    pub fn codec(&self) -> Result<Option<Codec>, Reason> {
        match self.content_encoding {
            Field::Absent => Ok(None),
            Field::Once(value) => parse_codec(value).map(Some).ok_or(Reason::UnsupportedCodec),
            Field::Conflicting => Err(Reason::UnsupportedCodec),
        }
    }

    /// The envelope, if there is one.
    pub fn envelope(&self) -> Result<Option<Envelope>, Reason> {
        match self.envelope {
            Field::Absent => Ok(None),
            Field::Once(value) => Envelope::parse(value).map(Some).map_err(|error| match error {
                EnvelopeError::Version => Reason::UnsupportedVersion,
                EnvelopeError::Malformed => Reason::IntegrityMismatch,
            }),
            Field::Conflicting => Err(Reason::IntegrityMismatch),
        }
    }
}

impl<'a, 'n> FromIterator<(&'n str, Option<&'a [u8]>)> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'n str, Option<&'a [u8]>)>>(all: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in all {
            headers.add(name, value);
        }
        headers
    }
}

fn parse_codec(value: &[u8]) -> Option<Codec> {
    Codec::from_content_encoding(value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(values: &[&str]) -> Result<Option<Codec>, Reason> {
        let headers: Headers<'_> =
            values.iter().map(|value| ("Content-Encoding", Some(value.as_bytes()))).collect();
        headers.codec()
    }

    #[test]
    fn case_blanks_and_repetition_do_not_matter() {
        assert_eq!(codec(&["GZip"]), Ok(Some(Codec::Gzip)));
        assert_eq!(codec(&[" zstd "]), Ok(Some(Codec::Zstd)));
        assert_eq!(codec(&["deflate", "ZLIB"]), Ok(Some(Codec::Zlib)));
        assert_eq!(codec(&["identity"]), Ok(Some(Codec::None)));
    }

    #[test]
    fn what_is_not_one_known_codec_is_refused() {
        for values in
            [&["br"][..], &[""], &["none"], &["gzip, zstd"], &["gzip", "zstd"], &["\u{ff}"]]
        {
            assert_eq!(codec(values), Err(Reason::UnsupportedCodec), "{values:?}");
        }
        assert_eq!(codec(&["gzip", "zstd", "gzip"]), Err(Reason::UnsupportedCodec));
    }

    #[test]
    fn a_null_header_is_no_header() {
        let headers: Headers<'_> = [(CONTENT_ENCODING, None), (HEADER, None)].into_iter().collect();
        assert_eq!(headers.codec(), Ok(None));
        assert_eq!(headers.envelope(), Ok(None));
    }

    #[test]
    fn envelopes_that_differ_are_none() {
        let envelope = b"v=1;n=1;b=1;c=00000000;p=0000000000000000;s=0".as_slice();
        let twice: Headers<'_> = [(HEADER, Some(envelope)); 2].into_iter().collect();
        assert!(twice.envelope().unwrap().is_some());
        let differ: Headers<'_> =
            [(HEADER, Some(envelope)), ("BATCHPIPE", Some(&envelope[..9]))].into_iter().collect();
        assert_eq!(differ.envelope(), Err(Reason::IntegrityMismatch));
    }

    #[test]
    fn ten_thousand_other_headers_change_nothing() {
        let mut headers = Headers::new(Some(b"lz4"), None);
        for number in 0..10_000 {
            headers.add(&format!("x-{number}"), Some(b"value"));
        }
        assert_eq!(headers.codec(), Ok(Some(Codec::Lz4)));
    }
}
