//! The promise of the file sink: each record exactly once, whenever the process dies and whatever fails.

mod failures;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    FileOptions, FileSink, Roll,
    folder::Folder,
    name::Series,
    part::{BUFFER_BYTES, Part, Stage},
};
use crate::{
    kafka::gap::Gap,
    sink::{Delivery, Durable, Sink, WriteError, Writer, tenure::lasting},
};

const NEVER: Roll = Roll { max_bytes: u64::MAX, interval: Duration::MAX };

fn sink(folder: &Path, roll: Roll) -> FileSink {
    FileSink::new(FileOptions { path: folder.to_owned(), roll }).unwrap()
}

fn put(
    writer: &mut dyn Writer,
    offset: i64,
    text: &[u8],
    now: Instant,
) -> Result<Durable, WriteError> {
    let whole = 0..text.len();
    let runs = std::slice::from_ref(&whole);
    writer.write(&Delivery { offset, timestamp_ms: 0, text, runs, records: 1, packed: None }, now)
}

fn sink_folder(folder: &Path) -> Arc<Folder> {
    Arc::new(Folder::open(folder.to_owned()).unwrap())
}

fn series() -> Series {
    Series { topic: "t".to_owned(), partition: 0 }
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.into_iter().filter(|name| name != ".batchpipe.lock").collect()
}

/// What `cat *.ndjson` prints.
fn content(folder: &Path) -> String {
    let complete = names(folder).into_iter().filter(|name| !name.starts_with('.'));
    complete.map(|name| fs::read_to_string(folder.join(name)).unwrap()).collect()
}

/// The folder as a process that is killed right now leaves it.
fn after_a_kill(folder: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// Delivers messages 0 to 9, each holding its offset, from `committed` or from where the sink wants.
fn deliver_the_rest(folder: &Path, committed: i64) {
    let sink = sink(folder, NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    for offset in committed.max(writer.resume_at().unwrap_or(0))..10 {
        put(writer.as_mut(), offset, offset.to_string().as_bytes(), Instant::now()).unwrap();
    }
    assert_eq!(writer.flush().unwrap(), Durable::All);
}

const ALL: &str = "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n";

#[test]
fn records_become_visible_and_durable_together() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(3)).unwrap();
    let now = Instant::now();
    assert_eq!(put(writer.as_mut(), 7, b"a", now).unwrap(), Durable::Before(7));
    assert_eq!(put(writer.as_mut(), 9, b"b\nc", now).unwrap(), Durable::Before(7));
    assert_eq!(names(folder.path()), [".t-3-00000000000000000007.part"]);
    assert_eq!(writer.flush().unwrap(), Durable::All);
    assert_eq!(names(folder.path()), ["t-3-00000000000000000007-00000000000000000009.ndjson"]);
    assert_eq!(content(folder.path()), "a\nb\nc\n");
}

#[test]
fn a_kill_between_any_two_calls_neither_loses_nor_doubles() {
    let folder = TempDir::new().unwrap();
    let small = Roll { max_bytes: 5, interval: Duration::MAX };
    let sink = sink(folder.path(), small);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    for offset in 0..10 {
        let text = offset.to_string();
        let durable = put(writer.as_mut(), offset, text.as_bytes(), Instant::now()).unwrap();
        let committed = if let Durable::Before(first) = durable { first } else { offset + 1 };
        // The commit may have got through or not.
        for committed in [0, committed] {
            let restarted = after_a_kill(folder.path());
            deliver_the_rest(restarted.path(), committed);
            assert_eq!(content(restarted.path()), ALL, "killed after {offset}, from {committed}");
        }
    }
    assert!(names(folder.path()).len() >= 3, "files were completed on the way");
}

#[test]
fn a_kill_at_any_step_of_completing_a_file_neither_loses_nor_doubles() {
    let folder = TempDir::new().unwrap();
    let opened = sink_folder(folder.path());
    let mut part = Part::create(&opened, &series(), 0, Instant::now()).unwrap();
    for offset in 0..4 {
        part.append(offset, &[offset.to_string().as_bytes(), b"\n"]).unwrap();
    }
    let mut steps = Vec::new();
    while part.stage() < Stage::Complete {
        part.advance().unwrap();
        steps.push(part.stage());
        let restarted = after_a_kill(folder.path());
        deliver_the_rest(restarted.path(), 0);
        assert_eq!(content(restarted.path()), ALL, "killed at {:?}", part.stage());
    }
    assert_eq!(steps, [Stage::Synced, Stage::Renamed, Stage::Complete]);
}

