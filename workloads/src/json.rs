//! What counts as a record: one JSON value in UTF-8. The producer seals by this rule and the consumer checks by it.
//!
//! Pure; no values are built and nothing is altered, so numbers of any size and duplicate keys pass as they are.
//! A lone surrogate escape (`"\ud800"`) passes, because its bytes are proper JSON; a byte order mark, a raw
//! control character in a string and more than [`MAX_DEPTH`] levels of nesting do not.

use serde::de::IgnoredAny;

/// The deepest nesting of arrays and objects: what parsers commonly allow, so that no reader further down
/// runs out of stack on what we let through.
pub const MAX_DEPTH: usize = 128;

/// Whether `record` is one JSON value in UTF-8, with nothing but whitespace around it.
pub fn is_json_record(record: &[u8]) -> bool {
    is_utf8(record) && is_json_in_utf8(record)
}

/// Whether `text` is UTF-8; cheapest for a whole chunk at once.
pub fn is_utf8(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok()
}

/// Whether `text` is UTF-8 without control characters other than the whitespace that JSON knows.
pub fn is_clean_text(text: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    is_utf8(text) && !text.iter().any(is_control)
}

/// Whether the first character, after whitespace, can start a JSON value.
pub fn can_start(text: &[u8]) -> bool {
    text.trim_ascii_start().first().is_none_or(|first| b"{[\"-0123456789tfn".contains(first))
}

/// [`is_json_record`] for a part of a text that is known to be UTF-8.
#[inline]
pub fn is_json_in_utf8(record: &[u8]) -> bool {
    // The parser skips values without recursion, and so without a limit of its own.
    serde_json::from_slice::<IgnoredAny>(record).is_ok() && !is_too_deep(record)
}

/// Whether a JSON text nests more than [`MAX_DEPTH`] levels.
#[inline]
pub(crate) fn is_too_deep(json: &[u8]) -> bool {
    // Every level needs two brackets, and few records have as many as that.
    json.len() > 2 * MAX_DEPTH
        && memchr::memchr2_iter(b'[', b'{', json).nth(MAX_DEPTH).is_some()
        && depth(json) > MAX_DEPTH
}

fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth -= 1,
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn any_single_json_value_is_a_record() {
        for record in [
            "{}",
            "[]",
            "0",
            "-0",
            "1e999",
            "9223372036854775809",
            "\"\"",
            "null",
            "true",
            " {\"a\":1}\t\r",
            "{\"a\":1,\"a\":2}",
            r#""\ud800""#,
            r#""\u0000""#,
            "\"\u{2028}\u{7f}\"",
            "\"\u{10ffff}\"",
        ] {
            assert!(is_json_record(record.as_bytes()), "{record}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for record in [
            &b""[..],
            b" ",
            b"{",
            b"{}{}",
            b"1 2",
            b"{\"a\":}",
            b"'a'",
            b"{a:1}",
            b"[1,]",
            b"01",
            b"+1",
            b".5",
            b"NaN",
            b"\xef\xbb\xbf{}",
            b"\0{}",
            b"{}\0",
            b"\"\x01\"",
            b"\"\t\"",
            b"\"\xff\"",
            b"\"\xed\xa0\x80\"",
            b"\"\\x\"",
            b"\"\\u12\"",
            b"nul",
            b"// x\n1",
        ] {
            assert!(!is_json_record(record), "{}", String::from_utf8_lossy(record));
        }
    }

    #[test]
    fn compressed_data_is_told_from_text() {
        assert!(is_clean_text("{\"a\":\"\u{e9}\u{feff}\"}\r\n\t".as_bytes()));
        assert!(!is_clean_text(b"a\0") && !is_clean_text(b"\x1b") && !is_clean_text(b"\xff"));
        assert!(can_start(b" \n[") && can_start(b"-1") && can_start(b"") && can_start(b" "));
        assert!(!can_start(b"x") && !can_start(b"\xef\xbb\xbf{}") && !can_start(b"\x28\xb5"));
    }

    #[test]
    fn nesting_is_limited_and_needs_no_stack() {
        assert!(is_json_record(nested(MAX_DEPTH).as_bytes()));
        assert!(!is_json_record(nested(MAX_DEPTH + 1).as_bytes()));
        assert!(!is_json_record(nested(100_000).as_bytes()));
        assert!(!is_json_record("[".repeat(100_000).as_bytes()));
    }

    #[test]
    fn brackets_in_strings_and_side_by_side_are_no_nesting() {
        let text = format!("\"{}\\\"[\"", "[{".repeat(1000));
        assert!(is_json_record(text.as_bytes()));
        let wide = format!("[{}{{}}]", "[],".repeat(1000));
        assert!(is_json_record(wide.as_bytes()));
    }

    #[test]
    fn a_megabyte_string_is_a_record() {
        assert!(is_json_record(format!("\"{}\"", "x".repeat(10 << 20)).as_bytes()));
    }
}
