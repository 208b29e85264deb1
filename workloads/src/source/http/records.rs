//! From a request's text to lines that can be handed over: every record is checked, or nothing is taken. Pure.
//!
//! The checks are those of the intake, by the same function, so what passes here is no dead letter there.

use super::array::{self, ArrayError, Next, Step};
use crate::{
    chunk::{self, Rules},
    json, lines,
};

/// How records stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One on each line.
    Lines,
    /// Elements of one array.
    Array,
}

/// What is asked of every record.
#[derive(Clone, Debug)]
pub(super) struct Checks {
    pub(super) rules: Rules,
    /// The largest record, in bytes.
    pub(super) max_record_bytes: usize,
}

/// What is in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) records: u64,
    /// Records in which line breaks between tokens became spaces.
    pub(super) newlines_replaced: u64,
}

/// Where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A line, from 1, blank ones counted too.
    Line(u64),
    /// An element of the array, from 0.
    Index(u64),
    /// The text as a whole.
    Text,
}

/// Why nothing of a text can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// A record is no JSON.
    #[error("is not one JSON value in UTF-8, nested {} levels at most", json::MAX_DEPTH)]
    Json,
    /// A record is longer than a batch may be.
    #[error("has {bytes} bytes, and spec.batch.maxBytes allows {most}")]
    Long {
        /// Its size.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// A record that nobody validated goes over several lines.
    #[error(
        "has a line break, which can be made a space only where validate: Json has shown that it is between tokens"
    )]
    Newline,
    /// The text is no array.
    #[error(
        "{0}; application/json must be one array, and application/x-ndjson a record on each line"
    )]
    Array(ArrayError),
}

/// Checks all records of `text` and leaves it as lines.
pub(super) fn prepare(
    text: &mut Vec<u8>,
    format: Format,
    checks: &Checks,
) -> Result<Found, (Place, Fault)> {
    // One pass over the whole text is several times faster than one for each record.
    let all_utf8 = !checks.rules.validate || json::is_utf8(text);
    match format {
        Format::Lines => check_lines(text, all_utf8, checks),
        Format::Array => to_lines(text, all_utf8, checks),
    }
}

fn check_lines(text: &[u8], all_utf8: bool, checks: &Checks) -> Result<Found, (Place, Fault)> {
    let mut found = Found::default();
    for (number, line) in (1..).zip(lines::lines(text)) {
        let record = &text[line];
        if !lines::is_blank(record) {
            check(record, all_utf8, checks).map_err(|fault| (Place::Line(number), fault))?;
            found.records += 1;
        }
    }
    Ok(found)
}

/// An element is followed by a comma or a bracket, so there is always room for its line end, and no line is ever
/// written over what was not read yet.
fn to_lines(text: &mut Vec<u8>, all_utf8: bool, checks: &Checks) -> Result<Found, (Place, Fault)> {
    let (mut found, mut written) = (Found::default(), 0);
    let mut from = array::start(text).map_err(not_an_array)?;
    loop {
        let step = array::step(text, from, found.records == 0).map_err(not_an_array)?;
        let Step::Element(element, next) = step else { break };
        let record = &mut text[element.clone()];
        let is_replaced = check(record, all_utf8, checks)
            .and_then(|()| replace_newlines(record, checks.rules.validate))
            .map_err(|fault| (Place::Index(found.records), fault))?;
        found.newlines_replaced += u64::from(is_replaced);
        found.records += 1;
        let end = written + element.len();
        text.copy_within(element, written);
        text[end] = b'\n';
        written = end + 1;
        let Next::At(at) = next else { break };
        from = at;
    }
    text.truncate(written);
    Ok(found)
}

/// Makes one line of a record; whether it was more. JSON allows no line break within a string, and between tokens a
/// space means the same, so nothing else of a valid record is changed.
fn replace_newlines(record: &mut [u8], is_valid: bool) -> Result<bool, Fault> {
    if memchr::memchr(b'\n', record).is_none() {
        return Ok(false);
    }
    if !is_valid {
        return Err(Fault::Newline);
    }
    record.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    Ok(true)
}

const fn not_an_array(error: ArrayError) -> (Place, Fault) {
    (Place::Text, Fault::Array(error))
}

