//! Going over the records of a message, one after the other, between calls. Pure.

use std::ops::Range;

use crate::sink::Refused;

/// A place in a message: what comes next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    run: usize,
    at: usize,
    number: u32,
}

impl Cursor {
    /// The next record's place.
    pub(super) fn next(&mut self, text: &[u8], runs: &[Range<usize>]) -> Option<Refused> {
        let run = runs.get(self.run)?;
        let start = self.at.max(run.start);
        let line = memchr::memchr(b'\n', &text[start..run.end]);
        let end = line.map_or(run.end, |length| start + length);
        self.at = end + 1;
        if self.at >= run.end {
            self.run += 1;
        }
        let number = self.number;
        self.number += 1;
        Some(Refused { number, range: start..end })
    }

    /// Whether nothing comes any more.
    pub(super) const fn is_at_end(&self, runs: &[Range<usize>]) -> bool {
        self.run >= runs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, runs: &[Range<usize>]) -> Vec<(u32, String)> {
        let mut cursor = Cursor::default();
        let mut found = Vec::new();
        while let Some(record) = cursor.next(text.as_bytes(), runs) {
            found.push((record.number, text[record.range].to_owned()));
        }
        assert!(cursor.is_at_end(runs));
        found
    }

    fn numbered(records: &[&str]) -> Vec<(u32, String)> {
        (0..).zip(records.iter().map(|record| (*record).to_owned())).collect()
    }

    #[test]
    fn a_whole_text_is_its_lines() {
        assert_eq!(all("1\n22\r\n3", std::slice::from_ref(&(0..7))), numbered(&["1", "22\r", "3"]));
        assert_eq!(all("1", std::slice::from_ref(&(0..1))), numbered(&["1"]));
        assert_eq!(all("", &[]), numbered(&[]));
    }

    #[test]
    fn what_is_between_runs_is_left_out_and_not_counted() {
        assert_eq!(
            all("1\n2\nbad\n4\nbad\n6", &[0..3, 8..9, 14..15]),
            numbered(&["1", "2", "4", "6"])
        );
    }
}
