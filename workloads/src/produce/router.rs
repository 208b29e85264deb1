//! The router: which open batch a record goes to. Pure: full batches are handed to a function.
//!
//! Records with a key have one open batch for each partition; records without one share a batch that goes to
//! the next partition when it is closed, so that few records still make full batches.

use std::time::Instant;

use crate::{
    batch::{Batch, CloseReason, Limits},
    chunk::Chunk,
};

/// The open batches.
#[derive(Debug)]
pub(super) struct Router {
    limits: Limits,
    keyless: Batch,
    /// By partition.
    keyed: Vec<Batch>,
    /// Where the next batch without keys goes.
    next: u32,
    partitions: u32,
    /// What all batches together may keep of their memory when they are closed, in bytes.
    kept: usize,
}

/// Takes a batch that was closed, with its partition.
pub(super) type Closed<'a> = dyn FnMut(u32, &mut Batch, CloseReason) + 'a;

impl Router {
    pub(super) fn new(limits: Limits, kept: usize) -> Self {
        Self { limits, kept, keyless: Batch::default(), keyed: Vec::new(), next: 0, partitions: 1 }
    }

    /// The topic has so many partitions now, at least 1.
    pub(super) fn set_partitions(&mut self, partitions: u32) {
        self.partitions = partitions.max(1);
    }

    /// Whether no record waits.
    pub(super) fn is_empty(&self) -> bool {
        self.keyless.is_empty() && self.keyed.iter().all(Batch::is_empty)
    }

