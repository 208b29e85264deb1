//! The life of a file: growth, rotation, truncation, restarts.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::*;

mod late;
mod rotation;
mod truncation;
mod unseen;

/// A folder with the file `app.log`, and a source that is started anew as often as wanted.
struct Scene {
    folder: tempfile::TempDir,
    options: FileOptions,
    source: Option<FileSource>,
    position: Position,
}

impl Scene {
    fn new(follow: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = FileOptions {
            follow,
            poll: Duration::from_millis(1),
            grace: Duration::ZERO,
            ..FileOptions::new(folder.path().join("app.log"), 1024)
        };
        Self { folder, options, source: None, position: Position(0) }
    }

    fn followed(content: &str) -> Self {
        let scene = Self::new(true);
        scene.append("app.log", content);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, content: &str) {
        let file = fs::File::options().create(true).append(true).open(self.path(name));
        file.unwrap().write_all(content.as_bytes()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn source(&mut self) -> &mut FileSource {
        let options = &self.options;
        self.source.get_or_insert_with(|| FileSource::open(options.clone()).unwrap())
    }

    /// Reads until nothing more comes; as text, with a line end after each line.
    fn read(&mut self) -> String {
        let (mut text, mut quiet, mut block) = (String::new(), 0, Block::default());
        while quiet < 5 {
            match self.source().read(&mut block, Duration::from_millis(1)).unwrap() {
                Read::Lines(position) => {
                    assert!(position > self.position);
                    self.position = position;
                    text.push_str(std::str::from_utf8(&block.text).unwrap());
                    if !text.ends_with('\n') {
                        text.push('\n');
                    }
                    block.clear();
                    quiet = 0;
                }
                Read::Idle => quiet += 1,
                Read::End => break,
            }
        }
        text
    }

    /// Reads, acknowledges all of it, and makes that durable.
    fn read_and_acknowledge(&mut self) -> String {
        let text = self.read();
        let position = self.position;
        self.source().acknowledge(position).unwrap();
        self.source().checkpoint_now().unwrap();
        text
    }

    /// The process is killed: nothing is saved any more.
    fn kill(&mut self) {
        self.source = None;
        self.position = Position(0);
    }

    fn notices(&mut self) -> (u64, u64, u64) {
        let Notices { rotations, truncations, lost_remainders } = self.source().notices();
        (rotations, truncations, lost_remainders)
    }
}

/// Longer than the clock of a file system takes to move on.
fn tick() {
    std::thread::sleep(Duration::from_millis(30));
}

/// For readers to whom the order of files does not matter.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join(" ")
}

#[test]
fn a_file_is_read_to_its_end_even_without_a_last_line_end() {
    let mut scene = Scene::new(false);
    scene.append("app.log", "1\r\n\n  \n2");
    assert_eq!(scene.read(), "1\r\n\n  \n2\n");
    let end = scene.source().read(&mut Block::default(), Duration::ZERO).unwrap();
    assert_eq!(end, Read::End);
}

#[test]
fn an_empty_file_ends_at_once() {
    let mut scene = Scene::new(false);
    scene.append("app.log", "");
    let end = scene.source().read(&mut Block::default(), Duration::from_hours(1)).unwrap();
    assert_eq!(end, Read::End);
}

#[test]
fn a_second_run_sends_only_what_was_added() {
    let mut scene = Scene::new(false);
    scene.append("app.log", "1\n2\n");
    assert_eq!(scene.read_and_acknowledge(), "1\n2\n");
    scene.kill();
    assert_eq!(scene.read(), "");
    scene.kill();
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "3\n");
}

#[test]
fn a_large_file_comes_through_unchanged_and_in_order() {
    use std::fmt::Write;
    let mut scene = Scene::new(false);
    let mut content = String::new();
    for number in 0..100_000 {
        writeln!(content, "{{\"seq\":{number}}}").unwrap();
    }
    scene.append("app.log", &content);
    assert!(scene.read() == content);
}

#[test]
fn a_giant_line_is_left_out_with_its_start_and_size() {
    let scene = Scene::new(false);
    scene.append("app.log", &format!("1\n{}\n2\n", "x".repeat(3_000_000)));
    let mut source = FileSource::open(scene.options.clone()).unwrap();
    let (mut text, mut oversize, mut block) = (Vec::new(), Vec::new(), Block::default());
    while let Read::Lines(_) = source.read(&mut block, Duration::from_secs(1)).unwrap() {
        text.append(&mut block.text);
        oversize.append(&mut block.oversize);
    }
    assert_eq!(text, b"1\n2\n");
    assert_eq!(oversize.len(), 1);
    assert_eq!(oversize[0].bytes, 3_000_000);
}

#[test]
fn a_followed_file_waits_for_the_end_of_its_last_line() {
    let mut scene = Scene::followed("1\n{\"half\"");
    assert_eq!(scene.read(), "1\n");
    scene.append("app.log", ":2}\n3\n");
    assert_eq!(scene.read(), "{\"half\":2}\n3\n");
}

/// The bytes can be read while the start of the file, which tells whether they still follow it, cannot.
#[test]
fn of_a_read_that_fails_half_way_nothing_is_taken() {
    let mut scene = Scene::followed("1\n2");
    assert_eq!(scene.read(), "1\n");
    let lines = b"33\n44\n5".to_vec();
    let source = scene.source();
    // Memory of ours is a file with something there, and nothing at its start.
    let input = source.input.as_mut().unwrap();
    let whole = std::mem::replace(&mut input.file, fs::File::open("/proc/self/mem").unwrap());
    let (id, here, head) = (input.id, source.trail.offset(), source.trail.head().cloned());
    source.trail.go_to(id, lines.as_ptr() as u64, head.clone().unwrap());
    let mut block = Block::default();
    let error = source.read(&mut block, Duration::from_millis(1)).unwrap_err();
    assert!(!error.is_final(), "{error}");
    assert!(block.is_empty(), "{}", String::from_utf8_lossy(&block.text));
    source.trail.go_to(id, here, head.unwrap());
    source.input.as_mut().unwrap().file = whole;
    scene.append("app.log", "0\n");
    assert_eq!(scene.read(), "20\n");
}

