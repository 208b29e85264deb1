//! A file that grows and is rotated while the pipeline reads it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::Path,
};

use crate::kit::{
    command::{Running, batchpipe},
    lines::{assert_same_text, lines, mixed},
    pipeline::{Pipeline, delivered},
};

const TOPIC: &str = "followed";

fn append(path: &Path, text: &[u8]) {
    OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text).unwrap();
}

/// Sink files appear only when they are full or a moment has passed, so a short interval is set.
fn pipeline(folder: &Path) -> Pipeline {
    let mut pipeline = Pipeline::new(TOPIC).following(&folder.join("in.ndjson"));
    pipeline.partitions = 1;
    let out = folder.join("out").display().to_string();
    pipeline.sink = format!("{{file: {{path: {out:?}, roll: {{interval: 1s}}}}}}");
    pipeline
}

#[test]
fn what_is_appended_and_rotated_while_running_arrives_once_and_in_order() {
    let records = mixed(6_000);
    let lines = lines(&records);
    let parts: Vec<Vec<u8>> = lines.chunks(1_000).map(<[_]>::concat).collect();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.ndjson");
    let path = pipeline(folder.path()).write(folder.path());
    let out = folder.path().join("out");
    let arrived = |bytes: usize| out.exists() && delivered(&out, TOPIC, 1)[0].len() == bytes;

    append(&input, &parts[0]);
    let mut running = Running::start(batchpipe(&["run", "-f", path.to_str().unwrap()]));
    let mut bytes = parts[0].len();
    running.until("the first part arrived", || arrived(bytes));

    append(&input, &parts[1]);
    bytes += parts[1].len();
    running.until("what was appended arrived", || arrived(bytes));

    // Half a line is no record: it waits for its end.
    let (half, rest) = parts[2].split_at(parts[2].len() / 2);
    append(&input, half);
    append(&input, rest);
    // Renamed at once, as logrotate does, and a new file in its place.
    fs::rename(&input, folder.path().join("in.ndjson.1")).unwrap();
    append(&input, &parts[3]);
    bytes += parts[2].len() + parts[3].len();
    running.until("both sides of the rotation arrived", || arrived(bytes));

    // The new file is followed as the first one was.
    append(&input, &parts[4]);
    bytes += parts[4].len();
    running.until("the new file is followed", || arrived(bytes));
    running.stop().success();

    // Rotated and written while nobody reads.
    fs::rename(&input, folder.path().join("in.ndjson.2")).unwrap();
    File::create(&input).unwrap().write_all(&parts[5]).unwrap();
    bytes += parts[5].len();
    let mut running = Running::start(batchpipe(&["run", "-f", path.to_str().unwrap()]));
    running.until("the next run went on", || arrived(bytes));
    running.stop().success();
    assert_same_text(&delivered(&out, TOPIC, 1)[0], &records);
}