    /// Memory that open batches hold, in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.keyless.text.capacity()
            + self.keyed.iter().map(|batch| batch.text.capacity()).sum::<usize>()
    }

    /// What one batch may keep of its memory.
    fn kept_each(&self) -> usize {
        self.kept / (self.keyed.len() + 1)
    }

    /// When the first open batch must be closed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let keyed = self.keyed.iter().filter_map(|batch| batch.deadline(&self.limits));
        keyed.chain(self.keyless.deadline(&self.limits)).min()
    }

    /// Puts all good records of the chunk into batches; `closed` gets each one that is full.
    pub(super) fn route(&mut self, chunk: &Chunk, closed: &mut Closed<'_>) {
        let count = chunk.records.len();
        let mut from = 0;
        while from < count {
            let hash = chunk.records.hash(from);
            let Some(hash) = hash else {
                let run = chunk.records.keyless_run(from);
                self.fill_keyless(chunk, from, run, closed);
                from += run;
                continue;
            };
            self.fill_keyed(chunk, from, hash.partition(self.partitions), closed);
            from += 1;
        }
    }

    fn fill_keyless(
        &mut self,
        chunk: &Chunk,
        mut from: usize,
        run: usize,
        closed: &mut Closed<'_>,
    ) {
        let end = from + run;
        while from < end {
            let (taken, full) = self.keyless.take(chunk, from, end - from, &self.limits);
            from += taken;
            if let Some(reason) = full {
                self.close_keyless(reason, closed);
            }
        }
    }

    fn close_keyless(&mut self, reason: CloseReason, closed: &mut Closed<'_>) {
        let partition = self.next % self.partitions;
        self.next = (partition + 1) % self.partitions;
        closed(partition, &mut self.keyless, reason);
        self.keyless.clear(self.kept_each());
    }

    fn fill_keyed(
        &mut self,
        chunk: &Chunk,
        record: usize,
        partition: u32,
        closed: &mut Closed<'_>,
    ) {
        let index = partition as usize;
        if self.keyed.len() <= index {
            self.keyed.resize_with(index + 1, Batch::default);
        }
        let kept = self.kept_each();
        let batch = &mut self.keyed[index];
        loop {
            let (taken, full) = batch.take(chunk, record, 1, &self.limits);
            if let Some(reason) = full {
                closed(partition, batch, reason);
                batch.clear(kept);
            }
            if taken == 1 {
                break;
            }
        }
    }

    /// Closes every batch whose time is up.
    pub(super) fn expire(&mut self, now: Instant, closed: &mut Closed<'_>) {
        let limits = self.limits;
        let is_due =
            |batch: &Batch| batch.deadline(&limits).is_some_and(|deadline| deadline <= now);
        self.close_if(is_due, CloseReason::Linger, closed);
    }

    /// Closes every batch.
    pub(super) fn close_all(&mut self, closed: &mut Closed<'_>) {
        self.close_if(|batch| !batch.is_empty(), CloseReason::Shutdown, closed);
    }

    fn close_if(
        &mut self,
        is_due: impl Fn(&Batch) -> bool,
        reason: CloseReason,
        closed: &mut Closed<'_>,
    ) {
        if is_due(&self.keyless) {
            self.close_keyless(reason, closed);
        }
        let kept = self.kept_each();
        for (partition, batch) in (0..).zip(&mut self.keyed) {
            if is_due(batch) {
                closed(partition, batch, reason);
                batch.clear(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        budget::Budget,
        chunk::{Arrival, Records, Rules},
        key::{KeyHash, Pointer},
        receipt::Receipt,
        source::Block,
    };

    fn chunk(text: &str, key: Option<&str>) -> Chunk {
        let mut records = Records::default();
        let rules = Rules { validate: true, key: key.map(|key| Pointer::parse(key).unwrap()) };
        records.fill(&mut Block { text: text.as_bytes().to_vec(), ..Block::default() }, &rules);
        let arrival = Arrival { instant: Instant::now(), unix_ms: 0 };
        Chunk { records, arrival, share: Receipt::new().1, charge: Budget::new(1).charge_now(0) }
    }

    type Log = Vec<(u32, String, CloseReason)>;

    fn log(log: &mut Log) -> impl FnMut(u32, &mut Batch, CloseReason) {
        |partition, batch: &mut Batch, reason| {
            log.push((partition, String::from_utf8(batch.text.clone()).unwrap(), reason));
        }
    }

    fn router(max_records: u32, partitions: u32) -> Router {
        let linger = Duration::from_millis(100);
        let mut router = Router::new(Limits { max_records, max_bytes: 1000, linger }, 1000);
        router.set_partitions(partitions);
        router
    }

    #[test]
    fn full_batches_without_keys_go_to_one_partition_after_the_other() {
        let (mut router, mut closed) = (router(2, 3), Log::new());
        router.route(&chunk("1\n2\n3\n4\n5\n6\n7\n8\n9", None), &mut log(&mut closed));
        let partitions: Vec<_> =
            closed.iter().map(|(partition, text, _)| (*partition, text.as_str())).collect();
        assert_eq!(partitions, [(0, "1\n2"), (1, "3\n4"), (2, "5\n6"), (0, "7\n8")]);
        assert!(!router.is_empty());
    }

    #[test]
    fn records_of_one_key_stay_in_one_partition_and_in_order() {
        let (mut router, mut closed) = (router(2, 7), Log::new());
        let text = "{\"k\":\"a\",\"i\":1}\n{\"k\":\"b\"}\n{\"k\":\"a\",\"i\":2}\n{\"x\":0}";
        router.route(&chunk(text, Some("/k")), &mut log(&mut closed));
        let partition = KeyHash::of(b"a").partition(7);
        let expected = "{\"k\":\"a\",\"i\":1}\n{\"k\":\"a\",\"i\":2}".to_owned();
        assert_eq!(closed, [(partition, expected, CloseReason::Count)]);
        router.close_all(&mut log(&mut closed));
        assert_eq!(closed.len(), 3);
        assert!(router.is_empty());
    }

    #[test]
    fn batches_are_closed_when_their_time_is_up() {
        let (mut router, mut closed) = (router(9, 2), Log::new());
        let chunk = chunk("{\"k\":1}\n{}", Some("/k"));
        router.route(&chunk, &mut log(&mut closed));
        let deadline = chunk.arrival.instant + Duration::from_millis(100);
        assert_eq!(router.deadline(), Some(deadline));
        router.expire(chunk.arrival.instant + Duration::from_millis(99), &mut log(&mut closed));
        assert_eq!(closed, []);
        router.expire(deadline, &mut log(&mut closed));
        assert_eq!(closed.len(), 2);
        assert_eq!((router.deadline(), router.is_empty()), (None, true));
    }
}
