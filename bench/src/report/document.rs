//! The document and the tables for people, of one run. Pure; nothing in it is written by hand.

use std::fmt::Write as _;

use batchpipe_workloads::source::generator::ProfileName;

use super::{
    costs, day,
    machine::Machine,
    plot::{Kind, Panel, Row, svg},
    ratios,
    table::Table,
};
use crate::{
    bare,
    contenders::{Peer, Setting, Version, batchpipe::PER_BATCH},
    data::LAPS,
    rounds::{Run, Series, Side},
    stage::PARTITIONS,
};

/// The name of the plot beside the document.
pub(crate) const PLOT: &str = "benchmarks.svg";
/// The name of the document.
pub(crate) const DOCUMENT: &str = "benchmarks.md";

const SIDES: [Side; 5] = [Side::Produce, Side::Consume, Side::Both, Side::Encode, Side::Decode];

const METHOD: &str = "\
CPU is user and system time of the client's process, all its threads. What starting, connecting and stopping costs is not
in it: a program of its own runs once more over a single record, which is taken away (column *start*); the Python,
librdkafka and Java clients measure their loop themselves, Java after doing all of it once, so that the JVM is warm.
Contenders take turns (A B C A B C), because a machine's speed drifts; a ratio is the median of the ratios of single
rounds, and one under 1.5 between programs of different kinds is no finding. All send to and read from the same broker,
each through topics of its own that are new for each run; all messages of the file's records are sent, counted by their
delivery reports or in the topic, and read back by the same contender's consumer. *records/s* is by the clock, with the
broker on the same cores. *Bytes on the topic* are the broker's log segments, framing included. *Peak memory* is the
process's largest resident set, seen every 20 ms; who holds the records in memory first (see the settings) has them in it.
The broker's CPU is that of its process meanwhile. *A day on paper* multiplies these figures; memory is that of one process at the speed of
this run, whatever it takes to keep up.";

/// What was measured of one profile.
pub(crate) struct Results {
    pub(crate) profile: ProfileName,
    /// Bytes of a record in the file.
    pub(crate) record_bytes: f64,
    pub(crate) all: Vec<Series>,
}

/// How it was measured.
pub(crate) struct Conditions {
    pub(crate) rounds: usize,
    pub(crate) records: u64,
    pub(crate) without: Vec<Peer>,
    pub(crate) machine: Machine,
    pub(crate) versions: Vec<Version>,
    pub(crate) settings: Vec<Setting>,
}

impl Conditions {
    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let Machine { processor, cores, memory_gib, kernel, load, date } = &self.machine;
        format!(
            "{date}, {processor}, {cores} cores that the broker shares, {memory_gib} GiB, Linux {kernel}, load {load} at \
             the start; {} rounds of {} records per profile, {PER_BATCH} per batch, zstd {}, {PARTITIONS} partitions{}",
            self.rounds,
            self.records,
            bare::LEVEL,
            self.left_out(),
        )
    }

    fn left_out(&self) -> String {
        if self.without.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.without.iter().map(|peer| peer.name()).collect();
        format!("; LEFT OUT: {}", names.join(", "))
    }
}

/// All tables of a profile.
pub(crate) fn tables(results: &Results) -> Vec<Table> {
    let Results { profile, all, .. } = results;
    let sides = SIDES.iter().filter(|side| all.iter().any(|series| series.side == **side));
    let costs = sides.map(|side| costs::costs(*profile, *side, all));
    std::iter::once(ratios::ratios(*profile, all))
        .chain(costs)
        .chain(std::iter::once(day::day(*profile, all)))
        .collect()
}

