//! Records as the body of a request. Pure.

use std::ops::Range;

use batchpipe_api::spec::sink::HttpFormat;
use bytes::Bytes;

/// The most that one request carries, in bytes; a record that is larger travels alone. More are several requests.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The most records in one bulk request: its answer speaks of each.
const MOST_BULK_RECORDS: usize = 4000;

/// Data streams take nothing but `create`; to an index it is the same as `index`, since no record names an id.
const CREATE: &[u8] = b"{\"create\":{}}\n";
const EVENT: &[u8] = b"{\"event\":";

/// How records of a format are put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    start: &'static [u8],
    before: &'static [u8],
    between: &'static [u8],
    after: &'static [u8],
    end: &'static [u8],
    /// The header `content-type`.
    pub(super) content_type: &'static str,
    /// The most records in a request.
    pub(super) most_records: usize,
    /// Whether a batch as it came, once inflated, is a body of this format.
    pub(super) is_batch: bool,
}

impl Layout {
    pub(super) const fn of(format: HttpFormat) -> Self {
        let lines = Self {
            start: b"",
            before: b"",
            between: b"",
            after: b"\n",
            end: b"",
            content_type: "application/x-ndjson",
            most_records: usize::MAX,
            is_batch: false,
        };
        let json = Self { after: b"", content_type: "application/json", ..lines };
        match format {
            HttpFormat::Ndjson => Self { is_batch: true, ..lines },
            HttpFormat::ElasticBulk => {
                Self { before: CREATE, most_records: MOST_BULK_RECORDS, ..lines }
            }
            HttpFormat::JsonArray => Self { start: b"[", between: b",", end: b"]", ..json },
            HttpFormat::SplunkHec => Self { before: EVENT, after: b"}", ..json },
        }
    }

    /// What a record adds to a body, in bytes.
    pub(super) const fn size_of(&self, record: &Range<usize>) -> usize {
        record.end - record.start + self.before.len() + self.between.len() + self.after.len()
    }

    /// The body that holds these records of the text.
    pub(super) fn build<'a>(
        &self,
        text: &[u8],
        records: impl Iterator<Item = &'a Range<usize>> + Clone,
    ) -> Bytes {
        let size = records.clone().map(|record| self.size_of(record)).sum::<usize>();
        let mut body = Vec::with_capacity(size + self.start.len() + self.end.len());
        body.extend_from_slice(self.start);
        for (number, record) in records.enumerate() {
            if number > 0 {
                body.extend_from_slice(self.between);
            }
            body.extend_from_slice(self.before);
            body.extend_from_slice(&text[record.clone()]);
            body.extend_from_slice(self.after);
        }
        body.extend_from_slice(self.end);
        body.into()
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn body(format: HttpFormat, records: &[Range<usize>]) -> String {
        let layout = Layout::of(format);
        let body = layout.build(b"{\"a\":1}\nno\n[2]\r\n3", records.iter());
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn each_format_has_its_own_shape() {
        let records = [0..7, 11..15, 16..17];
        for (format, expected) in [
            (HttpFormat::Ndjson, "{\"a\":1}\n[2]\r\n3\n"),
            (HttpFormat::JsonArray, "[{\"a\":1},[2]\r,3]"),
            (
                HttpFormat::ElasticBulk,
                "{\"create\":{}}\n{\"a\":1}\n{\"create\":{}}\n[2]\r\n{\"create\":{}}\n3\n",
            ),
            (HttpFormat::SplunkHec, "{\"event\":{\"a\":1}}{\"event\":[2]\r}{\"event\":3}"),
        ] {
            assert_eq!(body(format, &records), expected, "{format:?}");
        }
    }

    #[test]
    fn a_single_record_is_a_body_too() {
        let single = 16..17;
        assert_eq!(body(HttpFormat::JsonArray, slice::from_ref(&single)), "[3]");
        assert_eq!(body(HttpFormat::Ndjson, slice::from_ref(&single)), "3\n");
    }

    #[test]
    fn sizes_are_never_guessed_too_small() {
        for format in [
            HttpFormat::Ndjson,
            HttpFormat::JsonArray,
            HttpFormat::ElasticBulk,
            HttpFormat::SplunkHec,
        ] {
            let layout = Layout::of(format);
            let sum = layout.size_of(&(0..7)) + layout.size_of(&(16..17));
            assert!(body(format, &[0..7, 16..17]).len() <= sum + 2, "{format:?}");
        }
    }
}