#[test]
fn a_torn_file_is_removed_at_the_start() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".t-0-00000000000000000004.part"), "4\n5").unwrap();
    fs::write(folder.path().join(".other.part"), "not ours").unwrap();
    let sink = sink(folder.path(), NEVER);
    assert_eq!(names(folder.path()), [".other.part"]);
    assert_eq!(sink.open("t", lasting(0)).unwrap().resume_at(), None);
}

#[test]
fn a_writer_goes_on_behind_its_newest_file() {
    let folder = TempDir::new().unwrap();
    deliver_the_rest(folder.path(), 0);
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    assert_eq!(writer.resume_at(), Some(10));
    for offset in 0..12 {
        put(writer.as_mut(), offset, offset.to_string().as_bytes(), Instant::now()).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(content(folder.path()), format!("{ALL}10\n11\n"));
}

#[test]
fn a_message_that_is_offered_again_is_not_written_again() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    for offset in [0, 1, 0, 1, 2] {
        put(writer.as_mut(), offset, offset.to_string().as_bytes(), Instant::now()).unwrap();
    }
    writer.flush().unwrap();
    assert_eq!(content(folder.path()), "0\n1\n2\n");
}

#[test]
fn partitions_and_topics_with_like_names_do_not_mix() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let series = [("a", 0), ("a", 1), ("a-1", 0), ("a-1-0", 0), ("a.b", 0)];
    for (size, (topic, partition)) in (1..).zip(series) {
        let mut writer = sink.open(topic, lasting(partition)).unwrap();
        assert_eq!(writer.resume_at(), None, "{topic} {partition}");
        put(writer.as_mut(), size, b"x", Instant::now()).unwrap();
        writer.flush().unwrap();
    }
    for (size, (topic, partition)) in (1..).zip(series) {
        let resume = sink.open(topic, lasting(partition)).unwrap().resume_at();
        assert_eq!(resume, Some(size + 1), "{topic} {partition}");
    }
}

#[test]
fn a_file_is_completed_when_it_is_large_enough() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), Roll { max_bytes: 8, interval: Duration::MAX });
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let now = Instant::now();
    assert_eq!(put(writer.as_mut(), 0, b"aaa", now).unwrap(), Durable::Before(0));
    assert_eq!(writer.tick(now).unwrap(), Durable::Before(0));
    assert_eq!(put(writer.as_mut(), 1, b"bbb", now).unwrap(), Durable::Before(0));
    assert_eq!(writer.tick(now).unwrap(), Durable::All);
    assert_eq!(names(folder.path()), ["t-0-00000000000000000000-00000000000000000001.ndjson"]);
}

#[test]
fn a_file_is_completed_when_it_is_old_enough() {
    let folder = TempDir::new().unwrap();
    let interval = Duration::from_mins(1);
    let sink = sink(folder.path(), Roll { max_bytes: u64::MAX, interval });
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let start = Instant::now();
    put(writer.as_mut(), 0, b"0", start).unwrap();
    assert_eq!(writer.tick(start + Duration::from_millis(59_999)).unwrap(), Durable::Before(0));
    assert_eq!(put(writer.as_mut(), 1, b"1", start + interval).unwrap(), Durable::Before(1));
    assert_eq!(content(folder.path()), "0\n");
}

#[test]
fn skipped_messages_alone_make_no_file() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    assert_eq!(writer.skip(0), Durable::All);
    let nothing =
        Delivery { offset: 1, timestamp_ms: 0, text: b"bad", runs: &[], records: 0, packed: None };
    assert_eq!(writer.write(&nothing, Instant::now()).unwrap(), Durable::All);
    assert_eq!(writer.flush().unwrap(), Durable::All);
    assert!(names(folder.path()).is_empty());
}

