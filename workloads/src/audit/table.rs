//! An audit as text for people: a line for each incarnation in each partition, then what is wrong. Pure.

use std::fmt;

use super::{Audit, Partition, REMEMBERED, length, tally::Tally};

/// How many holes are listed one by one.
const LISTED_HOLES: usize = 20;
const COLUMNS: [&str; 10] = [
    "PARTITION",
    "INCARNATION",
    "NUMBERS",
    "BATCHES",
    "RECORDS",
    "MISSING",
    "DUPLICATED",
    "CORRUPT",
    "EXPIRED",
    "DEAD-LETTERED",
];

type Row = [String; COLUMNS.len()];

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_aligned(f, &self.rows())?;
        for hole in self.holes().take(LISTED_HOLES) {
            let (first, last) = (hole.numbers.start, hole.numbers.end - 1);
            let records = hole.numbers.end - hole.numbers.start;
            let (partition, incarnation) = (hole.partition, hole.incarnation);
            writeln!(
                f,
                "missing: partition {partition}, {incarnation}: {first}-{last} ({records} records)"
            )?;
        }
        write_more(f, "holes", self.holes().count(), LISTED_HOLES)?;
        for unreadable in self.unreadable() {
            let (partition, offset) = (unreadable.partition, unreadable.offset);
            writeln!(f, "corrupt: partition {partition}, offset {offset}: {}", unreadable.reason)?;
        }
        let corrupt = usize::try_from(self.report().corrupt).unwrap_or(usize::MAX);
        write_more(f, "corrupt batches", corrupt, REMEMBERED)?;
        self.write_notes(f)
    }
}

impl Audit {
    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        for (id, partition) in &self.partitions {
            for (incarnation, tally) in &partition.incarnations {
                rows.push(row(*id, &incarnation.to_string(), tally, partition));
            }
            if partition.foreign_batches + partition.foreign_corrupt > 0 {
                rows.push(foreign_row(*id, partition));
            }
        }
        rows.push(self.sums());
        rows
    }

    fn sums(&self) -> Row {
        let report = self.report();
        let tallies =
            self.partitions.values().flat_map(|partition| partition.incarnations.values());
        let dead_lettered: u64 = tallies.map(|tally| tally.dead_lettered).sum();
        [
            "all".to_owned(),
            String::new(),
            String::new(),
            report.batches.to_string(),
            report.records.to_string(),
            report.missing.to_string(),
            report.duplicated.to_string(),
            report.corrupt.to_string(),
            report.expired.to_string(),
            dead_lettered.to_string(),
        ]
    }

    fn write_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Partition) -> u64| self.partitions.values().map(of).sum::<u64>();
        let unverified = sum(|partition| partition.foreign_records);
        if unverified > 0 {
            writeln!(
                f,
                "note: {unverified} records are in batches without envelope; nothing can be proved of them"
            )?;
        }
        let not_json = sum(|partition| partition.not_json);
        if not_json > 0 {
            writeln!(f, "note: {not_json} lines of them are not JSON and not counted as records")?;
        }
        let tombstones = sum(|partition| partition.tombstones);
        if tombstones > 0 {
            writeln!(f, "note: {tombstones} messages are empty (tombstones)")?;
        }
        Ok(())
    }
}

fn row(id: i32, incarnation: &str, tally: &Tally, partition: &Partition) -> Row {
    let absent = tally.absent(!partition.has_expired);
    // An envelope of no records has no numbers.
    let span = tally
        .span()
        .map_or_else(|| "-".to_owned(), |span| format!("{}-{}", span.start, span.end - 1));
    [
        id.to_string(),
        incarnation.to_owned(),
        span,
        tally.batches.to_string(),
        tally.records.to_string(),
        length(&absent.missing).to_string(),
        tally.duplicated.to_string(),
        tally.corrupt.to_string(),
        absent.expired.to_string(),
        tally.dead_lettered.to_string(),
    ]
}

fn foreign_row(id: i32, partition: &Partition) -> Row {
    let unknown = || "-".to_owned();
    [
        id.to_string(),
        "no envelope".to_owned(),
        unknown(),
        partition.foreign_batches.to_string(),
        partition.foreign_records.to_string(),
        unknown(),
        unknown(),
        partition.foreign_corrupt.to_string(),
        unknown(),
        unknown(),
    ]
}

/// Two columns of names, then numbers, which stand to the right.
fn write_aligned(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            match column {
                0 => write!(f, "{cell:<width$}")?,
                1 => write!(f, "  {cell:<width$}")?,
                _ => write!(f, "  {cell:>width$}")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

fn write_more(f: &mut fmt::Formatter<'_>, what: &str, count: usize, listed: usize) -> fmt::Result {
    match count.saturating_sub(listed) {
        0 => Ok(()),
        more => writeln!(f, "and {more} more {what}"),
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::{codec::Codec, envelope::Envelope, envelope::Incarnation, reason::Reason};

    use super::*;
    use crate::decode::{Opened, Rejection};

    fn batch(sequence: u64, records: u32) -> Opened {
        let envelope = Envelope {
            records,
            raw_bytes: 1,
            crc32c: Some(0),
            incarnation: Incarnation(0xab),
            sequence,
            validated: true,
            dead_lettered: None,
        };
        Opened::Batch { codec: Codec::Zstd, envelope: Some(envelope) }
    }

    #[test]
    fn columns_stand_under_their_names_and_holes_are_named() {
        let mut audit = Audit::default();
        audit.note_read(0, &batch(0, 500), 500, 0);
        audit.note_read(10, &batch(7, 1), 1, 0);
        let shown = audit.to_string();
        let expected = "\
PARTITION  INCARNATION       NUMBERS  BATCHES  RECORDS  MISSING  DUPLICATED  CORRUPT  EXPIRED  DEAD-LETTERED
0          00000000000000ab    0-499        1      500        0           0        0        0              0
10         00000000000000ab      7-7        1        1        7           0        0        0              0
all                                         2      501        7           0        0        0              0
missing: partition 10, 00000000000000ab: 0-6 (7 records)
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn at_most_twenty_holes_and_twenty_corrupt_batches_are_listed() {
        let mut audit = Audit::default();
        for number in 0..=25 {
            audit.note_read(0, &batch(number * 2, 1), 1, 0);
            let rejection = Rejection { reason: Reason::Truncated, records: 1, envelope: None };
            audit.note_unreadable(1, 3, &rejection);
        }
        let shown = audit.to_string();
        assert_eq!(shown.matches("missing: ").count(), 20);
        assert!(shown.contains("and 5 more holes\n"), "{shown}");
        assert_eq!(shown.matches("corrupt: partition 1, offset 3: truncated\n").count(), 20);
        assert!(shown.contains("and 6 more corrupt batches\n"), "{shown}");
    }

    #[test]
    fn what_is_no_batch_of_ours_is_noted() {
        let mut audit = Audit::default();
        audit.note_read(0, &Opened::Tombstone, 0, 0);
        audit.note_read(0, &Opened::Batch { codec: Codec::Zlib, envelope: None }, 4, 2);
        let shown = audit.to_string();
        for note in ["4 records are in batches", "2 lines of them", "1 messages are empty"] {
            assert!(shown.contains(note), "{note}: {shown}");
        }
    }
}
