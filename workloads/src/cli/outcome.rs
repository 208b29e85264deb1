//! What commands say when they cannot begin, and what those that run a process say at their end.

use std::{io::Write, time::Duration};

use batchpipe_api::report::{ExitReport, Role};

use super::Exit;
use crate::{
    config::ConfigError,
    error::chain,
    process::{self, Plan, ProcessError},
};

/// How long printing the report may take.
const PRINT_PATIENCE: Duration = Duration::from_secs(2);

/// Runs the plan, or says why there is none.
pub(super) fn execute(plan: Result<Plan, ConfigError>, json: bool) -> Exit {
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return refuse(&error),
    };
    let outcome = match process::run(plan) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            return if let ProcessError::Config(error) = &error {
                refusal(error)
            } else {
                Exit::Failed
            };
        }
    };
    if let Some(error) = &outcome.error {
        eprintln!("error: {}", chain(error));
    }
    let mut is_accounted = true;
    for report in &outcome.reports {
        is_accounted &= report.in_flight == 0;
        if json {
            print_json(report);
        }
        eprintln!("{}", sentence(report));
    }
    if outcome.error.is_none() && is_accounted { Exit::Done } else { Exit::Failed }
}

/// Says why a configuration cannot be used.
pub(super) fn refuse(error: &ConfigError) -> Exit {
    eprintln!("error: {}", chain(error));
    refusal(error)
}

/// What another process holds is not wrong to ask for: trying again later may do.
const fn refusal(error: &ConfigError) -> Exit {
    match error {
        ConfigError::Taken { .. } => Exit::Failed,
        _ => Exit::Usage,
    }
}

fn print_json(report: &ExitReport) {
    let text = serde_json::to_string(report).expect("a report is plain values");
    let (printed, done) = crossbeam_channel::bounded::<()>(0);
    std::thread::spawn(move || {
        // A reader that has gone does not need the report; the exit code tells it too.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
        drop(printed);
    });
    // A reader that does not read must not keep us from ending.
    let _ = done.recv_timeout(PRINT_PATIENCE);
}

fn sentence(report: &ExitReport) -> String {
    let name = match report.role {
        Role::Producer => "producer",
        Role::Consumer => "consumer",
    };
    let unaccounted = if report.in_flight > 0 {
        format!("; {} records were NOT acknowledged in time", report.in_flight)
    } else {
        String::new()
    };
    format!(
        "{name}: accepted {} records, delivered {} in {} batches, {} dead letters, {} released; {} raw bytes, {} on \
         the wire, {:.1} s{unaccounted}",
        report.accepted,
        report.delivered,
        report.batches,
        report.dead_lettered,
        report.released,
        report.raw_bytes,
        report.wire_bytes,
        report.seconds,
    )
}
