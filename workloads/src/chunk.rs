//! One buffer, many records, one acknowledgement: how records travel from a source to the batches.
//!
//! Making a chunk is the only pass over single records that a producer does: line ends are found, every record
//! is checked and, if the pipeline has a key, hashed. Afterwards records are only moved in runs. Pure.

use std::{sync::Arc, time::Instant};

use batchpipe_api::reason::Reason;

use crate::{
    budget::Charge,
    json,
    key::{KeyHash, Pointer},
    lines,
    receipt::Share,
    source::{Block, Oversize},
};

/// What is asked of every record.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether every record must be JSON.
    pub validate: bool,
    /// Where the key stands; without one, records go to partitions batch by batch.
    pub key: Option<Pointer>,
}

/// When records came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// For waiting times.
    pub instant: Instant,
    /// For the message's timestamp: milliseconds since the epoch.
    pub unix_ms: i64,
}

/// A record that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Its bytes, or their start when `size` is larger.
    pub bytes: Vec<u8>,
    /// Size of the whole record in bytes.
    pub size: u64,
    /// What is wrong with it.
    pub reason: Reason,
    /// Where it is still to be found, if nothing of it could be read.
    pub place: Option<Place>,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Checked records, in the order in which they came.
#[derive(Debug, Default)]
pub struct Records {
    /// The records joined with `\n`, without one at the end.
    text: Vec<u8>,
    /// Where each record ends in `text`.
    ends: Vec<u32>,
    /// The hash of each record's key; empty when none has one.
    hashes: Vec<Option<KeyHash>>,
    /// What could not be used.
    rejects: Vec<Reject>,
}

/// Records on their way to a batch, with what they owe to others.
#[derive(Debug)]
pub struct Chunk {
    /// The records.
    pub records: Records,
    /// When they came in.
    pub arrival: Arrival,
    /// This chunk's part in its source's receipt.
    pub share: Share,
    /// The memory that it holds.
    pub charge: Charge,
}

impl Records {
    /// Takes the lines out of `block` (which keeps no text) and checks each of them.
    ///
    /// `self` is an emptied one whose memory is used again. Whitespace-only lines are no records.
    pub fn fill(&mut self, block: &mut Block, rules: &Rules) {
        self.ends.clear();
        self.hashes.clear();
        self.rejects.clear();
        std::mem::swap(&mut self.text, &mut block.text);
        block.text.clear();
        self.rejects.extend(block.oversize.drain(..).map(Reject::from));
        self.rejects.append(&mut block.rejects);
        let given = std::mem::take(&mut block.hashes);
        // One pass over the whole block is several times faster than one for each record.
        let all_utf8 = !rules.validate || std::str::from_utf8(&self.text).is_ok();
        let (mut start, mut kept, mut line) = (0, 0, 0);
        while start < self.text.len() {
            let end =
                memchr::memchr(b'\n', &self.text[start..]).map_or(self.text.len(), |at| start + at);
            let before = self.ends.len();
            kept = self.keep(start..end, kept, all_utf8, rules);
            // A key in the record was asked for, so it is stronger than one beside it.
            if rules.key.is_none() && self.ends.len() > before {
                self.hashes.extend(given.get(line));
            }
            start = end + 1;
            line += 1;
        }
        self.text.truncate(kept);
    }

    /// Checks one line and, when it is good, moves it to the end of what is kept; returns the new end.
    fn keep(
        &mut self,
        line: std::ops::Range<usize>,
        kept: usize,
        all_utf8: bool,
        rules: &Rules,
    ) -> usize {
        let record = &self.text[line.clone()];
        if lines::is_blank(record) {
            return kept;
        }
        match check(record, all_utf8, rules) {
            Err(reason) => {
                self.rejects.push(Reject {
                    bytes: record.to_vec(),
                    size: record.len() as u64,
                    reason,
                    place: None,
                });
                kept
            }
            Ok(hash) => {
                let at = if self.ends.is_empty() { 0 } else { kept + 1 };
                if at != line.start {
                    self.text.copy_within(line.clone(), at);
                }
                if at > 0 {
                    self.text[at - 1] = b'\n'; // a line was left out before this one
                }
                let end = at + line.len();
                self.ends.push(u32::try_from(end).expect("a block is far smaller than 4 GiB"));
                if rules.key.is_some() {
                    self.hashes.push(hash);
                }
                end
            }
        }
    }