#[test]
fn what_was_not_acknowledged_comes_again_after_a_kill_and_nothing_else() {
    let mut scene = Scene::followed("1\n2\n");
    assert_eq!(scene.read_and_acknowledge(), "1\n2\n");
    scene.append("app.log", "3\n4");
    assert_eq!(scene.read(), "3\n");
    scene.kill();
    scene.append("app.log", "5\n");
    assert_eq!(scene.read(), "3\n45\n");
}

#[test]
fn finishing_saves_what_was_acknowledged_last() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read_and_acknowledge(), "1\n");
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "2\n");
    let position = scene.position;
    scene.source().acknowledge(position).unwrap();
    scene.source().finish().unwrap();
    scene.kill();
    assert_eq!(scene.read(), "");
}

#[test]
fn a_last_line_that_has_grown_is_read_again_whole() {
    let mut scene = Scene::new(false);
    scene.append("app.log", "1\n{\"a\":1");
    assert_eq!(scene.read_and_acknowledge(), "1\n{\"a\":1\n");
    scene.kill();
    assert_eq!(scene.read_and_acknowledge(), "", "it has not grown");
    scene.kill();
    scene.append("app.log", "2}\n3");
    assert_eq!(scene.read_and_acknowledge(), "{\"a\":12}\n3\n");
    scene.kill();
    scene.append("app.log", "\n4\n");
    assert_eq!(scene.read(), "\n4\n", "it was whole");
}

#[test]
fn a_followed_file_may_appear_later() {
    let mut scene = Scene::new(true);
    assert_eq!(scene.read(), "");
    assert!(scene.source().waiting_for().unwrap().ends_with("app.log to appear"));
    scene.append("app.log", "1\n");
    assert_eq!(scene.read(), "1\n");
    assert_eq!(scene.source().waiting_for(), None);
}

#[test]
fn a_file_that_appears_late_is_continued_where_the_checkpoint_says() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read_and_acknowledge(), "1\n");
    scene.kill();
    let elsewhere = tempfile::tempdir().unwrap();
    let away = elsewhere.path().join("away");
    fs::rename(scene.path("app.log"), &away).unwrap();
    assert_eq!(scene.read(), "");
    fs::rename(&away, scene.path("app.log")).unwrap();
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "2\n");
    assert_eq!(scene.notices(), (0, 0, 0));
}

#[test]
fn a_missing_file_that_is_not_followed_is_an_error_that_names_it() {
    let scene = Scene::new(false);
    let error = FileSource::open(scene.options.clone()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot open {}", scene.path("app.log").display()));
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
    let mut scene = Scene::new(true);
    scene.options.path = scene.folder.path().to_owned();
    assert!(FileSource::open(scene.options.clone()).is_err());
    scene.options.path = scene.path("pipe");
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &scene.options.path, fifo, mode, 0).unwrap();
    assert!(FileSource::open(scene.options.clone()).is_err());
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_not_a_start_at_zero() {
    let scene = Scene::followed("1\n");
    fs::write(&scene.options.checkpoint, "{\"version\":1,").unwrap();
    let error = FileSource::open(scene.options.clone()).unwrap_err();
    assert!(matches!(error, SourceError::Checkpoint { .. }), "{error}");
}

#[test]
fn an_acknowledgement_that_cannot_be_saved_can_be_tried_again() {
    let mut scene = Scene::followed("1\n");
    fs::create_dir(scene.path("there")).unwrap();
    scene.options.checkpoint = scene.path("there").join("checkpoint");
    assert_eq!(scene.read(), "1\n");
    fs::rename(scene.path("there"), scene.path("away")).unwrap();
    scene.source().saver.make_due();
    let position = scene.position;
    assert!(scene.source().acknowledge(position).is_err());
    assert!(scene.source().acknowledge(position).is_err());
    fs::rename(scene.path("away"), scene.path("there")).unwrap();
    scene.source().acknowledge(position).unwrap();
    scene.kill();
    assert_eq!(scene.read(), "");
}

#[test]
fn the_checkpoint_is_beside_the_file_by_default() {
    let options = FileOptions::new("/data/in.ndjson", 1024);
    assert_eq!(options.checkpoint, Path::new("/data/in.ndjson.batchpipe-checkpoint"));
}

/// Not a test of speed, only a number to look at; run it in release mode with `--nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_bytes_per_second() {
    use crate::source::generator::{ProfileName, generate};
    let scene = Scene::new(false);
    let mut content = Vec::new();
    generate(ProfileName::Telemetry, 1, 2_000_000, &mut content);
    fs::write(scene.path("app.log"), &content).unwrap();
    for _ in 0..3 {
        let started = Instant::now();
        let mut source = FileSource::open(scene.options.clone()).unwrap();
        let (mut block, mut bytes) = (Block::default(), 0);
        while let Read::Lines(_) = source.read(&mut block, Duration::from_secs(1)).unwrap() {
            bytes += block.text.len();
            block.clear();
        }
        assert_eq!(bytes, content.len());
        println!("{} MB/s", bytes as u128 / started.elapsed().as_micros());
    }
}
