//! `batchpipe redrive`: arguments in, a sentence or JSON on standard output, 1 when letters were not dealt with.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use batchpipe_api::{reason::Reason, report::RedriveReport};

use super::{Exit, shared};
use crate::{
    config::{self, RedriveSetup, check_topic},
    error::chain,
    redrive::{self, Left, Notice, Options, Outcome, Place},
    shutdown::Shutdown,
    signals,
};

/// How many letters that stay are named one by one.
const NAMED: u64 = 20;

/// Send dead letters back to the topic that they came from
///
/// A letter that holds a whole message goes back as it was; single records are batched anew. Each goes to the partition
/// that it came from. Ends at the end that the dead-letter topic has at the start. Letters stay in their topic; a group
/// notes which ones were sent, so that the next run goes on. The pipeline (-f, or `BATCHPIPE_PIPELINE`) is needed for
/// brokers with TLS or SASL only; its batch, compression and key apply to records.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 every letter was sent back or left by rule, 1 otherwise or stopped early, 2 wrong usage."
)]
pub(super) struct Args {
    /// Addresses of brokers: host:port, separated by commas
    #[arg(short, long, value_name = "HOST:PORT,...", env = "KAFKA_BROKER")]
    brokers: Option<String>,
    /// File with a `BatchPipeline` (its first document), - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The dead-letter topic; by default the pipeline's
    #[arg(long, value_name = "TOPIC", value_parser = check_topic)]
    from: Option<String>,
    /// Where letters go; by default each to the topic that it came from
    #[arg(long, value_name = "TOPIC", value_parser = check_topic)]
    to: Option<String>,
    /// Only letters with this reason; may be given several times
    #[arg(long = "reason", value_name = "REASON", value_parser = reason, value_delimiter = ',')]
    reasons: Vec<Reason>,
    /// Leave letters that have come back so often
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    max_attempts: u32,
    /// End after so many letters were sent back
    #[arg(long, value_name = "N", value_parser = shared::limit, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// The group that notes what was sent; by default one for each pair of --from and --to
    #[arg(long, value_name = "GROUP", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    group: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of a sentence
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let (setup, from) = match self.setup() {
            Ok(setup) => setup,
            Err(problem) => {
                eprintln!("error: {problem}");
                return Exit::Usage;
            }
        };
        let shutdown = Shutdown::new();
        if let Err(error) = signals::watch(&shutdown) {
            eprintln!("error: cannot watch for signals: {error}");
            return Exit::Failed;
        }
        let options = self.options(from, &setup);
        eprintln!("group {} notes what is sent back", options.group());
        let mut line = Line { topic: options.from.clone(), ..Line::new() };
        let outcome =
            redrive::run(&setup.cluster, &options, &shutdown, &mut |notice| line.tell(notice));
        line.end();
        self.print(&outcome)
    }

    fn setup(&self) -> Result<(RedriveSetup, String), String> {
        let brokers = shared::given(self.brokers.as_ref());
        let setup =
            config::redrive(self.file.as_deref(), brokers).map_err(|error| chain(&error))?;
        let from = self.from.clone().or_else(|| setup.dead_letter.clone());
        let from = from.ok_or("name the dead-letter topic with --from, or a pipeline with -f")?;
        if self.to.as_ref() == Some(&from) {
            return Err(format!(
                "--to: {from} is the dead-letter topic itself, where letters would go round for ever"
            ));
        }
        Ok((setup, from))
    }

    fn options(&self, from: String, setup: &RedriveSetup) -> Options {
        Options {
            from,
            to: self.to.clone(),
            group: self.group.clone(),
            reasons: self.reasons.iter().copied().collect::<BTreeSet<_>>(),
            max_attempts: self.max_attempts,
            limit: self.limit,
            dry_run: self.dry_run,
            batching: setup.batching.clone(),
        }
    }

    fn print(&self, outcome: &Outcome) -> Exit {
        let Outcome { report, resent, ended } = outcome;
        let text = if self.json {
            serde_json::to_string(report).expect("a report is plain values")
        } else {
            sentence(report, self.dry_run)
        };
        // A reader that has gone does not need the report; the exit code tells it too.
        let _ = writeln!(io::stdout().lock(), "{text}");
        if *resent > 0 {
            eprintln!("{resent} messages were sent again after a failure, and may be there twice");
        }
        match ended {
            Ok(()) => Exit::Done,
            Err(error) => {
                eprintln!("error: {}", chain(error));
                Exit::Failed
            }
        }
    }
}

fn reason(text: &str) -> Result<Reason, String> {
    let names = || Reason::ALL.map(Reason::name).join(", ");
    Reason::from_name(text).ok_or_else(|| format!("must be one of {}", names()))
}

fn sentence(report: &RedriveReport, is_dry: bool) -> String {
    let RedriveReport { read, redriven, skipped, too_many_attempts, truncated, unreadable } =
        report;
    let verb = if is_dry { "would be sent back" } else { "sent back" };
    format!(
        "read {read} letters: {redriven} {verb}, {skipped} skipped, {too_many_attempts} with too many attempts, \
         {truncated} truncated, {unreadable} unreadable"
    )
}

/// What is told meanwhile.
struct Line {
    topic: String,
    is_terminal: bool,
    named: u64,
    unnamed: u64,
}

impl Line {
    fn new() -> Self {
        let is_terminal = io::stderr().is_terminal();
        Self { topic: String::new(), is_terminal, named: 0, unnamed: 0 }
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            // What was not asked for is no news, however much of it there is.
            Notice::Left(_, Left::NotAsked(_) | Left::SentBefore) => {}
            Notice::Left(place, left) => self.name(place, &left),
            Notice::Progress { read, of } if self.is_terminal => {
                eprint!("\r\x1b[Kread {read} of at most {of} letters");
            }
            Notice::Progress { .. } => {}
        }
    }

    fn name(&mut self, Place { partition, offset }: Place, left: &Left) {
        if self.named == NAMED {
            self.unnamed += 1;
            return;
        }
        self.named += 1;
        self.clear();
        eprintln!("topic {}, partition {partition}, offset {offset}: {left}", self.topic);
    }

    fn end(&self) {
        self.clear();
        if self.unnamed > 0 {
            eprintln!("{} more letters stay where they are", self.unnamed);
        }
    }

    fn clear(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_of_the_closed_set() {
        assert_eq!(reason("corrupt"), Ok(Reason::Corrupt));
        assert!(reason("Corrupt").unwrap_err().contains("invalid_json"));
    }

    #[test]
    fn a_dry_run_does_not_say_that_it_has_done_anything() {
        let report = RedriveReport { read: 2, redriven: 1, skipped: 1, ..RedriveReport::default() };
        assert!(sentence(&report, false).starts_with("read 2 letters: 1 sent back, 1 skipped"));
        assert!(sentence(&report, true).contains("1 would be sent back"));
    }
}
