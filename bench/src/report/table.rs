//! Tables: aligned text for people, Markdown for documents. Pure.

use std::fmt::{self, Write as _};

/// A table; the first column is text, the others are numbers.
pub(crate) struct Table {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: String, header: &[&str]) -> Self {
        let header = header.iter().map(|name| (*name).to_owned()).collect();
        Self { title, header, rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.header.len());
        self.rows.push(cells);
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.header).chain(&self.rows)
    }

    /// The same as Markdown.
    pub(crate) fn markdown(&self) -> String {
        format!("### {}\n\n{}", self.title, self.body())
    }

    /// The Markdown without a title.
    pub(crate) fn body(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.lines().enumerate() {
            writeln!(text, "| {} |", row.join(" | ")).expect("a String takes everything");
            if index == 0 {
                text.push_str("|---|");
                text.push_str(&"---:|".repeat(self.header.len() - 1));
                text.push('\n');
            }
        }
        text
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let width = |column: usize| self.lines().map(|row| row[column].len()).max().unwrap_or(0);
        for row in self.lines() {
            write!(f, "  {:<width$}", row[0], width = width(0))?;
            for (column, cell) in row.iter().enumerate().skip(1) {
                write!(f, "  {cell:>width$}", width = width(column))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_as_text_and_ruled_as_markdown() {
        let mut table = Table::new("Costs".to_owned(), &["who", "CPU"]);
        table.row(vec!["batchpipe".to_owned(), "0.5".to_owned()]);
        assert_eq!(table.to_string(), "Costs\n  who        CPU\n  batchpipe  0.5\n");
        let expected = "### Costs\n\n| who | CPU |\n|---|---:|\n| batchpipe | 0.5 |\n";
        assert_eq!(table.markdown(), expected);
    }
}
