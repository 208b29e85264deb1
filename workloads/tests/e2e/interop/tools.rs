//! Message values handed to programs that know nothing of us: what they unpack are the exact records.

use std::{
    io::{Seek as _, Write as _},
    process::Command,
};

use crate::kit::{
    command::{Running, batchpipe, python, run},
    lines::{assert_same_lines, mixed},
    pipeline::Pipeline,
    topic,
};

/// Writes records through a codec to a topic of that name, one message for 500 of them.
fn produce(topic: &str, codec: &str, records: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::new(topic);
    pipeline.compression = format!("{{codec: {codec}}}");
    pipeline.partitions = 3;
    let path = pipeline.write(folder.path());
    let mut command = batchpipe(&["produce", "-f", path.to_str().unwrap()]);
    command.stdin(file(records));
    Running::start(command).wait().success();
    let encodings: Vec<_> = topic::read(topic)
        .iter()
        .map(|message| message.header("content-encoding").unwrap().to_owned())
        .collect();
    let wanted = if codec == "none" { "identity" } else { codec };
    assert!(encodings.len() >= 4 && encodings.iter().all(|found| found == wanted), "{encodings:?}");
}

fn file(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// What a tool prints when every message's value is given to it, each followed by a line end.
fn unpack(tool: &str, topic: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for message in topic::read(topic) {
        let mut command = Command::new(tool);
        command.args(["-d", "-c"]).stdin(file(&message.value.unwrap()));
        text.extend(Running::start(command).wait().success().stdout);
        text.push(b'\n');
    }
    text
}

#[test]
fn command_line_tools_unpack_the_exact_records() {
    let records = mixed(2_000);
    for tool in ["gzip", "zstd", "lz4"] {
        let topic = format!("for-the-tool-{tool}");
        produce(&topic, tool, &records);
        assert_same_lines(&unpack(tool, &topic), &records);
    }
}

#[test]
fn a_reader_in_python_unpacks_the_exact_records() {
    let records = mixed(2_000);
    for format in ["gzip", "zlib", "snappy", "none"] {
        let topic = format!("for-python-{format}");
        produce(&topic, format, &records);
        let mut reader = python("plain_reader.py", &["--format", format]);
        reader.env("KAFKA_TOPIC", &topic);
        assert_same_lines(&run(reader).stdout, &records);
    }
}