/// The document.
pub(crate) fn markdown(conditions: &Conditions, all: &[Results]) -> String {
    let mut text = format!(
        "# Benchmarks\n\nWritten by `make bench`, not by hand. Ratios of one run can be compared; seconds of different \
         machines, or of different minutes, cannot.\n\n{}.\n\n![CPU seconds per million records]({PLOT})\n",
        conditions.line()
    );
    for results in all {
        let (name, bytes) = (results.profile.name(), results.record_bytes);
        add(&mut text, format_args!("\n## Profile {name}, {bytes:.1} bytes per record\n"));
        for table in tables(results) {
            add(&mut text, format_args!("\n{}", table.markdown()));
        }
    }
    add(
        &mut text,
        format_args!(
            "\n## Method\n\n{METHOD} BatchPipe goes over the file {LAPS} times in one run, because what a start takes \
             varies by more than one time lasts.\n\n## Settings\n"
        ),
    );
    text.push_str(
        "\nEach contender has the settings that its own documentation advises for throughput.\n\n",
    );
    text.push_str("| contender | produce | consume |\n|---|---|---|\n");
    for Setting { who, produce, consume } in &conditions.settings {
        add(&mut text, format_args!("| {who} | {produce} | {consume} |\n"));
    }
    text.push_str("\n## Versions\n\n| what | version |\n|---|---|\n");
    for Version { what, version } in &conditions.versions {
        add(&mut text, format_args!("| {what} | {version} |\n"));
    }
    text
}

fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes everything");
}

/// The plot of what producing and consuming costs.
pub(crate) fn plot(all: &[Results]) -> String {
    let panels: Vec<_> = all
        .iter()
        .flat_map(|results| [Side::Produce, Side::Consume].map(|side| panel(results, side)))
        .collect();
    svg("CPU seconds of the client per million records", &panels)
}

fn panel(results: &Results, side: Side) -> Panel {
    let series = results.all.iter().filter(|series| series.side == side);
    let rows = series.map(|series| {
        let (who, cost) = (series.who.clone(), series.spread(Run::cpu));
        Row { kind: kind(&who), who, cost }
    });
    let bytes = results.record_bytes;
    let title = format!("{}, {bytes:.0} bytes per record: {side}", results.profile.name());
    Panel { title, rows: rows.collect() }
}

fn kind(who: &str) -> Kind {
    if who.starts_with("batchpipe") {
        Kind::Ours
    } else if who.starts_with("bare") {
        Kind::Bare
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cost;

    fn conditions(without: Vec<Peer>) -> Conditions {
        let text = |text: &str| text.to_owned();
        let machine = Machine::example();
        let versions = vec![Version { what: "Bento", version: text("1.20.0") }];
        let (who, produce, consume) = (text("batchpipe"), text("sends"), text("reads"));
        let settings = vec![Setting { who, produce, consume }];
        Conditions { rounds: 5, records: 1_000_000, without, machine, versions, settings }
    }

    fn results() -> Results {
        let run = Run::new(Cost { cpu_seconds: 0.5, wall_seconds: 0.5 }, 1_000_000);
        let series =
            |who: &str| Series { who: who.to_owned(), side: Side::Produce, runs: vec![run] };
        let all = vec![series("batchpipe"), series("bare loop")];
        Results { profile: ProfileName::Seed, record_bytes: 60.7, all }
    }

    #[test]
    fn the_document_tells_conditions_tables_settings_and_versions() {
        let text = markdown(&conditions(vec![]), &[results()]);
        for part in [
            "2026-11-26, a processor, 2 cores",
            "5 rounds of 1000000 records",
            "![CPU seconds per million records](benchmarks.svg)",
            "## Profile seed, 60.7 bytes per record",
            "### seed, produce",
            "| batchpipe | sends | reads |",
            "| Bento | 1.20.0 |",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("LEFT OUT") && !text.contains("### seed, consume"), "{text}");
    }

    #[test]
    fn who_was_left_out_is_told() {
        let text = markdown(&conditions(vec![Peer::Java, Peer::Bento]), &[]);
        assert!(text.contains("LEFT OUT: java, bento"), "{text}");
    }

    #[test]
    fn the_plot_has_a_panel_for_each_side() {
        let text = plot(&[results()]);
        assert!(text.contains("seed, 61 bytes per record: produce"), "{text}");
        assert!(text.contains("class=\"ours\"") && text.contains("class=\"bare\""), "{text}");
    }
}