/// A disk has turned a bit of the offsets 7 and 8.
#[test]
fn what_was_written_under_offsets_that_are_not_true_is_not_taken_for_what_truly_has_them() {
    // The file is still open, or complete when it turns out; or each message has a file of its own.
    for max_bytes in [u64::MAX, 6, 1] {
        let folder = TempDir::new().unwrap();
        let small = Roll { max_bytes, interval: Duration::MAX };
        let opened = sink(folder.path(), small);
        let mut writer = opened.open("t", lasting(0)).unwrap();
        for (offset, text) in [(5, "5"), (6, "6"), (71, "7"), (72, "8")] {
            put(writer.as_mut(), offset, text.as_bytes(), Instant::now()).unwrap();
            writer.tick(Instant::now()).unwrap();
        }
        writer.close_gap(&Gap::new(7, 71)).unwrap();
        writer.flush().unwrap();
        assert_eq!((writer.resume_at(), content(folder.path())), (Some(9), "5\n6\n7\n8\n".into()));
        drop((writer, opened));
        let opened = sink(folder.path(), NEVER);
        let mut writer = opened.open("t", lasting(0)).unwrap();
        assert_eq!(writer.resume_at(), Some(9));
        for offset in 8..11 {
            put(writer.as_mut(), offset, offset.to_string().as_bytes(), Instant::now()).unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(content(folder.path()), "5\n6\n7\n8\n9\n10\n", "{max_bytes}");
    }
}

#[test]
fn a_file_covers_the_messages_that_were_skipped_while_it_was_open() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    put(writer.as_mut(), 5, b"5", Instant::now()).unwrap();
    assert_eq!(writer.skip(6), Durable::Before(5));
    writer.flush().unwrap();
    assert_eq!(names(folder.path()), ["t-0-00000000000000000005-00000000000000000006.ndjson"]);
    assert_eq!(writer.resume_at(), Some(7));
}

#[test]
fn records_larger_than_the_buffer_keep_their_place() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let sizes = [10, BUFFER_BYTES + 1, 20, BUFFER_BYTES - 1, BUFFER_BYTES, 5];
    let mut expected = Vec::new();
    for (offset, size) in (0..).zip(sizes) {
        let text = vec![b'a' + offset; size];
        put(writer.as_mut(), offset.into(), &text, Instant::now()).unwrap();
        expected.extend_from_slice(&[&text[..], b"\n"].concat());
    }
    writer.flush().unwrap();
    assert!(content(folder.path()).as_bytes() == expected);
}

#[test]
fn a_second_sink_refuses_a_folder_that_is_in_use() {
    let folder = TempDir::new().unwrap();
    let first = sink(folder.path(), NEVER);
    let writer = first.open("t", lasting(0)).unwrap();
    drop(first);
    let options = FileOptions { path: folder.path().to_owned(), roll: NEVER };
    let error = FileSink::new(options.clone()).unwrap_err();
    assert!(matches!(&error, WriteError::Locked { .. }), "{error}");
    assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
    drop(writer);
    FileSink::new(options).unwrap();
}

#[test]
fn one_partition_has_one_writer_at_a_time() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let writer = sink.open("t", lasting(0)).unwrap();
    assert!(sink.open("t", lasting(0)).is_err());
    drop(writer);
    sink.open("t", lasting(0)).unwrap();
}

#[test]
fn a_writer_that_is_given_up_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    put(writer.as_mut(), 0, b"0", Instant::now()).unwrap();
    drop(writer);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let options = FileOptions { path: "/proc/batchpipe-out".into(), roll: NEVER };
    let error = FileSink::new(options).unwrap_err();
    assert_eq!(error.to_string(), "cannot create folder /proc/batchpipe-out");
}

#[test]
fn missing_folders_are_created() {
    let folder = TempDir::new().unwrap();
    deliver_the_rest(&folder.path().join("a/b"), 0);
    assert_eq!(content(&folder.path().join("a/b")), ALL);
}

#[test]
fn a_topic_too_long_for_a_file_name_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let error = sink(folder.path(), NEVER).open(&"a".repeat(249), lasting(0)).err().unwrap();
    assert!(error.to_string().contains("aaa"), "{error}");
}

#[test]
fn partitions_are_written_by_threads_of_their_own() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), Roll { max_bytes: 50, interval: Duration::MAX });
    thread::scope(|scope| {
        for partition in 0..4 {
            let mut writer = sink.open("t", lasting(partition)).unwrap();
            scope.spawn(move || {
                for offset in 0..100 {
                    put(writer.as_mut(), offset, b"0123456789", Instant::now()).unwrap();
                }
                writer.flush().unwrap();
            });
        }
    });
    assert_eq!(content(folder.path()).lines().count(), 400);
}
