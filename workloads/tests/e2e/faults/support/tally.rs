//! Counting what came out: lost, duplicated, altered, record by record.

use std::{fs, path::Path};

use super::Records;

/// How often each record came out.
pub(crate) struct Tally {
    records: Records,
    counts: Vec<u32>,
    /// Lines that are no record of the input.
    strange: Vec<String>,
    /// The numbers in the order in which they came, for tests that look at it.
    pub(crate) order: Vec<usize>,
}

impl Tally {
    pub(crate) fn new(records: &Records) -> Self {
        let counts = vec![0; records.len()];
        Self { records: records.clone(), counts, strange: Vec::new(), order: Vec::new() }
    }

    /// Counts one line.
    pub(crate) fn line(&mut self, line: &[u8]) {
        match number(line).filter(|number| self.records.has(*number, line)) {
            Some(number) => {
                self.counts[number] += 1;
                self.order.push(number);
            }
            None => self.strange.push(String::from_utf8_lossy(line).into_owned()),
        }
    }

    /// Counts all lines of a text; the last one must be complete.
    pub(crate) fn text(&mut self, text: &[u8]) {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.for_each(|line| self.line(line));
    }

    /// Counts the complete files of a file sink, in the order of their names.
    pub(crate) fn folder(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "ndjson")).collect();
        files.sort();
        for path in files {
            let text = fs::read(&path).unwrap();
            assert!(text.ends_with(b"\n"), "{} is torn", path.display());
            self.text(&text);
        }
    }

    /// Counts what a stdout sink printed: all lines but the exit report.
    pub(crate) fn output(&mut self, path: &Path) {
        let text = fs::read(path).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter(|line| !line.starts_with(br#"{"role":"#)).for_each(|line| self.line(line));
    }

    /// Numbers of the records that never came.
    pub(crate) fn lost(&self) -> Vec<usize> {
        (0..self.counts.len()).filter(|number| self.counts[*number] == 0).collect()
    }

    /// How many came too many.
    pub(crate) fn duplicates(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(count.saturating_sub(1))).sum()
    }

    /// How many lines are none of the records.
    pub(crate) fn strange(&self) -> usize {
        self.strange.len()
    }

    /// Fails when a record was lost or altered; prints the numbers.
    pub(crate) fn check_complete(&self, test: &str) {
        let (lost, duplicates) = (self.lost(), self.duplicates());
        println!(
            "{test}: {} records in, {} lost, {duplicates} duplicated, {} altered",
            self.counts.len(),
            lost.len(),
            self.strange.len(),
        );
        assert!(self.strange.is_empty(), "{test}: altered: {:?}", self.strange.first());
        let shown = &lost[..lost.len().min(5)];
        assert!(lost.is_empty(), "{test}: {} lost, first {shown:?}", lost.len());
    }

    /// Fails also when one came twice.
    pub(crate) fn check_exact(&self, test: &str) {
        self.check_complete(test);
        self.check_no_duplicates(test);
    }

    /// Fails when a record was altered or came twice.
    pub(crate) fn check_no_duplicates(&self, test: &str) {
        assert!(self.strange.is_empty(), "{test}: altered: {:?}", self.strange.first());
        let twice: Vec<_> =
            (0..self.counts.len()).filter(|number| self.counts[*number] > 1).take(5).collect();
        assert_eq!(self.duplicates(), 0, "{test}: duplicated, first {twice:?}");
    }
}

/// The number of a record: the first field, `seq` or `id`.
fn number(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let rest = text.strip_prefix(r#"{"seq":"#).or_else(|| text.strip_prefix(r#"{"id": "#))?;
    rest.split(',').next()?.parse().ok()
}