    /// Number of good records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no good record.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Number of records that came in, good or not.
    pub fn accepted(&self) -> u64 {
        (self.ends.len() + self.rejects.len()) as u64
    }

    /// Size of the good records in bytes, joined.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Memory that is held for the records, in bytes.
    pub fn capacity(&self) -> usize {
        self.text.capacity()
            + self.ends.capacity() * size_of::<u32>()
            + self.hashes.capacity() * size_of::<Option<KeyHash>>()
            + self.rejects.iter().map(|reject| reject.bytes.len()).sum::<usize>()
    }

    /// Where record `index` starts in the text.
    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize + 1 }
    }

    /// The records `from..to`, joined with `\n`.
    pub fn run(&self, from: usize, to: usize) -> &[u8] {
        if from == to { &[] } else { &self.text[self.start(from)..self.ends[to - 1] as usize] }
    }

    /// The key's hash of record `index`.
    pub fn hash(&self, index: usize) -> Option<KeyHash> {
        self.hashes.get(index).copied().flatten()
    }

    /// How many records from `from` on have no key.
    pub fn keyless_run(&self, from: usize) -> usize {
        if self.hashes.is_empty() {
            return self.len() - from;
        }
        self.hashes[from..].iter().take_while(|hash| hash.is_none()).count()
    }

    /// How many records from `from` on fit into `room` bytes when joined, at most `most`.
    pub fn fitting(&self, from: usize, room: usize, most: usize) -> usize {
        let start = self.start(from);
        let candidates = &self.ends[from..self.ends.len().min(from + most)];
        candidates.partition_point(|end| *end as usize - start <= room)
    }

    /// Keeps only the first `most` of what came in: good records first, then rejected ones.
    pub fn truncate(&mut self, most: usize) {
        if self.ends.len() > most {
            self.ends.truncate(most);
            self.hashes.truncate(most);
            self.text.truncate(self.ends.last().map_or(0, |end| *end as usize));
        }
        self.rejects.truncate(most - self.ends.len());
    }

    /// Takes out what could not be used.
    pub fn take_rejects(&mut self) -> Vec<Reject> {
        std::mem::take(&mut self.rejects)
    }
}

impl From<Oversize> for Reject {
    fn from(line: Oversize) -> Self {
        Self { bytes: line.prefix, size: line.bytes, reason: Reason::RecordTooLarge, place: None }
    }
}

