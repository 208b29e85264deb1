//! Takes a JSON array apart: where each of its elements starts and ends, byte for byte. Pure.
//!
//! Elements are not parsed: brackets are counted and strings skipped, which is enough to find the commas between
//! elements. Whether an element is JSON is for whoever takes it to check; when all of them are, so is the array.

use std::ops::Range;

/// Why a text is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArrayError {
    /// It begins with something else.
    #[error("does not begin with [")]
    Start,
    /// Two commas follow each other, or one stands at the start or the end.
    #[error("has a comma without a value beside it")]
    Hole,
    /// It ends in the middle.
    #[error("ends before its last ]")]
    End,
    /// There is something behind it.
    #[error("is followed by something else")]
    Trailing,
}

/// What comes next in an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An element, without the whitespace around it, and where to look for the next one.
    Element(Range<usize>, Next),
    /// The array has no element.
    Empty,
}

/// What follows an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another one, to be looked for from here.
    At(usize),
    /// Nothing.
    Done,
}

/// Where the first element is to be looked for.
pub(super) fn start(text: &[u8]) -> Result<usize, ArrayError> {
    let at = skip_space(text, 0);
    if text.get(at) == Some(&b'[') { Ok(at + 1) } else { Err(ArrayError::Start) }
}

/// The element at or after `from`; `is_first` says that the array may end here.
pub(super) fn step(text: &[u8], from: usize, is_first: bool) -> Result<Step, ArrayError> {
    let start = skip_space(text, from);
    let separator = end_of_element(text, start)?;
    let is_end = text[separator] == b']';
    if separator == start {
        if !is_first || !is_end {
            return Err(ArrayError::Hole);
        }
        nothing_after(text, separator)?;
        return Ok(Step::Empty);
    }
    let space = text[start..separator].iter().rev().take_while(|byte| is_space(**byte)).count();
    let next = if is_end {
        nothing_after(text, separator)?;
        Next::Done
    } else {
        Next::At(separator + 1)
    };
    Ok(Step::Element(start..separator - space, next))
}

/// The comma or the bracket behind an element that starts here.
fn end_of_element(text: &[u8], start: usize) -> Result<usize, ArrayError> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match text.get(at).ok_or(ArrayError::End)? {
            b',' | b']' if depth == 0 => return Ok(at),
            b'[' | b'{' => depth += 1,
            // A brace too many is left in the element, where it is found to be no JSON.
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = end_of_string(text, at)?,
            _ => {}
        }
        at += 1;
    }
}

/// The quote that closes the string that is opened here.
fn end_of_string(text: &[u8], open: usize) -> Result<usize, ArrayError> {
    let mut at = open + 1;
    loop {
        let found = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default());
        at += found.ok_or(ArrayError::End)?;
        if text[at] == b'"' {
            return Ok(at);
        }
        at += 2; // an escape, whatever it is
    }
}

fn nothing_after(text: &[u8], end: usize) -> Result<(), ArrayError> {
    if skip_space(text, end + 1) == text.len() { Ok(()) } else { Err(ArrayError::Trailing) }
}

fn skip_space(text: &[u8], from: usize) -> usize {
    from + text[from..].iter().take_while(|byte| is_space(**byte)).count()
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Result<Vec<&str>, ArrayError> {
        let mut found = Vec::new();
        let mut from = start(text.as_bytes())?;
        loop {
            match step(text.as_bytes(), from, found.is_empty())? {
                Step::Empty => return Ok(found),
                Step::Element(range, next) => {
                    found.push(&text[range]);
                    let Next::At(at) = next else { return Ok(found) };
                    from = at;
                }
            }
        }
    }

    #[test]
    fn elements_come_out_byte_for_byte() {
        let text = " [ {\"a\" : [1, 2]} ,\"x,]}\\\"\\\\\",\n-0.50e+01,[[],{}],null\t]\r\n";
        let expected = ["{\"a\" : [1, 2]}", "\"x,]}\\\"\\\\\"", "-0.50e+01", "[[],{}]", "null"];
        assert_eq!(elements(text).unwrap(), expected);
    }

    #[test]
    fn an_array_may_be_empty() {
        assert_eq!(elements("[]").unwrap(), [""; 0]);
        assert_eq!(elements("\n[ \t]\n").unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_array_is_told_apart() {
        for (text, error) in [
            ("", ArrayError::Start),
            ("{}", ArrayError::Start),
            ("[", ArrayError::End),
            ("[1", ArrayError::End),
            ("[1,", ArrayError::End),
            ("[\"a]", ArrayError::End),
            ("[\"a\\", ArrayError::End),
            ("[\"a\\\"]", ArrayError::End),
            ("[{]", ArrayError::End),
            ("[,1]", ArrayError::Hole),
            ("[1,,2]", ArrayError::Hole),
            ("[1,]", ArrayError::Hole),
            ("[1]]", ArrayError::Trailing),
            ("[1] [2]", ArrayError::Trailing),
            ("[] x", ArrayError::Trailing),
        ] {
            assert_eq!(elements(text), Err(error), "{text}");
        }
    }

    #[test]
    fn wherever_an_array_is_cut_it_ends_too_early() {
        let text = r#"[{"a":"]\"","b":[1,{"c":[]}]},"x\\",[ ],5]"#;
        assert_eq!(elements(text).unwrap().len(), 4);
        for end in 1..text.len() {
            assert_eq!(elements(&text[..end]), Err(ArrayError::End), "{}", &text[..end]);
        }
    }

    #[test]
    fn nesting_needs_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(elements(&deep).unwrap().len(), 1);
    }
}