fn check(record: &[u8], known_utf8: bool, checks: &Checks) -> Result<(), Fault> {
    let most = checks.max_record_bytes;
    if record.len() > most {
        return Err(Fault::Long { bytes: record.len(), most });
    }
    chunk::check(record, known_utf8, &checks.rules).map(drop).map_err(|_| Fault::Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Pointer;

    fn checks(validate: bool, key: Option<&str>) -> Checks {
        let key = key.map(|key| Pointer::parse(key).unwrap());
        Checks { rules: Rules { validate, key }, max_record_bytes: 20 }
    }

    fn run(
        text: &[u8],
        format: Format,
        checks: &Checks,
    ) -> Result<(Vec<u8>, Found), (Place, Fault)> {
        let mut text = text.to_vec();
        prepare(&mut text, format, checks).map(|found| (text, found))
    }

    #[test]
    fn lines_stay_as_they_are_and_blank_ones_are_no_records() {
        let text = b"{\"a\":1}\r\n\n \t\r\n[ 2 ]\n3";
        let (lines, found) = run(text, Format::Lines, &checks(true, None)).unwrap();
        assert_eq!(lines, text);
        assert_eq!(found, Found { records: 3, newlines_replaced: 0 });
        assert_eq!(run(b"", Format::Lines, &checks(true, None)).unwrap().1.records, 0);
    }

    #[test]
    fn a_bad_line_is_named_wherever_it_is() {
        for key in [None, Some("/k")] {
            for (text, line) in
                [("x\n1\n2", 1), ("1\n\n{\n2", 3), ("1\n2\n{\"a\":}", 3), ("1\n\n2\n\u{1}", 4)]
            {
                let error = run(text.as_bytes(), Format::Lines, &checks(true, key)).unwrap_err();
                assert_eq!(error, (Place::Line(line), Fault::Json), "{text:?}");
            }
            let error = run(b"1\n\"\xff\"\n", Format::Lines, &checks(true, key)).unwrap_err();
            assert_eq!(error, (Place::Line(2), Fault::Json));
        }
    }

    #[test]
    fn a_long_record_is_named_with_its_size() {
        let text = [b"1\n".to_vec(), vec![b'2'; 20], b"\n".to_vec(), vec![b'3'; 21]].concat();
        for validate in [true, false] {
            let error = run(&text, Format::Lines, &checks(validate, None)).unwrap_err();
            assert_eq!(error, (Place::Line(3), Fault::Long { bytes: 21, most: 20 }));
        }
    }

    #[test]
    fn elements_become_lines_byte_for_byte() {
        let text = b" [ {\"a\" :1.50} ,\"\\u00e9, ]\",\t1e999 , [1,[2]],{}]\n";
        let (lines, found) = run(text, Format::Array, &checks(true, None)).unwrap();
        assert_eq!(lines, b"{\"a\" :1.50}\n\"\\u00e9, ]\"\n1e999\n[1,[2]]\n{}\n");
        assert_eq!(found.records, 5);
        let (lines, found) = run(b"[]", Format::Array, &checks(true, None)).unwrap();
        assert_eq!((lines.len(), found.records), (0, 0));
    }

    #[test]
    fn line_breaks_within_an_element_become_spaces_and_are_counted() {
        let text = b"[\n{\n \"a\":\r\n1},\n2,\n[\n]\n]";
        let (lines, found) = run(text, Format::Array, &checks(true, None)).unwrap();
        assert_eq!(lines, b"{  \"a\":\r 1}\n2\n[ ]\n");
        assert_eq!(found, Found { records: 3, newlines_replaced: 2 });
    }

    #[test]
    fn a_bad_element_is_named_by_its_index() {
        for (text, index) in [("[x,1]", 0), ("[1,{\"a\"},2]", 1), ("[1,2,'a']", 2), ("[1,{]]", 1)] {
            let error = run(text.as_bytes(), Format::Array, &checks(true, None)).unwrap_err();
            assert_eq!(error, (Place::Index(index), Fault::Json), "{text}");
        }
        // A line break in a string is no JSON, and is not made JSON by replacing it.
        let error = run(b"[\"a\nb\"]", Format::Array, &checks(true, None)).unwrap_err();
        assert_eq!(error, (Place::Index(0), Fault::Json));
    }

    #[test]
    fn what_is_no_array_is_said() {
        let error = run(b"{}", Format::Array, &checks(true, None)).unwrap_err();
        assert_eq!(error, (Place::Text, Fault::Array(ArrayError::Start)));
        assert!(error.1.to_string().contains("application/x-ndjson"));
    }

    #[test]
    fn without_validation_anything_passes_that_has_a_place() {
        let (_, found) = run(b"x\n\xff\n{", Format::Lines, &checks(false, None)).unwrap();
        assert_eq!(found.records, 3);
        let (lines, _) = run(b"[x, y z]", Format::Array, &checks(false, None)).unwrap();
        assert_eq!(lines, b"x\ny z\n");
    }

    #[test]
    fn a_line_break_that_may_mean_something_is_not_replaced() {
        for text in ["[1,{\n}]", "[1,'a\nb']"] {
            let error = run(text.as_bytes(), Format::Array, &checks(false, None)).unwrap_err();
            assert_eq!(error, (Place::Index(1), Fault::Newline), "{text:?}");
        }
        let between = run(b"[\n1\n,\n2\n]", Format::Array, &checks(false, None)).unwrap();
        assert_eq!((between.0.as_slice(), between.1.newlines_replaced), (&b"1\n2\n"[..], 0));
    }
}