/// Checks a record and hashes its key. With a key, finding it checks the record on the way.
pub(crate) fn check(
    record: &[u8],
    known_utf8: bool,
    rules: &Rules,
) -> Result<Option<KeyHash>, Reason> {
    let Some(pointer) = &rules.key else {
        let good = !rules.validate
            || (known_utf8 || json::is_utf8(record)) && json::is_json_in_utf8(record);
        return if good { Ok(None) } else { Err(Reason::InvalidJson) };
    };
    let hash = std::str::from_utf8(record).ok().and_then(|text| pointer.hash(text).ok());
    match hash {
        Some(hash) if !rules.validate || !json::is_too_deep(record) => Ok(hash),
        // Without validation anything may pass; it just has no key.
        _ if rules.validate => Err(Reason::InvalidJson),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8], rules: &Rules) -> Records {
        let mut records = Records::default();
        records.fill(&mut Block { text: text.to_vec(), ..Block::default() }, rules);
        records
    }

    fn json() -> Rules {
        Rules { validate: true, key: None }
    }

    #[test]
    fn good_lines_stay_as_they_are() {
        let chunk = records(b"{\"a\":1}\r\n[2]\n3", &json());
        assert_eq!(chunk.len(), 3);
        assert_eq!(chunk.run(0, 3), b"{\"a\":1}\r\n[2]\n3");
        assert_eq!(chunk.run(1, 2), b"[2]");
        assert_eq!(chunk.run(1, 1), b"");
    }

    #[test]
    fn blank_lines_are_no_records() {
        let chunk = records(b"\n \t\r\n1\n\n\n2\n\n", &json());
        assert_eq!((chunk.len(), chunk.accepted()), (2, 2));
        assert_eq!(chunk.run(0, 2), b"1\n2");
    }

    #[test]
    fn bad_lines_are_set_aside_byte_for_byte() {
        let mut chunk = records(b"{\n1\n\xff\n2\nnope\n", &json());
        assert_eq!(chunk.run(0, 2), b"1\n2");
        assert_eq!(chunk.accepted(), 5);
        let rejects = chunk.take_rejects();
        let bytes: Vec<_> = rejects.iter().map(|reject| reject.bytes.as_slice()).collect();
        assert_eq!(bytes, [b"{".as_slice(), b"\xff", b"nope"]);
        assert!(rejects.iter().all(|reject| reject.reason == Reason::InvalidJson));
    }

    #[test]
    fn without_validation_every_line_passes() {
        let chunk = records(b"x\n\xff\n", &Rules { validate: false, key: None });
        assert_eq!(chunk.run(0, 2), b"x\n\xff");
        let keyed = Rules { validate: false, key: Some(Pointer::parse("/k").unwrap()) };
        let chunk = records(b"x\n\xff\n{\"k\":1}", &keyed);
        assert_eq!((chunk.len(), chunk.hash(0), chunk.hash(1)), (3, None, None));
        assert_eq!(chunk.hash(2), Some(KeyHash::of(b"1")));
    }

    #[test]
    fn keys_are_hashed_and_records_checked_in_one_pass() {
        let rules = Rules { validate: true, key: Some(Pointer::parse("/k").unwrap()) };
        let chunk = records(b"{\"k\":\"a\"}\nbad\n{\"x\":1}", &rules);
        assert_eq!(chunk.len(), 2);
        assert_eq!((chunk.hash(0), chunk.hash(1)), (Some(KeyHash::of(b"a")), None));
    }

    #[test]
    fn lines_that_were_too_long_are_rejected_with_their_size() {
        let oversize = vec![Oversize { prefix: b"{\"big".to_vec(), bytes: 5_000_000 }];
        let mut chunk = Records::default();
        chunk.fill(&mut Block { text: b"1\n".to_vec(), oversize, ..Block::default() }, &json());
        assert_eq!(chunk.accepted(), 2);
        assert_eq!(chunk.take_rejects()[0].reason, Reason::RecordTooLarge);
    }

    #[test]
    fn a_run_ends_where_the_room_does() {
        let chunk = records(b"11\n22\n33\n", &json());
        assert_eq!(chunk.fitting(0, 8, 10), 3);
        assert_eq!(chunk.fitting(0, 7, 10), 2);
        assert_eq!(chunk.fitting(1, 8, 1), 1);
        assert_eq!(chunk.fitting(2, 1, 10), 0);
    }

    #[test]
    fn a_limit_cuts_what_came_in() {
        let mut chunk = records(b"1\n2\n3\nbad", &json());
        chunk.truncate(4);
        assert_eq!(chunk.accepted(), 4);
        chunk.truncate(2);
        assert_eq!((chunk.accepted(), chunk.run(0, 2)), (2, b"1\n2".as_slice()));
        chunk.truncate(0);
        assert_eq!((chunk.accepted(), chunk.bytes()), (0, 0));
    }

    #[test]
    fn memory_is_used_again() {
        let mut chunk = records(b"1\n2\n3", &json());
        chunk.fill(&mut Block { text: b"4".to_vec(), ..Block::default() }, &json());
        assert_eq!((chunk.len(), chunk.run(0, 1)), (1, b"4".as_slice()));
    }

    #[test]
    fn a_key_beside_the_record_is_taken_where_none_in_it_is_asked_for() {
        let hashes = vec![Some(KeyHash::of(b"a")), None, Some(KeyHash::of(b"c"))];
        let block = || Block {
            text: b"{\"k\":1}\nbad\n3\n".to_vec(),
            hashes: hashes.clone(),
            ..Block::default()
        };
        let mut chunk = Records::default();
        chunk.fill(&mut block(), &json());
        assert_eq!((chunk.len(), chunk.hash(0), chunk.hash(1)), (2, hashes[0], hashes[2]));
        let keyed = Rules { validate: true, key: Some(Pointer::parse("/k").unwrap()) };
        chunk.fill(&mut block(), &keyed);
        assert_eq!((chunk.hash(0), chunk.hash(1)), (Some(KeyHash::of(b"1")), None));
    }

    #[test]
    fn what_a_source_could_not_put_on_a_line_is_rejected_for_its_reason() {
        let reject =
            Reject { bytes: b"a\nb".to_vec(), size: 3, reason: Reason::Newline, place: None };
        let mut block =
            Block { text: b"1\n".to_vec(), rejects: vec![reject.clone()], ..Block::default() };
        let mut chunk = Records::default();
        chunk.fill(&mut block, &json());
        assert_eq!((chunk.accepted(), block.is_empty()), (2, true));
        assert_eq!(chunk.take_rejects(), [reject]);
    }
}
