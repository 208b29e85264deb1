//! Splitting a text into records and telling good ones from bad ones; nothing is copied.

use std::ops::Range;

use batchpipe_api::reason::Reason;

use super::{BadRecord, Batch};
use crate::{json, lines};

/// The text holds more records than it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooManyRecords;

/// Takes a text that is known to be flawless: `records` records joined with `\n`. False when it is not
/// written like that; the batch is then left as it was.
pub(super) fn take_sealed(records: u32, batch: &mut Batch) -> bool {
    let text = &batch.text;
    let is_plain = text.last() != Some(&b'\n') && lines::count(text) as u64 == u64::from(records);
    if is_plain && records > 0 {
        batch.runs.push(0..text.len());
        batch.records = records;
    }
    is_plain
}

/// Finds the records of `batch.text`. Stops at the first one too many.
pub(super) fn split(batch: &mut Batch, validate: bool, max: u32) -> Result<(), TooManyRecords> {
    let Batch { text, runs, records, bad } = batch;
    // Checked at once, because the parser does not and this is many times cheaper than line by line.
    let is_utf8 = validate && json::is_utf8(text);
    let is_good = |record: &[u8]| {
        !validate || ((is_utf8 || json::is_utf8(record)) && json::is_json_in_utf8(record))
    };
    let mut run: Option<Range<usize>> = None;
    let mut total = 0_u32;
    for line in lines::lines(text) {
        let record = &text[line.clone()];
        if lines::is_blank(record) {
            runs.extend(run.take());
            continue;
        }
        if total == max {
            return Err(TooManyRecords);
        }
        if is_good(record) {
            *records += 1;
            run = Some(run.map_or(line.start, |run| run.start)..line.end);
        } else {
            runs.extend(run.take());
            bad.push(BadRecord { index: total, range: line, reason: Reason::InvalidJson });
        }
        total += 1;
    }
    runs.extend(run);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_text(text: &[u8], max: u32) -> Result<Batch, TooManyRecords> {
        let mut batch = Batch { text: text.to_vec(), ..Batch::default() };
        split(&mut batch, true, max).map(|()| batch)
    }

    #[test]
    fn a_flawless_batch_is_one_run() {
        for text in ["{}\n1\r\n\"x\"", "{}\n1\r\n\"x\"\n"] {
            let batch = split_text(text.as_bytes(), 3).unwrap();
            assert_eq!((batch.runs.first(), batch.runs.len()), (Some(&(0..9)), 1));
            assert_eq!(batch.records, 3);
            assert!(batch.bad.is_empty());
        }
    }

    #[test]
    fn a_sealed_text_is_one_run_only_when_it_is_joined_as_we_join() {
        let sealed = |text: &str, records| {
            let mut batch = Batch { text: text.into(), ..Batch::default() };
            (take_sealed(records, &mut batch), batch.runs.first().cloned(), batch.records)
        };
        assert_eq!(sealed("1\n2", 2), (true, Some(0..3), 2));
        assert_eq!(sealed("1\n2\n", 2), (false, None, 0), "a line end too many");
        assert_eq!(sealed("1\n2", 3), (false, None, 0));
    }

    #[test]
    fn blank_lines_are_no_records_and_in_no_run() {
        let batch = split_text(b"\n1\n \t\r\n2\n3\n\n", 3).unwrap();
        assert_eq!((batch.runs, batch.records), (vec![1..2, 7..10], 3));
        let blank = split_text(b"\n\n\n", 0).unwrap();
        assert_eq!((blank.runs.len(), blank.total()), (0, 0));
    }

    #[test]
    fn bad_records_break_runs_and_keep_their_place() {
        let batch = split_text(b"x\n1\n\n\xff\n2\n3\ny", 6).unwrap();
        assert_eq!((batch.runs, batch.records), (vec![2..3, 7..10], 3));
        let bad: Vec<_> = batch.bad.iter().map(|bad| (bad.index, bad.range.clone())).collect();
        assert_eq!(bad, [(0, 0..1), (2, 5..6), (5, 11..12)]);
    }

    #[test]
    fn one_record_too_many_is_noticed_whether_good_or_bad() {
        assert!(split_text(b"1\n2\n", 2).is_ok());
        assert_eq!(split_text(b"1\n2\n3", 2).err(), Some(TooManyRecords));
        assert_eq!(split_text(b"x\ny\nz", 2).err(), Some(TooManyRecords));
    }

    #[test]
    fn without_validation_every_line_is_good() {
        let mut batch = Batch { text: b"x\n\xff\n\ny".to_vec(), ..Batch::default() };
        split(&mut batch, false, 9).unwrap();
        assert_eq!((batch.runs, batch.records), (vec![0..3, 5..6], 3));
    }
}
