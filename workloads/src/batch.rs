//! The batcher: which records go together. Limits only; time is passed in, nothing is compressed or sent here.

use std::time::{Duration, Instant};

use crate::{
    chunk::{Arrival, Chunk},
    receipt::Share,
};

/// When a batch is closed: at the first limit that it reaches.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most records of a batch, at least 1.
    pub max_records: u32,
    /// Most bytes of a batch before compression. A record that is larger alone is not let this far.
    pub max_bytes: usize,
    /// How long the first record waits for others.
    pub linger: Duration,
}

/// Why a batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// It had as many bytes as it may have.
    Size,
    /// It had as many records as it may have.
    Count,
    /// Its oldest record had waited long enough.
    Linger,
    /// The producer is stopping, or its source has ended.
    Shutdown,
}

impl CloseReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Size, Self::Count, Self::Linger, Self::Shutdown];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Count => "count",
            Self::Linger => "linger",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Records that wait for others.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records joined with `\n`.
    pub text: Vec<u8>,
    /// Number of records.
    pub records: u32,
    /// What the batch owes to the chunks that its records came in; one share for each of them.
    pub shares: Vec<Share>,
    oldest: Option<Arrival>,
}

impl Batch {
    /// Whether it holds no record.
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// When the oldest record came in: milliseconds since the epoch.
    ///
    /// # Panics
    /// When the batch is empty.
    pub fn oldest_unix_ms(&self) -> i64 {
        self.oldest.expect("a batch that is closed has a record").unix_ms
    }

    /// When the batch must be closed at the latest; never while it is empty.
    pub fn deadline(&self, limits: &Limits) -> Option<Instant> {
        self.oldest.map(|arrival| arrival.instant + limits.linger)
    }

    /// Takes as many of the chunk's records from `from` on as fit, at most `most`. Returns their number and,
    /// when a limit is reached, why the batch must be closed now; then the caller closes it and calls again.
    pub fn take(
        &mut self,
        chunk: &Chunk,
        from: usize,
        most: usize,
        limits: &Limits,
    ) -> (usize, Option<CloseReason>) {
        let wanted = most.min((limits.max_records - self.records) as usize);
        let separator = usize::from(!self.is_empty());
        let room = limits.max_bytes.saturating_sub(self.text.len() + separator);
        let mut taken = chunk.records.fitting(from, room, wanted);
        if taken == 0 && self.is_empty() {
            taken = 1; // larger than a batch, but alone
        }
        if taken > 0 {
            self.append(chunk, from, taken);
        }
        let reason = if self.records >= limits.max_records {
            Some(CloseReason::Count)
        } else if taken < wanted && from + taken < chunk.records.len() {
            Some(CloseReason::Size)
        } else {
            None
        };
        (taken, reason)
    }

    fn append(&mut self, chunk: &Chunk, from: usize, taken: usize) {
        if !self.is_empty() {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(chunk.records.run(from, from + taken));
        self.records += u32::try_from(taken).expect("a batch holds at most `max_records`, a u32");
        self.oldest.get_or_insert(chunk.arrival);
        if !self.shares.last().is_some_and(|last| last.is_of(&chunk.share)) {
            self.shares.push(chunk.share.another());
        }
    }

    /// Makes it empty, keeping at most `kept` bytes of its memory for the next batch.
    pub fn clear(&mut self, kept: usize) {
        self.text.clear();
        self.text.shrink_to(kept);
        self.records = 0;
        self.shares = Vec::new(); // moved out by whoever closed the batch
        self.oldest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        budget::Budget,
        chunk::{Records, Rules},
        receipt::Receipt,
        source::Block,
    };

    fn chunk(text: &[u8]) -> Chunk {
        let mut records = Records::default();
        let rules = Rules { validate: true, key: None };
        records.fill(&mut Block { text: text.to_vec(), ..Block::default() }, &rules);
        let arrival = Arrival { instant: Instant::now(), unix_ms: 1_000 };
        let share = Receipt::new().1;
        Chunk { records, arrival, share, charge: Budget::new(1).charge_now(0) }
    }

    fn limits(max_records: u32, max_bytes: usize) -> Limits {
        Limits { max_records, max_bytes, linger: Duration::from_millis(100) }
    }

    #[test]
    fn a_full_batch_says_so() {
        let (mut batch, chunk) = (Batch::default(), chunk(b"1\n2\n3"));
        assert_eq!(batch.take(&chunk, 0, 3, &limits(2, 100)), (2, Some(CloseReason::Count)));
        assert_eq!(batch.text, b"1\n2");
    }

    #[test]
    fn a_batch_is_closed_before_it_grows_too_large() {
        let (mut batch, chunk) = (Batch::default(), chunk(b"11\n22\n33"));
        assert_eq!(batch.take(&chunk, 0, 3, &limits(9, 5)), (2, Some(CloseReason::Size)));
        assert_eq!(batch.take(&chunk, 2, 1, &limits(9, 5)), (0, Some(CloseReason::Size)));
        batch.clear(0);
        assert_eq!(batch.take(&chunk, 2, 1, &limits(9, 5)), (1, None));
    }

    #[test]
    fn a_record_that_is_larger_than_a_batch_travels_alone() {
        let (mut batch, chunk) = (Batch::default(), chunk(b"12345\n6"));
        assert_eq!(batch.take(&chunk, 0, 2, &limits(9, 3)), (1, Some(CloseReason::Size)));
        assert_eq!(batch.text, b"12345");
    }

    #[test]
    fn records_of_several_chunks_are_joined_and_owe_each_chunk_once() {
        let mut batch = Batch::default();
        let (first, second) = (chunk(b"1\n2"), chunk(b"3"));
        batch.take(&first, 0, 1, &limits(9, 100));
        batch.take(&first, 1, 1, &limits(9, 100));
        assert_eq!(batch.take(&second, 0, 1, &limits(9, 100)), (1, None));
        assert_eq!(batch.text, b"1\n2\n3");
        assert_eq!(batch.shares.len(), 2);
    }

    #[test]
    fn the_clock_of_a_batch_starts_with_its_first_record() {
        let (mut batch, chunk) = (Batch::default(), chunk(b"1\n2"));
        let limits = limits(9, 100);
        assert_eq!(batch.deadline(&limits), None);
        batch.take(&chunk, 0, 1, &limits);
        assert_eq!(batch.deadline(&limits), Some(chunk.arrival.instant + limits.linger));
        batch.clear(0);
        assert_eq!(batch.deadline(&limits), None);
    }
}
