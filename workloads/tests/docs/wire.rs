//! The worked example of the wire format: our reader and the document's Python reader both make of it what the
//! document says.

use std::process::Command;

use batchpipe_api::envelope::{CONTENT_ENCODING, CONTENT_TYPE, Envelope, HEADER, NDJSON};
use batchpipe_workloads::{
    dead_letter_header::DeadLetterHeader,
    decode::{Batch, Headers, Limits, Message, Opener},
};

use crate::{document, markdown::Document};

/// The message as the document shows it.
struct Example {
    records: String,
    headers: Vec<(String, String)>,
    hex: String,
}

fn example() -> Example {
    let document = document("docs/wire-format.md");
    let lines = document.block_with("text", "value: ").lines();
    let mut headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (_, hex) = headers.pop().unwrap();
    let records = document.block_with("json", "room").trim_end().to_owned();
    Example { records, headers, hex }
}

impl Example {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn value(&self) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&self.hex[at..at + 2], 16).unwrap();
        (0..self.hex.len()).step_by(2).map(digits).collect()
    }
}

#[test]
fn our_reader_opens_the_example() {
    let example = example();
    let value = example.value();
    let headers = Headers::new(
        Some(example.header(CONTENT_ENCODING).as_bytes()),
        Some(example.header(HEADER).as_bytes()),
    );
    let message = Message { value: Some(&value), headers };
    let limits = Limits { max_bytes: 1 << 20, max_records: 1000 };
    let mut batch = Batch::default();
    Opener::new().open(&message, &limits, true, &mut batch).unwrap();
    assert_eq!(String::from_utf8(batch.text).unwrap(), example.records);
    assert_eq!(batch.records, 3);
    assert_eq!(example.header(CONTENT_TYPE), NDJSON);
}

#[test]
fn the_python_reader_opens_the_example() {
    let document = document("docs/wire-format.md");
    let reader = document.block_with("python", "def records");
    let example = example();
    let (hex, encoding) = (&example.hex, example.header(CONTENT_ENCODING));
    let envelope = example.header(HEADER);
    let call = format!(
        "headers = {{'content-encoding': '{encoding}', 'batchpipe': '{envelope}'}}\n\
         for record in records(bytes.fromhex('{hex}'), headers): print(record.decode())\n\
         assert records(b'', headers) == []\n"
    );
    let output = Command::new("python3").args(["-c", &format!("{reader}\n{call}")]).output();
    let output = output.expect("python3 is there: `make needs` installs it");
    let (out, errors) = (output.stdout.as_slice(), String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(out).trim_end(), example.records, "{errors}");
    assert!(output.status.success(), "{errors}");
}

#[test]
fn every_envelope_is_one() {
    let mut seen = 0;
    for envelope in
        document("docs/wire-format.md").code().iter().filter(|it| it.starts_with("v=1;"))
    {
        assert_eq!(Envelope::parse(envelope.as_bytes()).unwrap().to_string(), *envelope);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn every_dead_letter_header_is_one() {
    let document: Document = document("docs/wire-format.md");
    let headers = document.block_with("text", "batchpipe-dlq").lines();
    for header in headers.map(|line| line.strip_prefix("batchpipe-dlq: ").unwrap()) {
        assert_eq!(DeadLetterHeader::parse(header.as_bytes()).unwrap().to_string(), header);
    }
}
