//! What an audit makes of batches that came, came twice, or did not come.

use batchpipe_api::codec::Codec;

use super::*;

const FIRST: u64 = 0xa;
const SECOND: u64 = 0xb;

fn envelope(incarnation: u64, numbers: Range<u64>) -> Envelope {
    Envelope {
        records: u32::try_from(numbers.end - numbers.start).unwrap(),
        raw_bytes: 1,
        crc32c: Some(0),
        incarnation: Incarnation(incarnation),
        sequence: numbers.start,
        validated: true,
        dead_lettered: None,
    }
}

#[derive(Default)]
struct Topic(Audit);

impl Topic {
    fn batch(mut self, partition: i32, incarnation: u64, numbers: Range<u64>) -> Self {
        let envelope = envelope(incarnation, numbers);
        let opened = Opened::Batch { codec: Codec::Zstd, envelope: Some(envelope) };
        self.0.note_read(partition, &opened, envelope.records, 0);
        self
    }

    fn marker(mut self, partition: i32, incarnation: u64, numbers: Range<u64>) -> Self {
        let envelope = Envelope {
            dead_lettered: Some(Reason::RecordTooLarge),
            crc32c: None,
            ..envelope(incarnation, numbers)
        };
        self.0.note_read(partition, &Opened::Marker { envelope }, 0, 0);
        self
    }

    fn corrupt(mut self, partition: i32, envelope: Option<Envelope>) -> Self {
        let records = envelope.map_or(1, |envelope| envelope.records);
        let rejection = Rejection { reason: Reason::Corrupt, records, envelope };
        self.0.note_unreadable(partition, 7, &rejection);
        self
    }

    fn foreign(mut self, partition: i32, good: u32, bad: u32) -> Self {
        let opened = Opened::Batch { codec: Codec::Zlib, envelope: None };
        self.0.note_read(partition, &opened, good, bad);
        self
    }

    fn low(mut self, partition: i32, low: i64) -> Self {
        self.0.note_partition(partition, low);
        self
    }

    fn holes(&self) -> Vec<(i32, u64, Range<u64>)> {
        self.0.holes().map(|hole| (hole.partition, hole.incarnation.0, hole.numbers)).collect()
    }
}

#[test]
fn a_topic_without_holes_is_whole() {
    let topic = Topic::default().batch(0, FIRST, 0..5).batch(0, FIRST, 5..10).batch(1, FIRST, 0..3);
    let expected = AuditReport { batches: 3, records: 13, ..AuditReport::default() };
    assert_eq!(topic.0.report(), expected);
    assert!(topic.0.complaints(Some(13)).is_empty());
    assert!(topic.0.complaints(None).is_empty());
}

#[test]
fn an_empty_topic_is_whole() {
    let topic = Topic::default().low(0, 0);
    assert_eq!(topic.0.report(), AuditReport::default());
    assert!(topic.0.complaints(Some(0)).is_empty());
}

#[test]
fn every_hole_is_named_with_its_partition_and_incarnation() {
    let topic = Topic::default()
        .batch(0, FIRST, 0..5)
        .batch(0, FIRST, 8..10)
        .batch(0, SECOND, 0..5)
        .batch(1, SECOND, 0..1)
        .batch(1, SECOND, 3..4)
        .batch(1, SECOND, 5..6);
    assert_eq!(topic.holes(), [(0, FIRST, 5..8), (1, SECOND, 1..3), (1, SECOND, 4..5)]);
    assert_eq!(topic.0.report().missing, 6);
    assert_eq!(topic.0.complaints(None), ["6 records are missing"]);
}

#[test]
fn two_incarnations_are_numbered_on_their_own() {
    let topic = Topic::default()
        .batch(0, FIRST, 0..5)
        .batch(0, SECOND, 0..5)
        .batch(0, FIRST, 5..9)
        .batch(0, SECOND, 5..6);
    let expected = AuditReport { batches: 4, records: 15, ..AuditReport::default() };
    assert_eq!(topic.0.report(), expected);
}

#[test]
fn a_hole_at_the_head_is_a_loss_while_the_log_is_whole() {
    let topic = Topic::default().low(0, 0).batch(0, FIRST, 5..10);
    assert_eq!(topic.holes(), [(0, FIRST, 0..5)]);
    assert_eq!(topic.0.report().expired, 0);
}

#[test]
fn a_hole_at_the_head_is_expired_when_the_log_lost_its_head() {
    let topic = Topic::default().low(0, 3).batch(0, FIRST, 5..10).batch(0, FIRST, 12..13);
    assert_eq!(topic.holes(), [(0, FIRST, 10..12)], "other holes are losses");
    assert_eq!((topic.0.report().missing, topic.0.report().expired), (2, 5));
}

#[test]
fn a_head_that_was_lost_during_the_scan_is_expired() {
    let topic = Topic::default().low(0, 0).batch(0, FIRST, 5..10).low(0, 3);
    assert_eq!((topic.0.report().missing, topic.0.report().expired), (0, 5));
}

