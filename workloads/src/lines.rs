//! Finding lines: the one rule of where a record starts and ends, for both sides.
//!
//! Pure. A line ends at `\n`; a `\r` before it belongs to the line. What follows the last `\n` is a line
//! unless it is empty.

use std::ops::Range;

/// The lines of a text, as ranges without their line ends.
#[derive(Debug)]
pub struct Lines<'a> {
    text_bytes: usize,
    ends: memchr::Memchr<'a>,
    start: usize,
}

/// Goes over the lines of `text`.
pub fn lines(text: &[u8]) -> Lines<'_> {
    Lines { text_bytes: text.len(), ends: memchr::memchr_iter(b'\n', text), start: 0 }
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        if self.start >= self.text_bytes {
            return None;
        }
        let end = self.ends.next().unwrap_or(self.text_bytes);
        let line = self.start..end;
        self.start = end + 1;
        Some(line)
    }
}

/// Number of lines, without looking at them.
pub fn count(text: &[u8]) -> usize {
    let unfinished = usize::from(text.last().is_some_and(|last| *last != b'\n'));
    memchr::memchr_iter(b'\n', text).count() + unfinished
}

/// Whether a line holds nothing but JSON whitespace, and so is no record.
#[inline]
pub fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        lines(text.as_bytes()).map(|line| &text[line]).collect()
    }

    #[test]
    fn a_line_end_at_the_end_starts_no_line() {
        assert_eq!(split("a\nb\n"), ["a", "b"]);
        assert_eq!(split("a\nb"), ["a", "b"]);
        assert_eq!(split(""), [""; 0]);
    }

    #[test]
    fn empty_lines_and_carriage_returns_are_kept() {
        assert_eq!(split("\n\na\r\n"), ["", "", "a\r"]);
    }

    #[test]
    fn counting_gives_the_number_of_lines() {
        for text in ["", "\n", "a", "a\n", "a\nb", "\n\n", "a\n\nb\n"] {
            assert_eq!(count(text.as_bytes()), split(text).len(), "{text:?}");
        }
    }

    #[test]
    fn only_json_whitespace_is_blank() {
        assert!(is_blank(b"") && is_blank(b" \t\r"));
        assert!(!is_blank(b"\0") && !is_blank(b"\x0b") && !is_blank("\u{a0}".as_bytes()));
    }
}
