//! Every example is run as its first lines say, or as README says of all of them, against a Kafka of its own.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use batchpipe_testbed::Kafka;
use tempfile::TempDir;

use crate::kit::command::{Ended, Running};

/// Kafka's address in the examples, and that of the HTTP source.
const BROKER: &str = "127.0.0.1:9092";
const RECEIVER: &str = "127.0.0.1:8000";
const PORT: &str = "port: 8000";
/// The command that starts Kafka, which the test does itself.
const TESTBED: &str = "cargo run -p batchpipe-testbed -- kafka --port 9092";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// A folder with the examples and the program, and a broker.
struct Place {
    folder: TempDir,
    kafka: Kafka,
    /// Where the HTTP source listens here.
    port: u16,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kafka = Kafka::builder().start().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let place = Self { folder, kafka, port };
        let path = place.folder.path();
        symlink(env!("CARGO_BIN_EXE_batchpipe"), path.join("batchpipe")).unwrap();
        fs::create_dir(path.join("examples")).unwrap();
        for entry in fs::read_dir(examples()).unwrap() {
            let (from, name) = entry.map(|it| (it.path(), it.file_name())).unwrap();
            let text = place.here(&fs::read_to_string(from).unwrap());
            fs::write(path.join("examples").join(name), text).unwrap();
        }
        place
    }

    /// The text with this place's addresses.
    fn here(&self, text: &str) -> String {
        text.replace(BROKER, &self.kafka.bootstrap_servers())
            .replace(RECEIVER, &format!("127.0.0.1:{}", self.port))
            .replace(PORT, &format!("port: {}", self.port))
    }

    /// The commands in the first lines of an example, without the one for Kafka, which makes topics here.
    fn commands(&self, example: &str) -> Vec<String> {
        let text = fs::read_to_string(examples().join(example)).unwrap();
        let lines = text.lines().take_while(|line| line.starts_with('#'));
        let mut commands = lines.filter_map(|line| line.strip_prefix("#   "));
        let kafka = commands.next().unwrap_or_else(|| panic!("{example} tells no commands"));
        self.make_topics(kafka.strip_prefix(TESTBED).unwrap());
        commands.map(str::to_owned).collect()
    }

    fn make_topics(&self, options: &str) {
        let words: Vec<_> = options.split_whitespace().collect();
        for pair in words.chunks(2) {
            let (name, partitions) = pair[1].split_once('=').unwrap();
            assert_eq!(pair[0], "--topic");
            self.kafka.create_topic(name, partitions.parse().unwrap(), &[]).unwrap();
        }
    }

    fn start(&self, command: &str) -> Running {
        let mut shell = Command::new("sh");
        // The shell becomes the program where there is one only, so that it gets the signals.
        let exec = if command.contains('|') { "" } else { "exec " };
        shell.args(["-c", &format!("{exec}{}", self.here(command))]);
        let path = std::env::var("PATH").unwrap();
        shell.env("PATH", format!("{}:{path}", self.folder.path().display()));
        for name in ["KAFKA_BROKER", "KAFKA_TOPIC", "BATCHPIPE_PIPELINE", "BATCHPIPE_STAY"] {
            shell.env_remove(name);
        }
        shell.current_dir(self.folder.path()).stdin(Stdio::null());
        Running::start(shell)
    }

    fn run(&self, command: &str) -> Ended {
        self.start(command).wait().success()
    }

    /// Starts the HTTP source and waits until it takes requests.
    fn start_receiver(&self, command: &str) -> Running {
        let mut receiver = self.start(command);
        receiver
            .until("it listens", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        receiver
    }
}

/// How many records the command printed.
fn records(ended: &Ended) -> usize {
    ended.lines().iter().filter(|line| line.starts_with(b"{")).count()
}

#[test]
fn http_source() {
    let place = Place::new();
    let [run, curl] = &place.commands("http-source.yaml")[..] else { panic!("two commands") };
    let mut receiver = place.start_receiver(run);
    let answer = place.run(curl);
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), r#"{"accepted":1}"#);
    receiver.until_printed();
    let printed = receiver.stop().success().stdout;
    assert_eq!(String::from_utf8_lossy(&printed), "{\"device\":{\"id\":\"a\"}}\n");
}

#[test]
fn http_sink() {
    let place = Place::new();
    let [receive, send] = &place.commands("http-sink.yaml")[..] else { panic!("two commands") };
    let mut receiver = place.start_receiver(receive);
    place.run(send);
    receiver.until_lines(2000);
    assert_eq!(records(&receiver.stop().success()), 2000);
}

#[test]
fn kafka_sink() {
    let place = Place::new();
    let [run, tap] = &place.commands("kafka-sink.yaml")[..] else { panic!("two commands") };
    place.run(run);
    assert_eq!(records(&place.run(tap)), 1000);
}

#[test]
fn kafka_source() {
    let place = Place::new();
    let [write, carry] = &place.commands("kafka-source.yaml")[..] else { panic!("two commands") };
    place.run(write);
    assert_eq!(records(&place.run(carry)), 1000);
}

/// The others differ in their settings, and README says how all of them are run.
#[test]
fn every_use_runs_as_readme_says() {
    let readme = fs::read_to_string(examples().join("../README.md")).unwrap();
    let line = "batchpipe run -f examples/ticks.yaml --brokers 127.0.0.1:9092 --limit 1000";
    assert!(readme.contains(&format!("target/release/{line}")));
    let place = Place::new();
    for example in ["ticks", "telemetry", "vitals", "logs", "seed"] {
        let printed = place.run(&line.replace("ticks", example));
        assert_eq!(records(&printed), 1000, "{example}");
    }
}
