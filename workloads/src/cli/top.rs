//! `batchpipe top`: arguments in, a table of all pipelines on standard output, again and again on a terminal.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use batchpipe_api::units::Timespan;

use super::Exit;
use crate::{
    error::chain,
    kubectl::{Kubectl, KubectlError, Place, Row},
    shutdown::Shutdown,
    signals,
    top::{History, Table},
};

/// From the upper left corner on: each line is cleared as it is written, and then everything below.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K\n";
const CLEAR_BELOW: &str = "\x1b[J";

/// Show all pipelines of a cluster in a live table
///
/// Asks the API server through kubectl, so it works wherever kubectl get does. The operator writes new figures every
/// 15 s at most. Prints the table once when standard output is not a terminal, or with --once.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 shown, 1 the cluster could not be asked, 2 wrong usage.
KUBECTL names another program than kubectl.")]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Pipelines of all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How often to ask
    #[arg(long, value_name = "TIME", default_value = "2s")]
    interval: Timespan,
    /// Print the table once
    #[arg(long)]
    once: bool,
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let shutdown = Shutdown::new();
        if let Err(error) = signals::watch(&shutdown) {
            eprintln!("error: cannot watch for signals: {error}");
            return Exit::Failed;
        }
        let is_live = !self.once && io::stdout().is_terminal();
        match self.show(is_live, &shutdown) {
            Ok(()) => Exit::Done,
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                Exit::Failed
            }
        }
    }

    fn show(&self, is_live: bool, shutdown: &Shutdown) -> Result<(), KubectlError> {
        let kubectl = Kubectl::new(self.place.clone());
        let mut history = History::default();
        if !is_live {
            let rows = kubectl.pipelines(self.all_namespaces)?;
            history.note(&rows);
            // A reader that has gone does not need the table.
            let _ = io::stdout().write_all(self.text(&rows, &history).as_bytes());
            return Ok(());
        }
        let interval = self.interval.as_duration().max(Duration::from_millis(200));
        let mut is_first = true;
        loop {
            let text = match kubectl.pipelines(self.all_namespaces) {
                Ok(rows) => {
                    history.note(&rows);
                    self.text(&rows, &history)
                }
                Err(error) if is_first => return Err(error),
                // The cluster may be back in a moment.
                Err(error) => chain(&error),
            };
            if draw(&text, is_first).is_err() {
                return Ok(()); // the terminal is gone
            }
            is_first = false;
            if shutdown.wait(interval) {
                return Ok(());
            }
        }
    }

    fn text(&self, rows: &[Row], history: &History) -> String {
        if rows.is_empty() {
            let place = match &self.place.namespace {
                _ if self.all_namespaces => "the cluster".to_owned(),
                Some(name) => format!("namespace {name}"),
                None => "the context's namespace (-A shows all)".to_owned(),
            };
            return format!("no pipelines in {place}\n");
        }
        Table::new(rows, history, self.all_namespaces).to_string()
    }
}

fn draw(text: &str, is_first: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let clear = if is_first { CLEAR_BELOW } else { "" };
    write!(out, "{HOME}{clear}")?;
    for line in text.lines() {
        write!(out, "{line}{CLEAR_LINE}")?;
    }
    write!(out, "{CLEAR_BELOW}")?;
    out.flush()
}
