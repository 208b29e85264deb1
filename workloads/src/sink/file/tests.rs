//! The promise of the file sink: each record exactly once, whenever the process dies and whatever fails.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

use super::{
    FileOptions, FileSink, Roll,
    folder::Folder,
    name::Series,
    part::{BUFFER_BYTES, Part, Stage},
    writer::FileWriter,
};
use crate::sink::{Delivery, Durable, Sink, WriteError, Writer, tenure::lasting};

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
    let opened = Arc::new(Folder::open(folder.path().to_owned()).unwrap());
    let series = Series { topic: "t".to_owned(), partition: 0 };
    let mut part = Part::create(&opened, &series, 0, Instant::now()).unwrap();
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

/// A writer whose next write fails as on a full disk, and the good file to put back.
fn with_full_disk(folder: &Path, text: &[u8]) -> (FileWriter, File) {
    let opened = Arc::new(Folder::open(folder.to_owned()).unwrap());
    let series = Series { topic: "t".to_owned(), partition: 0 };
    let mut writer = FileWriter::open(&opened, series, NEVER).unwrap();
    put(&mut writer, 0, text, Instant::now()).unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let good = std::mem::replace(&mut writer.part.as_mut().unwrap().file, full);
    (writer, good)
}

#[test]
fn a_failed_write_is_done_again_in_the_same_place() {
    let folder = TempDir::new().unwrap();
    let long = "l".repeat(BUFFER_BYTES + 1);
    let (mut writer, good) = with_full_disk(folder.path(), b"0");
    for _ in 0..2 {
        let error = put(&mut writer, 1, long.as_bytes(), Instant::now()).unwrap_err();
        assert!(matches!(error, WriteError::Io { action: "write to", .. }), "{error}");
    }
    writer.part.as_mut().unwrap().file = good;
    put(&mut writer, 1, long.as_bytes(), Instant::now()).unwrap();
    writer.flush().unwrap();
    assert_eq!(content(folder.path()), format!("0\n{long}\n"));
}

#[test]
fn what_a_failed_write_left_in_the_file_is_cut_off() {
    let folder = TempDir::new().unwrap();
    let (mut writer, good) = with_full_disk(folder.path(), b"0");
    writer.flush().unwrap_err();
    std::os::unix::fs::FileExt::write_all_at(&good, b"0\n{\"torn", 0).unwrap();
    writer.part.as_mut().unwrap().file = good;
    assert_eq!(writer.flush().unwrap(), Durable::All);
    assert_eq!(content(folder.path()), "0\n");
}

#[test]
fn after_a_failed_fsync_the_records_are_asked_for_again() {
    let folder = TempDir::new().unwrap();
    let (mut writer, _good) = with_full_disk(folder.path(), b"0");
    // A pipe refuses to be synced: it stands for a disk that cannot store.
    let (_reader, pipe) = io::pipe().unwrap();
    let part = writer.part.as_mut().unwrap();
    part.file = File::from(std::os::fd::OwnedFd::from(pipe));
    assert!(matches!(part.sync_content(), Err(WriteError::Rewind { offset: 0, .. })));
}

#[test]
fn after_losing_its_file_a_writer_takes_nothing_but_the_lost_messages() {
    let folder = TempDir::new().unwrap();
    let sink = sink(folder.path(), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let now = Instant::now();
    for offset in 3..5 {
        put(writer.as_mut(), offset, b"x", now).unwrap();
    }
    fs::remove_file(folder.path().join(".t-0-00000000000000000003.part")).unwrap();
    assert!(matches!(writer.flush(), Err(WriteError::Rewind { offset: 3, .. })));
    assert!(matches!(
        put(writer.as_mut(), 5, b"x", now),
        Err(WriteError::Rewind { offset: 3, .. })
    ));
    assert!(matches!(writer.flush(), Err(WriteError::Rewind { offset: 3, .. })));
    assert_eq!(writer.skip(5), Durable::Before(3));
    for offset in 3..6 {
        put(writer.as_mut(), offset, b"y", now).unwrap();
    }
    assert_eq!(writer.flush().unwrap(), Durable::All);
    assert_eq!(content(folder.path()), "y\ny\ny\n");
}

#[test]
fn a_folder_that_vanished_is_an_error_and_not_a_loss() {
    let folder = TempDir::new().unwrap();
    let sink = sink(&folder.path().join("out"), NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    put(writer.as_mut(), 0, b"0", Instant::now()).unwrap();
    fs::rename(folder.path().join("out"), folder.path().join("moved")).unwrap();
    assert!(writer.flush().is_err());
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

/// The name of the test below, and the variable that tells its child where to write.
const FULL_DISK: &str = "sink::file::tests::a_full_disk_neither_loses_nor_doubles_records";
const FULL_DISK_FOLDER: &str = "BATCHPIPE_TEST_FULL_DISK";

/// A limit on file sizes makes the kernel cut writes short and then refuse them, as a full disk does. It holds
/// for a whole process, so a child does it.
#[test]
fn a_full_disk_neither_loses_nor_doubles_records() {
    if let Some(folder) = std::env::var_os(FULL_DISK_FOLDER) {
        return write_until_full(Path::new(&folder));
    }
    let folder = TempDir::new().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", FULL_DISK, "--nocapture"])
        .env(FULL_DISK_FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let expected: String = (0..40).map(|offset| line_of(offset) + "\n").collect();
    assert!(content(folder.path()) == expected);
}

fn line_of(offset: i64) -> String {
    format!("{offset:020}").repeat(2_000)
}

fn write_until_full(folder: &Path) {
    let signal = Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(rustix::process::Signal::XFSZ.as_raw(), signal).unwrap();
    let limit =
        |bytes| setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    let sink = sink(folder, NEVER);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    limit(Some(1_000_000));
    let mut failures = 0;
    for offset in 0..40 {
        let line = line_of(offset);
        while put(writer.as_mut(), offset, line.as_bytes(), Instant::now()).is_err() {
            failures += 1;
            if failures == 3 {
                limit(None);
            }
        }
    }
    assert_eq!(failures, 3, "the disk was full for a while");
    assert_eq!(writer.flush().unwrap(), Durable::All);
}
