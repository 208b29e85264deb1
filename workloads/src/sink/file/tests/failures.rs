//! What fails between a writer and its disk: writes that come to nothing, or to less than was asked for, and files that are
//! gone.

use std::{fs::File, io, os::unix::fs::FileExt as _, process::Command};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create},
    process::{Resource, Rlimit, setrlimit},
};

use super::{super::writer::FileWriter, *};

/// A file that never becomes larger than this.
fn file_of(bytes: usize) -> File {
    let file = memfd_create("small", MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&file, bytes as u64).unwrap();
    fcntl_add_seals(&file, SealFlags::GROW).unwrap();
    File::from(file)
}

/// A writer whose next write fails as on a full disk, and the good file to put back.
fn with_full_disk(folder: &Path, text: &[u8]) -> (FileWriter, File) {
    let mut writer = FileWriter::open(&sink_folder(folder), series(), NEVER).unwrap();
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
fn a_message_of_which_only_a_part_could_be_written_is_written_again_as_a_whole_or_not_at_all() {
    let long = "l".repeat(BUFFER_BYTES + 1);
    for is_offered_again in [true, false] {
        let folder = TempDir::new().unwrap();
        let opened = sink_folder(folder.path());
        let mut writer = FileWriter::open(&opened, series(), NEVER).unwrap();
        put(&mut writer, 0, b"0", Instant::now()).unwrap();
        // There is room for everything but the last line end.
        let part = writer.part.as_mut().unwrap();
        let good = std::mem::replace(&mut part.file, file_of(2 + long.len()));
        put(&mut writer, 1, long.as_bytes(), Instant::now()).unwrap_err();
        let part = writer.part.as_mut().unwrap();
        let mut written = vec![0; 2 + long.len()];
        part.file.read_exact_at(&mut written, 0).unwrap();
        assert!(written.ends_with(b"l"), "the text was written");
        good.write_all_at(&written, 0).unwrap();
        part.file = good;
        let mut expected = "0\n".to_owned();
        if is_offered_again {
            put(&mut writer, 1, long.as_bytes(), Instant::now()).unwrap();
            expected.extend([&long, "\n"]);
        }
        writer.flush().unwrap();
        assert!(content(folder.path()) == expected, "offered again: {is_offered_again}");
        let last = i64::from(is_offered_again);
        assert_eq!(writer.resume_at(), Some(last + 1));
    }
}

#[test]
fn what_a_failed_write_left_in_the_file_is_cut_off() {
    let folder = TempDir::new().unwrap();
    let (mut writer, good) = with_full_disk(folder.path(), b"0");
    writer.flush().unwrap_err();
    good.write_all_at(b"0\n{\"torn", 0).unwrap();
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

/// The name of the test below, and the variable that tells its child where to write.
const FULL_DISK: &str =
    "sink::file::tests::failures::a_full_disk_neither_loses_nor_doubles_records";
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
