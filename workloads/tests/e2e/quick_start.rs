//! README's quick starts with a real Kafka, line by line as they stand there, but for its address.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command};

use batchpipe_testbed::Kafka;
use tempfile::TempDir;

/// Kafka's address in the README.
const ADDRESS: &str = "127.0.0.1:9092";

/// The block of README in this language that contains these words.
fn block(language: &str, words: &str) -> String {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let mut blocks = readme.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.find(|block| block.contains(words)).unwrap().to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder that looks like the repository after `make demo`.
struct Checkout {
    folder: TempDir,
    kafka: Kafka,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let release = folder.path().join("target/release");
        fs::create_dir_all(&release).unwrap();
        symlink(env!("CARGO_BIN_EXE_batchpipe"), release.join("batchpipe")).unwrap();
        symlink(root().join("examples"), folder.path().join("examples")).unwrap();
        Self { folder, kafka: Kafka::builder().start().unwrap() }
    }

    /// The text with the address of this Kafka.
    fn here(&self, text: &str) -> String {
        text.replace(ADDRESS, &self.kafka.bootstrap_servers())
    }

    /// Runs the lines in a shell, each of which has to be a success; standard output and error.
    fn run(&self, lines: &str) -> (String, String) {
        let mut shell = Command::new("sh");
        shell.current_dir(self.folder.path()).args(["-ec", &self.here(lines)]);
        for name in ["KAFKA_BROKER", "KAFKA_TOPIC", "BATCHPIPE_PIPELINE", "BATCHPIPE_STAY"] {
            shell.env_remove(name);
        }
        let output = shell.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let said = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{lines}\n{said:?}");
        said
    }
}

#[test]
fn the_quick_starts_with_a_real_kafka_do_what_they_say() {
    let checkout = Checkout::new();
    let example = block("sh", "produce -f examples/seed.yaml");
    let (printed, _) = checkout.run(&example);
    assert_eq!(printed.lines().last(), Some("100000 records.ndjson"), "{printed}");
    let tapped = printed.lines().filter(|line| line.starts_with("{\"id\": ")).count();
    assert_eq!(tapped, 3, "{printed}");
    // "run it again, and it prints nothing"
    let lines = example.lines();
    let again = lines.filter(|line| line.starts_with("export") || line.contains(" consume "));
    let again = again.collect::<Vec<_>>().join("\n");
    checkout.run(&again);
    assert_eq!(fs::read(checkout.folder.path().join("records.ndjson")).unwrap(), b"");

    let pipeline = checkout.here(&block("yaml", "name: rooms"));
    fs::write(checkout.folder.path().join("rooms.yaml"), pipeline).unwrap();
    let (printed, said) = checkout.run(&block("sh", "rooms.yaml"));
    for record in [r#"{"room":"a","celsius":21.5}"#, r#"{"room":"b","celsius":19}"#] {
        assert!(printed.lines().any(|line| line == record), "{printed}");
    }
    let line = said.lines().find(|line| line.contains("accepted 3 records, delivered 2 "));
    assert!(line.is_some_and(|line| line.contains("1 dead letters")), "{said}");
    let tap = "target/release/batchpipe tap -b 127.0.0.1:9092 -t rooms.dlq --until-caught-up";
    assert!(fs::read_to_string(root().join("README.md")).unwrap().contains(tap));
    let (letters, _) = checkout.run(tap);
    assert!(letters.contains("invalid_json") && letters.contains("not json"), "{letters}");
}
