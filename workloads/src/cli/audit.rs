//! `batchpipe audit`: arguments in, a table or JSON on standard output, 1 when anything is missing.

use std::io::{self, IsTerminal, Write};

use super::{Exit, outcome::refuse, target::Target};
use crate::{
    audit::{
        Audit,
        scan::{Progress, ScanError, scan},
    },
    config::ReadingSetup,
    error::chain,
    shutdown::Shutdown,
    signals,
};

/// Prove from a topic's envelopes that no record is missing
///
/// Reads the topic up to the end that it has now. Ends with 1 when records are missing, batches cannot be read, or
/// --expect does not hold.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing is missing and all is readable, 1 otherwise, 2 wrong usage."
)]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
    /// How many distinct records there must be; a lost end cannot be seen from the topic alone
    #[arg(long, value_name = "N")]
    expect: Option<u64>,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let target = match self.target.find() {
            Ok(target) => target,
            Err(error) => return refuse(&error),
        };
        let audit = match self.scan(&target) {
            Ok(audit) => audit,
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                return Exit::Failed;
            }
        };
        print(&audit, self.json);
        let complaints = audit.complaints(self.expect);
        for complaint in &complaints {
            eprintln!("error: topic {}: {complaint}", target.topic);
        }
        if complaints.is_empty() { Exit::Done } else { Exit::Failed }
    }

    fn scan(&self, target: &ReadingSetup) -> Result<Audit, ScanError> {
        let shutdown = Shutdown::new();
        signals::watch(&shutdown).map_err(ScanError::Signals)?;
        let is_terminal = io::stderr().is_terminal();
        let tell = |progress| {
            if is_terminal {
                show(progress);
            }
        };
        let ReadingSetup { cluster, topic } = target;
        let audit = scan(cluster, topic, &self.target.limits(), &shutdown, tell);
        if is_terminal {
            eprint!("\r\x1b[K");
        }
        audit
    }
}

fn show(progress: Progress) {
    eprint!("\r\x1b[Kread {} of at most {} messages", progress.messages, progress.of);
}

fn print(audit: &Audit, is_json: bool) {
    let text = if is_json {
        serde_json::to_string(&audit.report()).expect("a report is plain values") + "\n"
    } else {
        audit.to_string()
    };
    // A reader that has gone does not need the report; the exit code tells it too.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
