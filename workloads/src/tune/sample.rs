//! Reading the sample: the first records of a file, as many as may be kept. The only part that reads.
//!
//! A record is what a producer takes for one, by the same rules: `lines` and `json`. What a producer would
//! dead-letter is counted, remembered by its line number, and left out. Memory stays within the limits and one
//! record, however large the file or a line of it is.

use std::io::{self, BufRead, ErrorKind};

use memchr::memchr;

use crate::{json, lines};

/// How many bad lines are remembered by number.
const REMEMBERED: usize = 10;

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most records; 0 = no limit.
    pub records: u64,
    /// Most bytes that are looked at, give or take a line; below 4 GiB.
    pub bytes: u64,
    /// Longer records are dead-lettered by a producer: its `batch.maxBytes`.
    pub record_bytes: usize,
}

/// Lines that a producer would dead-letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bad {
    /// How many.
    pub count: u64,
    /// The numbers of the first ones, from 1.
    pub lines: Vec<u64>,
}

/// What is known of a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Good records.
    pub records: u64,
    /// Their bytes, without line ends.
    pub record_bytes: u64,
    /// Lines that were read, blank ones too.
    pub lines: u64,
    /// Lines that are not JSON.
    pub invalid: Bad,
    /// Lines that are longer than a record may be.
    pub too_long: Bad,
    /// Whether that was everything there is.
    pub is_whole: bool,
}

/// Good records.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// The records joined with `\n`.
    text: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<u32>,
    /// What is known of them.
    pub facts: Facts,
}

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Reading failed.
    #[error("cannot be read")]
    Read(#[source] io::Error),
    /// There is nothing.
    #[error("holds no records: it is empty, or all of its lines are blank")]
    Empty,
    /// Nothing of it can be used.
    #[error(
        "holds no records: of {lines} lines none is a JSON value of at most {most} bytes; write one record on each \
         line (`jq -c .` does)"
    )]
    NoRecords {
        /// Lines that were read.
        lines: u64,
        /// The longest that a record may be.
        most: usize,
    },
}

impl Bad {
    fn note(&mut self, line: u64) {
        self.count += 1;
        if self.lines.len() < REMEMBERED {
            self.lines.push(line);
        }
    }
}

impl Sample {
    /// Reads records until a limit is reached or there are no more.
    pub fn read(mut input: impl BufRead, limits: &Limits) -> Result<Self, SampleError> {
        let mut sample = Self::default();
        let (mut line, mut seen) = (Vec::new(), 0);
        while sample.has_room(seen, limits) {
            let read = next_line(&mut input, &mut line, limits).map_err(SampleError::Read)?;
            let Some(bytes) = read else { break };
            seen += bytes + 1;
            sample.take(&line, bytes, limits);
        }
        sample.facts.is_whole = rest(&mut input).map_err(SampleError::Read)?.is_empty();
        let Facts { records, invalid, too_long, lines, .. } = &sample.facts;
        match (records, invalid.count + too_long.count) {
            (0, 0) => Err(SampleError::Empty),
            (0, _) => Err(SampleError::NoRecords { lines: *lines, most: limits.record_bytes }),
            _ => Ok(sample),
        }
    }

    fn has_room(&self, seen: u64, limits: &Limits) -> bool {
        seen < limits.bytes && (limits.records == 0 || self.facts.records < limits.records)
    }

    /// Takes a line of `bytes` bytes, of which a long one is there only in part.
    fn take(&mut self, line: &[u8], bytes: u64, limits: &Limits) {
        self.facts.lines += 1;
        if bytes > limits.record_bytes as u64 {
            self.facts.too_long.note(self.facts.lines);
        } else if lines::is_blank(line) {
            // no record
        } else if json::is_json_record(line) {
            self.push(line);
        } else {
            self.facts.invalid.note(self.facts.lines);
        }
    }

    fn push(&mut self, record: &[u8]) {
        if !self.ends.is_empty() {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(record);
        self.ends.push(u32::try_from(self.text.len()).expect("a sample stays below 4 GiB"));
        self.facts.records += 1;
        self.facts.record_bytes += record.len() as u64;
    }

    /// The records joined with `\n`.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where record `index` starts.
    pub fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 }
    }

    /// Where record `index` ends.
    pub fn end(&self, index: usize) -> usize {
        self.ends[index] as usize
    }
}