#[test]
fn retention_of_one_partition_excuses_no_other() {
    let topic = Topic::default().low(0, 3).low(1, 0).batch(1, FIRST, 5..10);
    assert_eq!((topic.0.report().missing, topic.0.report().expired), (5, 0));
}

#[test]
fn batches_that_were_sent_again_are_duplicates_and_no_holes() {
    let topic = Topic::default()
        .batch(0, FIRST, 0..5)
        .batch(0, FIRST, 10..15)
        .batch(0, FIRST, 0..5)
        .batch(0, FIRST, 5..10)
        .batch(0, FIRST, 10..15);
    let report = topic.0.report();
    assert_eq!((report.records, report.duplicated, report.missing), (25, 10, 0));
    assert_eq!(topic.0.distinct(), 15);
    assert!(topic.0.complaints(Some(15)).is_empty());
}

#[test]
fn the_parts_of_a_split_batch_are_the_whole() {
    let parts = Topic::default().batch(0, FIRST, 0..5).batch(0, FIRST, 5..7).batch(0, FIRST, 7..10);
    assert_eq!(parts.0.report(), AuditReport { batches: 3, records: 10, ..AuditReport::default() });
    let again = parts.batch(0, FIRST, 5..10).0.report();
    assert_eq!((again.duplicated, again.missing), (5, 0));
}

#[test]
fn batches_may_come_in_any_order() {
    let topic = Topic::default().batch(0, FIRST, 8..10).batch(0, FIRST, 3..8).batch(0, FIRST, 0..3);
    assert_eq!(topic.0.report(), AuditReport { batches: 3, records: 10, ..AuditReport::default() });
}

#[test]
fn a_marker_fills_its_place_without_records() {
    let topic =
        Topic::default().marker(0, FIRST, 0..2).batch(0, FIRST, 2..5).marker(0, FIRST, 5..6);
    assert_eq!(topic.0.report(), AuditReport { batches: 1, records: 3, ..AuditReport::default() });
    assert!(topic.0.complaints(None).is_empty());
    assert_eq!(topic.0.complaints(Some(6)).len(), 1);
}

#[test]
fn a_marker_beside_its_batch_doubles_nothing() {
    let topic = Topic::default().batch(0, FIRST, 0..5).marker(0, FIRST, 2..3);
    assert_eq!(topic.0.distinct(), 5);
}

#[test]
fn what_cannot_be_read_is_corrupt_but_not_missing() {
    let topic = Topic::default()
        .batch(0, FIRST, 0..5)
        .corrupt(0, Some(envelope(FIRST, 5..10)))
        .batch(0, FIRST, 10..11)
        .corrupt(1, None);
    let report = topic.0.report();
    assert_eq!((report.records, report.corrupt, report.missing), (6, 2, 0));
    assert_eq!(topic.0.complaints(None), ["2 batches cannot be read"]);
    assert_eq!(
        topic.0.unreadable()[0],
        Unreadable { partition: 0, offset: 7, reason: Reason::Corrupt }
    );
}

#[test]
fn a_good_copy_of_a_corrupt_batch_is_no_duplicate() {
    let topic = Topic::default().corrupt(0, Some(envelope(FIRST, 0..5))).batch(0, FIRST, 0..5);
    assert_eq!((topic.0.report().duplicated, topic.0.distinct()), (0, 5));
}

#[test]
fn records_without_envelope_are_unverified() {
    let topic = Topic::default().foreign(0, 7, 2).batch(0, FIRST, 0..3);
    let expected = AuditReport { batches: 2, records: 10, unverified: 7, ..AuditReport::default() };
    assert_eq!(topic.0.report(), expected);
    assert_eq!(topic.0.distinct(), 10);
}

#[test]
fn an_unexpected_number_of_records_is_said_with_both_numbers() {
    let topic = Topic::default().batch(0, FIRST, 0..5);
    assert_eq!(topic.0.complaints(Some(6)), ["6 distinct records are expected, 5 are there"]);
    assert_eq!(topic.0.complaints(Some(4)), ["4 distinct records are expected, 5 are there"]);
}

#[test]
fn forged_numbers_overflow_nothing() {
    let far = Envelope { sequence: u64::MAX - 1, records: u32::MAX, ..envelope(FIRST, 0..1) };
    let opened = Opened::Batch { codec: Codec::None, envelope: Some(far) };
    let mut topic = Topic::default();
    for partition in 0..3 {
        topic.0.note_read(partition, &opened, 1, 0);
        topic = topic.marker(partition, FIRST, 0..1);
    }
    assert_eq!(topic.0.report().missing, u64::MAX);
}

#[test]
fn memory_follows_holes_and_not_batches() {
    let mut topic = Topic::default();
    for number in 0..10_000 {
        topic = topic.batch(0, FIRST, number * 3..number * 3 + 3);
    }
    assert!(topic.holes().is_empty());
    assert_eq!(topic.0.partitions[&0].incarnations[&Incarnation(FIRST)].span(), Some(0..30_000));
}
