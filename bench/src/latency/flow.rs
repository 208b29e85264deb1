//! The real commands between two pipes, on a topic of their own.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{
    load::{self, Lines, Rate},
    watch::{self, Seen},
};
use crate::stage::{PARTITIONS, Stage};

/// How long the last records may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often to look whether they have come.
const POLL: Duration = Duration::from_millis(10);

/// A producer and a consumer that work; killed when they are dropped.
pub(super) struct Flow<'a> {
    stage: &'a Stage,
    topic: String,
    lines: Lines,
    producer: Running,
    consumer: Running,
    into: ChildStdin,
    out: ChildStdout,
}

impl<'a> Flow<'a> {
    /// Starts both; returns when the first record has come out.
    pub(super) fn start(stage: &'a Stage, linger: Duration) -> Result<Self> {
        let topic = format!("latency-{}", linger.as_millis());
        stage.make_topic(&topic)?;
        let text = pipeline(&stage.brokers(), &topic, linger);
        let file = stage.folder().join("latency.yaml");
        std::fs::write(&file, text).context("cannot write a pipeline")?;
        let mut consumer = Running::start(stage, "consume", &file)?;
        let mut producer = Running::start(stage, "produce", &file)?;
        let mut into = producer.child.stdin.take().context("the producer has no input")?;
        let mut out = consumer.child.stdout.take().context("the consumer has no output")?;
        let mut lines = Lines::new();
        let mut text = Vec::new();
        lines.append(load::now()?, &mut text);
        let taken = into.write_all(&text).context("the producer takes no record");
        taken
            .and_then(|()| watch::first(&mut out))
            .with_context(|| format!("{}{}", producer.said(), consumer.said()))?;
        Ok(Self { stage, topic, lines, producer, consumer, into, out })
    }

    /// Sends records for so long, and takes all of them.
    pub(super) fn carry(self, rate: Rate, duration: Duration) -> Result<Seen> {
        let Self { stage, topic, mut lines, producer, consumer, into, mut out } = self;
        let count = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&count);
        let reader = thread::spawn(move || watch::all(&mut out, &counter));
        let written = load::write(&mut lines, rate, duration, into);
        // Its input has ended, and all of it is acknowledged when it ends.
        let ended = producer.finish();
        let written = written.with_context(|| format!("{ended:?}"))?;
        ended?;
        let until = Instant::now() + PATIENCE;
        while count.load(Ordering::Relaxed) < written && Instant::now() < until {
            thread::sleep(POLL);
        }
        consumer.stop()?;
        let seen = reader.join().map_err(|_| anyhow!("the reader panicked"))??;
        let delivered = seen.records();
        ensure!(delivered == written, "{delivered} of {written} records came out");
        stage.remove_topic(&topic)?;
        Ok(seen)
    }
}

/// A command that runs; killed when it is dropped.
struct Running {
    name: &'static str,
    child: Child,
    errors: File,
}

impl Running {
    fn start(stage: &Stage, name: &'static str, file: &Path) -> Result<Self> {
        let errors = tempfile::tempfile().context("cannot make a temporary file")?;
        let said = errors.try_clone().context("cannot share a temporary file")?;
        let child = stage
            .batchpipe()
            .arg(name)
            .arg("-f")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot start batchpipe {name}"))?;
        Ok(Self { name, child, errors })
    }

    /// What it said on standard error.
    fn said(&mut self) -> String {
        let mut text = String::new();
        let read = self.errors.rewind().and_then(|()| self.errors.read_to_string(&mut text));
        read.map_or_else(|error| error.to_string(), |_| text)
    }

    /// Asks it to end, and waits for that.
    fn stop(self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("cannot stop batchpipe {}", self.name))?;
        self.finish()
    }

    /// Waits for its end.
    fn finish(mut self) -> Result<()> {
        let status = self.child.wait().with_context(|| format!("cannot wait for {}", self.name))?;
        let said = self.said();
        ensure!(status.success(), "batchpipe {} ended with {status}: {said}", self.name);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless something failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pipeline(brokers: &str, topic: &str, linger: Duration) -> String {
    let pipeline = json!({
        "apiVersion": "batchpipe.dev/v1alpha1",
        "kind": "BatchPipeline",
        "metadata": {"name": "bench"},
        "spec": {
            "kafka": {"bootstrapServers": brokers},
            "topic": {"name": topic, "partitions": PARTITIONS},
            "batch": {"linger": format!("{}ms", linger.as_millis())},
            "producer": {"source": {"stdin": {}}},
            "consumer": {"group": topic, "sink": {"stdout": {}}},
        },
    });
    pipeline.to_string()
}