/// What is left, or at least the start of it.
fn rest(input: &mut impl BufRead) -> io::Result<&[u8]> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            // Asked for again because the borrow would last for the whole loop.
            Ok(_) => return input.fill_buf(),
        }
    }
}

/// Puts the next line into `line`, or its start when it is too long; tells its size, `None` at the end. Gives up
/// on a line that is larger than a whole sample.
fn next_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    limits: &Limits,
) -> io::Result<Option<u64>> {
    line.clear();
    let (mut bytes, mut is_there) = (0, false);
    loop {
        let buffer = rest(input)?;
        if buffer.is_empty() {
            return Ok(is_there.then_some(bytes));
        }
        is_there = true;
        let end = memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let wanted = limits.record_bytes.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(&part[..wanted]);
        bytes += part.len() as u64;
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() || bytes > limits.bytes.max(limits.record_bytes as u64) {
            return Ok(Some(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { records: 0, bytes: 1 << 20, record_bytes: 1000 };

    fn read(text: &str, limits: Limits) -> Result<Sample, SampleError> {
        // A small buffer, so that lines do not end where buffers do.
        Sample::read(io::BufReader::with_capacity(7, text.as_bytes()), &limits)
    }

    #[test]
    fn good_records_are_joined_and_everything_else_is_counted_by_line() {
        let sample = read("{\"a\":1}\n\nno\n [2]\r\n{\n3", LIMITS).unwrap();
        assert_eq!(sample.text(), b"{\"a\":1}\n [2]\r\n3");
        assert_eq!((sample.len(), sample.start(1), sample.end(1)), (3, 8, 13));
        let facts = &sample.facts;
        assert_eq!((facts.lines, facts.records, facts.record_bytes), (6, 3, 13));
        assert_eq!(facts.invalid, Bad { count: 2, lines: vec![3, 5] });
        assert!(facts.is_whole);
    }

    #[test]
    fn only_the_first_bad_lines_are_remembered() {
        let sample = read(&("x\n".repeat(50) + "1"), LIMITS).unwrap();
        assert_eq!(sample.facts.invalid.count, 50);
        assert_eq!(sample.facts.invalid.lines, (1..=10).collect::<Vec<_>>());
    }

    #[test]
    fn a_sample_ends_at_its_limits_and_says_that_there_is_more() {
        let records = read("1\n2\n3\n", Limits { records: 2, ..LIMITS }).unwrap();
        assert_eq!((records.text(), records.facts.is_whole), (b"1\n2".as_slice(), false));
        let bytes = read("11\n22\n33\n44\n", Limits { bytes: 6, ..LIMITS }).unwrap();
        assert_eq!((bytes.text(), bytes.facts.is_whole), (b"11\n22".as_slice(), false));
        let all = read("1\n2\n", Limits { records: 2, ..LIMITS }).unwrap();
        assert!(all.facts.is_whole);
    }

    #[test]
    fn long_lines_are_left_out_and_never_kept_whole() {
        let long = "1".repeat(5000);
        let sample = read(&format!("1\n{long}\n2"), LIMITS).unwrap();
        assert_eq!(sample.text(), b"1\n2");
        assert_eq!(sample.facts.too_long, Bad { count: 1, lines: vec![2] });
        let exact = "1".repeat(1000);
        assert_eq!(read(&exact, LIMITS).unwrap().text(), exact.as_bytes());
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let endless = io::BufReader::new(io::repeat(b'1'));
        let error = Sample::read(endless, &LIMITS).err().unwrap();
        assert!(matches!(error, SampleError::NoRecords { lines: 1, .. }), "{error}");
    }

    #[test]
    fn what_holds_no_records_is_refused_with_the_reason() {
        for text in ["", "\n", " \n\t\r\n"] {
            assert!(matches!(read(text, LIMITS), Err(SampleError::Empty)), "{text:?}");
        }
        let error = read("a\nb\n\n", LIMITS).err().unwrap().to_string();
        assert!(error.contains("of 3 lines none is a JSON value"), "{error}");
    }
}
