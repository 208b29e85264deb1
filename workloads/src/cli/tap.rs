//! `batchpipe tap`: arguments in, records on standard output.

use std::io::{self, ErrorKind, StdoutLock, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Exit, outcome::refuse, target::Target};
use crate::{
    config::ReadingSetup,
    error::chain,
    kafka::reader::{self, Start},
    shutdown::Shutdown,
    signals,
    tap::{self, LeftOut, Output, TapError},
};

/// Print the records of a topic of batches, one per line
///
/// Reads all partitions without joining a group. In a dead-letter topic, prints one JSON object for each dead letter:
/// its reason, where it comes from, and the original as value, or valueBase64 when it is not text. Ends with 1 when something could not be read, or when no broker or
/// no such topic is found within 10 s.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 done, 1 something could not be read, 2 wrong usage.")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Where to begin
    #[arg(long, value_enum, default_value_t = From::Earliest)]
    from: From,
    /// End when everything is printed that was in the topic at the start; without this, go on for ever
    #[arg(long)]
    until_caught_up: bool,
    /// End after so many lines: records or dead letters, or batches with --batches; 0 = no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,
    /// Print one line about each batch instead of its records
    #[arg(long)]
    batches: bool,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum From {
    /// At the oldest message
    Earliest,
    /// After the newest message
    Latest,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let ReadingSetup { cluster, topic } = match self.target.find() {
            Ok(target) => target,
            Err(error) => return refuse(&error),
        };
        let shutdown = Shutdown::new();
        if let Err(error) = signals::watch(&shutdown) {
            eprintln!("error: cannot watch for signals: {error}");
            return Exit::Failed;
        }
        let mut left_out = 0_u64;
        let complain = |what| {
            left_out += 1;
            eprintln!("{}", describe(&topic, what));
        };
        let mut out = Stdout(io::stdout().lock());
        match tap::run(&cluster, &self.options(&topic), &mut out, &shutdown, complain) {
            // Whoever reads has seen enough: `tap | head`.
            Err(TapError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                Exit::Failed
            }
            Ok(_) if left_out > 0 => {
                let messages = if left_out == 1 { "message" } else { "messages" };
                eprintln!("error: {left_out} {messages} could not be read in whole");
                Exit::Failed
            }
            Ok(_) => Exit::Done,
        }
    }

    fn options(&self, topic: &str) -> tap::Options {
        let start = match self.from {
            From::Earliest => Start::Earliest,
            From::Latest => Start::Latest,
        };
        let until_caught_up = self.until_caught_up;
        tap::Options {
            topic: topic.to_owned(),
            reading: reader::Options { start, until_caught_up, ..reader::Options::default() },
            batches: self.batches,
            limit: (self.limit > 0).then_some(self.limit),
            limits: self.target.limits(),
        }
    }
}

fn describe(topic: &str, what: LeftOut) -> String {
    let LeftOut { partition, offset, reason, lines } = what;
    let concerned = match lines {
        None => "message left out".to_owned(),
        Some(1) => "1 line left out".to_owned(),
        Some(lines) => format!("{lines} lines left out"),
    };
    format!("topic {topic}, partition {partition}, offset {offset}: {concerned}: {reason}")
}

struct Stdout(StdoutLock<'static>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Output for Stdout {
    /// A pipe whose reader has gone says so without being written to, so `tap | head` ends on a quiet topic too.
    fn is_closed(&self) -> bool {
        let mut polled = [PollFd::new(&self.0, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&at_once)).is_ok() && polled[0].revents().contains(PollFlags::ERR)
    }
}
