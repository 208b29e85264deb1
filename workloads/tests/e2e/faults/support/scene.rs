//! One test's pipeline, with a folder and a topic of its own.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use batchpipe_testbed::Kafka;
use batchpipe_workloads::source::file::CHECKPOINT_SUFFIX;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Child, Ended, Records, Tally};

/// A pipeline and where its files are.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) topic: String,
    /// The pipeline's `spec`, to be changed by the test.
    pub(crate) spec: Value,
    /// Variables of the command.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    /// What is put before the command: see [`super::SmallDisk::entrance`].
    pub(crate) entrance: Vec<OsString>,
    runs: AtomicU32,
}

impl Scene {
    /// A pipeline from `input` (a file) to `output` (files) over a topic of this name, with three partitions.
    pub(crate) fn new(kafka: &Kafka, topic: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("input"), folder.path().join("output"));
        let spec = json!({
            "kafka": {
                "bootstrapServers": kafka.bootstrap_servers(),
                // A member that was killed is missed soon.
                "options": {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"},
            },
            "topic": {"name": topic, "partitions": 3},
            "batch": {"maxRecords": 200, "linger": "20ms"},
            "producer": {"source": {"file": {"path": input, "follow": false}}},
            "consumer": {
                "group": topic,
                "sink": {"file": {"path": output, "roll": {"maxBytes": "1Mi", "interval": "1s"}}},
            },
        });
        let (topic, runs) = (topic.to_owned(), AtomicU32::new(0));
        Self { folder, topic, spec, environment: Vec::new(), entrance: Vec::new(), runs }
    }

    /// The file that the producer reads.
    pub(crate) fn input(&self) -> PathBuf {
        self.folder.path().join("input")
    }

    /// The folder that the consumer writes to.
    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// Records come from the generator's profile `seed` at this pace.
    pub(crate) fn generate(&mut self, records_per_second: u32, limit: usize) {
        let generator = json!({
            "profile": "seed", "recordsPerSecond": records_per_second, "limit": limit,
        });
        self.spec["producer"]["source"] = json!({"generator": generator});
    }

    /// Has the producer compress so hard that a test can stop it in the middle of its input on any machine.
    pub(crate) fn slow_down(&mut self) {
        self.spec["compression"] = json!({"codec": "zstd", "level": 19});
        self.spec["batch"]["maxRecords"] = json!(2000);
    }

    /// The opposite.
    pub(crate) fn speed_up(&mut self) {
        self.spec["compression"] = json!({"codec": "zstd", "level": 1});
        self.spec["batch"]["maxRecords"] = json!(200);
    }

    /// Writes the input.
    pub(crate) fn write_input(&self, total: usize) -> Records {
        Records::write(&self.input(), total)
    }

    /// Starts the command with this pipeline.
    pub(crate) fn start(&self, command: &str, args: &[&str]) -> Child {
        self.start_printing(command, &[&["--json"], args].concat())
    }

    /// Starts the command with this pipeline and without asking for a report, which not every command has.
    pub(crate) fn start_printing(&self, command: &str, args: &[&str]) -> Child {
        let name = self.next_name(command);
        let output = File::create(self.folder.path().join(format!("{name}.out"))).unwrap();
        self.start_with(&name, &[&[command], args].concat(), output.into())
    }

    /// Starts the command with its output going to a pipe.
    pub(crate) fn start_piped(&self, command: &str) -> Child {
        let name = self.next_name(command);
        self.start_with(&name, &[command, "--json"], Stdio::piped())
    }

    fn next_name(&self, command: &str) -> String {
        format!("{command}-{}", self.runs.fetch_add(1, Ordering::Relaxed))
    }

    /// The command is the first of `args`.
    fn start_with(&self, name: &str, args: &[&str], output: Stdio) -> Child {
        let path = self.folder.path().join(format!("{name}.json"));
        let pipeline = json!({
            "apiVersion": "batchpipe.dev/v1alpha1",
            "kind": "BatchPipeline",
            "metadata": {"name": "faults"},
            "spec": self.spec,
        });
        fs::write(&path, pipeline.to_string()).unwrap();
        let file = path.display().to_string();
        let args = [args, &["-f", &file]].concat();
        let mut command = self.command();
        command.args(args).envs(self.environment.iter().cloned()).stdout(output);
        Child::start(self.folder.path(), name, command)
    }

    /// The program, with what is put before it.
    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_batchpipe");
        match self.entrance.split_first() {
            None => Command::new(program),
            Some((first, others)) => {
                let mut command = Command::new(first);
                command.args(others).arg(program);
                command
            }
        }
    }

    pub(crate) fn produce(&self) -> Child {
        self.start("produce", &[])
    }

    pub(crate) fn consume(&self) -> Child {
        self.start("consume", &[])
    }

    /// Produces the whole input.
    pub(crate) fn produce_all(&self) -> Ended {
        self.produce().wait()
    }

    /// Consumes what is there.
    pub(crate) fn consume_all(&self) -> Ended {
        self.start("consume", &["--until-caught-up"]).wait()
    }

    /// Fails unless the group has committed all that is there: files hide a commit that was lost, because their names
    /// tell what is in them, and standard output does not.
    pub(crate) fn check_committed(&mut self) {
        self.spec["consumer"]["sink"] = json!({"stdout": {}});
        assert_eq!(self.consume_all().well().accepted, 0, "{}: not all is committed", self.topic);
    }

    /// Counts what the file sink has.
    pub(crate) fn tally_output(&self, records: &Records) -> Tally {
        let mut tally = Tally::new(records);
        tally.folder(&self.output());
        tally
    }

    /// How many complete files the file sink has.
    pub(crate) fn complete_files(&self) -> usize {
        let Ok(entries) = fs::read_dir(self.output()) else { return 0 };
        let names = entries.map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|end| end == "ndjson")).count()
    }

    /// The file source's checkpoint.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.folder.path().join(format!("input{CHECKPOINT_SUFFIX}"))
    }

    /// What all runs logged so far.
    pub(crate) fn logs(&self) -> String {
        let paths = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = paths.filter(|path| path.extension().is_some_and(|end| end == "log"));
        logs.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// Counts what the topic has.
    pub(crate) fn tally_topic(&self, kafka: &Kafka, records: &Records) -> Tally {
        let mut tally = Tally::new(records);
        for message in super::read_topic(kafka, &self.topic) {
            tally.text(&message.open().1);
        }
        tally
    }
}
