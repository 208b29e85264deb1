//! The audit: does a topic hold every record that was numbered, once, and can it be read?
//!
//! Every envelope says which producer process (incarnation) sent the batch and which numbers its records have
//! among those that this process sent to this partition. The union of these ranges has no holes when nothing is
//! lost. A lost tail cannot be seen from the topic; whoever knows how many records there should be compares that
//! number with [`Audit::distinct`]. Pure but for [`scan`], which reads the topic.

mod intervals;
pub mod scan;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::Range};

use batchpipe_api::{
    envelope::{Envelope, Incarnation},
    reason::Reason,
    report::AuditReport,
};

use self::tally::Tally;
use crate::decode::{Opened, Rejection};

/// How many unreadable batches are remembered one by one.
const REMEMBERED: usize = 20;

/// What was found in a topic.
#[derive(Debug, Default)]
pub struct Audit {
    partitions: BTreeMap<i32, Partition>,
    unreadable: Vec<Unreadable>,
}

/// What was found in one partition.
#[derive(Debug, Default)]
struct Partition {
    incarnations: BTreeMap<Incarnation, Tally>,
    /// Batches without envelope.
    foreign_batches: u64,
    /// Records in them.
    foreign_records: u64,
    /// Lines of them that are no records.
    not_json: u64,
    /// Unreadable batches without a readable envelope.
    foreign_corrupt: u64,
    tombstones: u64,
    /// Whether the log has lost its head to retention.
    has_expired: bool,
}

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it is.
    pub partition: i32,
    /// Where it is there.
    pub offset: i64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Numbers that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Where.
    pub partition: i32,
    /// Whose.
    pub incarnation: Incarnation,
    /// Which.
    pub numbers: Range<u64>,
}

impl Audit {
    /// A partition exists; `low` is the offset of its oldest message.
    pub fn note_partition(&mut self, partition: i32, low: i64) {
        self.partition(partition).has_expired |= low > 0;
    }

    /// A message was read. `good` and `bad` are the numbers of its records.
    pub fn note_read(&mut self, partition: i32, opened: &Opened, good: u32, bad: u32) {
        let partition = self.partition(partition);
        match opened {
            Opened::Tombstone => partition.tombstones += 1,
            Opened::Marker { envelope } => partition.tally(envelope).add_marker(envelope),
            Opened::Batch { envelope: Some(envelope), .. } => {
                partition.tally(envelope).add_batch(envelope);
            }
            Opened::Batch { envelope: None, .. } => {
                partition.foreign_batches += 1;
                partition.foreign_records += u64::from(good);
                partition.not_json += u64::from(bad);
            }
        }
    }

    /// A message cannot be read.
    pub fn note_unreadable(&mut self, partition: i32, offset: i64, rejection: &Rejection) {
        if self.unreadable.len() < REMEMBERED {
            self.unreadable.push(Unreadable { partition, offset, reason: rejection.reason });
        }
        let partition = self.partition(partition);
        match &rejection.envelope {
            Some(envelope) => partition.tally(envelope).add_corrupt(envelope),
            None => partition.foreign_corrupt += 1,
        }
    }

    /// The sums over all partitions.
    pub fn report(&self) -> AuditReport {
        let mut report = AuditReport::default();
        for partition in self.partitions.values() {
            partition.add_to(&mut report);
        }
        report
    }

    /// Number of records that are there, each counted once.
    pub fn distinct(&self) -> u64 {
        let report = self.report();
        report.records.saturating_sub(report.duplicated)
    }

    /// What is missing.
    pub fn holes(&self) -> impl Iterator<Item = Hole> {
        self.partitions.iter().flat_map(|(&id, partition)| {
            partition.incarnations.iter().flat_map(move |(&incarnation, tally)| {
                let missing = tally.absent(!partition.has_expired).missing;
                missing.into_iter().map(move |numbers| Hole { partition: id, incarnation, numbers })
            })
        })
    }

    /// The first of the messages that cannot be read.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// Why the audit fails; empty when it does not.
    pub fn complaints(&self, expected: Option<u64>) -> Vec<String> {
        let report = self.report();
        let mut complaints = Vec::new();
        if report.missing > 0 {
            complaints.push(format!("{} records are missing", report.missing));
        }
        if report.corrupt > 0 {
            complaints.push(format!("{} batches cannot be read", report.corrupt));
        }
        let distinct = self.distinct();
        if let Some(expected) = expected.filter(|expected| *expected != distinct) {
            complaints
                .push(format!("{expected} distinct records are expected, {distinct} are there"));
        }
        complaints
    }

    fn partition(&mut self, partition: i32) -> &mut Partition {
        self.partitions.entry(partition).or_default()
    }
}

impl Partition {
    fn tally(&mut self, envelope: &Envelope) -> &mut Tally {
        self.incarnations.entry(envelope.incarnation).or_default()
    }

    fn add_to(&self, report: &mut AuditReport) {
        report.batches += self.foreign_batches;
        report.records += self.foreign_records;
        report.unverified += self.foreign_records;
        report.corrupt += self.foreign_corrupt;
        for tally in self.incarnations.values() {
            let absent = tally.absent(!self.has_expired);
            report.batches += tally.batches;
            report.records += tally.records;
            report.duplicated += tally.duplicated;
            report.corrupt += tally.corrupt;
            // A forged envelope may name any number.
            report.missing = report.missing.saturating_add(length(&absent.missing));
            report.expired = report.expired.saturating_add(absent.expired);
        }
    }
}

/// How many numbers there are in disjoint ranges.
fn length(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}
