//! Codec, batcher and reader for themselves, in instructions instead of seconds: a change of a hundredth shows, also on
//! a machine on which others work.
//!
//! Each part runs in a process of its own under valgrind, over the records once and over them several times; what is
//! more is the work, without starting and without making the records.

mod parts;

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{report::table::Table, spread::float};

/// Records of each pass; valgrind is some fifty times slower than the processor.
const RECORDS: u64 = 10_000;
/// So many passes more in the second process.
const MORE: u32 = 2;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only parts with these letters in their names
    #[arg(long, value_name = "LETTERS", default_value = "")]
    only: String,
    /// Does the work of one part, so many times, which is what is measured
    #[arg(long, num_args = 2, value_names = ["PART", "TIMES"], hide = true)]
    work: Option<Vec<String>>,
}

/// Measures, or is what is measured.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some([name, times]) = args.work.as_deref() {
        let part = parts::all().into_iter().find(|part| part.name == name);
        let part = part.with_context(|| format!("there is no part {name}"))?;
        return (part.work)(times.parse().context("TIMES is no number")?);
    }
    let chosen: Vec<_> =
        parts::all().into_iter().filter(|part| part.name.contains(&args.only)).collect();
    ensure!(!chosen.is_empty(), "no part has {:?} in its name", args.only);
    let title = format!(
        "Instructions per record, {RECORDS} records of the profile telemetry, 500 per batch"
    );
    let mut table = Table::new(title, &["part", "instructions", "to the bare library's"]);
    for part in chosen {
        let ours = per_record(part.name)?;
        let bare = part.bare.map(per_record).transpose()?;
        let ratio = bare.map_or_else(String::new, |bare| format!("{:.3}", ours / bare));
        eprintln!("  {}: {ours:.1}", part.name);
        table.row(vec![part.name.to_owned(), format!("{ours:.1}"), ratio]);
    }
    println!("{table}");
    Ok(())
}

/// What a part costs per record.
fn per_record(name: &str) -> Result<f64> {
    let (once, often) = (instructions(name, 1)?, instructions(name, 1 + MORE)?);
    let more = often.checked_sub(once).context("more work took fewer instructions")?;
    Ok(float(more) / float(RECORDS) / f64::from(MORE))
}

/// Runs a part in a process whose instructions are counted.
fn instructions(name: &str, times: u32) -> Result<u64> {
    let program = std::env::current_exe().context("where is this program?")?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    valgrind.args(["micro", "--work", name, &times.to_string()]);
    let output = valgrind.output().context("cannot run valgrind; is it installed?")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {} under valgrind: {said}", output.status);
    collected(&said).with_context(|| format!("valgrind does not say what it counted: {said}"))
}

/// The number in valgrind's last words.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : "))?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_what_valgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(said), Some(1_234_567));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn every_part_works_and_is_compared_with_one_that_exists() {
        let all = parts::all();
        for part in &all {
            (part.work)(1).unwrap_or_else(|error| panic!("{}: {error:#}", part.name));
            assert!(part.bare.is_none_or(|bare| all.iter().any(|part| part.name == bare)));
        }
    }
}
