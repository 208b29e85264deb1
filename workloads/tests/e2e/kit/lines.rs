//! Lines of records: many realistic and difficult ones, and comparing them byte for byte.

use batchpipe_workloads::source::generator::{ProfileName, generate};

/// Records that are easy to alter by accident: what a parser would normalise has to come back as it was.
const DIFFICULT: [&str; 12] = [
    r#"{"exponent":1e999,"tiny":-1E-400,"zero":-0,"beyond":9223372036854775809}"#,
    r#"{"precise":0.1000000000000000055511151231257827,"padded":1.50}"#,
    r#"{"twice":1,"twice":2,"twice":{"twice":[]}}"#,
    "{\"text\":\"na\u{ef}ve \u{6f22}\u{5b57} \u{1f980} \u{2028}\u{feff}\"}",
    r#"{"escapes":"\u0000\ud83e\udd80 \/ \\ \" \u00e9"}"#,
    "  { \"spaces\" :\t[ 1 , 2 ] }  ",
    r#""a string alone""#,
    "-0",
    "null",
    "[]",
    "[[[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]]]",
    r#"{"":"","long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
];

/// That many records of all profiles by turns, every 50th a difficult one, every 7th with a carriage return.
pub(crate) fn mixed(records: usize) -> Vec<u8> {
    let profiles = ProfileName::ALL.map(|profile| {
        let mut text = Vec::new();
        generate(profile, 7, (records / ProfileName::ALL.len() + 1) as u64, &mut text);
        text
    });
    let mut sources = profiles.each_ref().map(|text| text.split(|byte| *byte == b'\n'));
    let mut mixed = Vec::with_capacity(records * 180);
    for number in 0..records {
        let ordinary = sources[number % sources.len()].next().unwrap();
        let difficult = DIFFICULT[number / 50 % DIFFICULT.len()].as_bytes();
        mixed.extend_from_slice(if number % 50 == 49 { difficult } else { ordinary });
        mixed.extend_from_slice(if number % 7 == 6 { b"\r\n" } else { b"\n" });
    }
    mixed
}

/// The lines of a text, each with its end.
pub(crate) fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// The lines in an order that does not depend on how they came.
pub(crate) fn sorted(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = lines(text);
    lines.sort_unstable();
    lines
}

/// Fails unless both texts hold the same lines equally often.
pub(crate) fn assert_same_lines(found: &[u8], expected: &[u8]) {
    let (found, expected) = (sorted(found), sorted(expected));
    let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
    if let Some(at) = differs {
        let (found, expected) = (text(found[at]), text(expected[at]));
        panic!("line {at} in order differs:\nfound    {found:?}\nexpected {expected:?}");
    }
    assert_eq!(found.len(), expected.len(), "lines are missing or too many");
}

/// Fails unless both texts are equal, and says where they begin to differ.
pub(crate) fn assert_same_text(found: &[u8], expected: &[u8]) {
    let (found, expected) = (lines(found), lines(expected));
    let differs = found.iter().zip(&expected).position(|(found, expected)| found != expected);
    if let Some(at) = differs {
        let (found, expected) = (text(found[at]), text(expected[at]));
        panic!("line {at} differs:\nfound    {found:?}\nexpected {expected:?}");
    }
    assert_eq!(found.len(), expected.len(), "lines are missing or too many");
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}
