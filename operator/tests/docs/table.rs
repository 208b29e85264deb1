//! Just enough Markdown: tables, by the header of their first column.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository.
#[track_caller]
pub(crate) fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A table: the cells of each row.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// The table of a document whose first column has this header.
    #[track_caller]
    pub(crate) fn of(document: &str, header: &str) -> Self {
        let text = file(document);
        let rows = text.lines().map(cells);
        let rows = rows.skip_while(|cells| cells.first().is_none_or(|it| it != header)).skip(2);
        let rows: Vec<_> = rows.take_while(|cells| !cells.is_empty()).collect();
        assert!(!rows.is_empty(), "{document}: no table of {header}");
        Self(rows)
    }

    /// The code in a column, each word once.
    #[track_caller]
    pub(crate) fn codes(&self, column: usize) -> BTreeSet<String> {
        let all: Vec<_> = self.0.iter().flat_map(|row| codes(&row[column])).collect();
        let distinct: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(distinct.len(), all.len(), "a word is listed twice: {all:?}");
        distinct
    }

    /// Each row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[String]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// The cells of a line; none when it is no row.
fn cells(line: &str) -> Vec<String> {
    let row = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|'));
    row.map_or_else(Vec::new, |row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// The code in a text.
pub(crate) fn codes(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words of an array of texts, as a set to compare with.
pub(crate) fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_table_is_found_by_its_first_header() {
    let table = Table::of("docs/decisions/README.md", "");
    assert!(table.rows().all(|row| row.len() == 2 && row[0].starts_with('[')));
    assert_eq!(codes("`a` and `b c`, not d"), ["a", "b c"]);
}
