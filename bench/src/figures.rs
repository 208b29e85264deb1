//! What the measurements say: costs, ratios with their aims, bytes. Pure.

use crate::{
    data::Data,
    rounds::{Run, Series, Spread, float, ratio},
    suite,
    table::Table,
};

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn text(self, found: f64) -> String {
        let (sign, aim, holds) = match self {
            Self::AtMost(aim) => ("<=", aim, found <= aim),
            Self::AtLeast(aim) => (">=", aim, found >= aim),
        };
        format!("{sign} {aim} {}", if holds { "holds" } else { "MISSED" })
    }
}

/// CPU of one contender over that of another.
struct Figure {
    above: &'static str,
    below: &'static str,
    aim: Aim,
}

const fn figure(above: &'static str, below: &'static str, aim: Aim) -> Figure {
    Figure { above, below, aim }
}

const FIGURES: &[Figure] = &[
    figure(suite::ENCODE, suite::ENCODE_BARE, Aim::AtMost(1.05)),
    figure(suite::DECODE, suite::DECODE_BARE, Aim::AtMost(1.05)),
    figure(suite::PRODUCE, suite::PRODUCE_BARE, Aim::AtMost(1.25)),
    figure(suite::PRODUCE, suite::PRODUCE_BARE_TEXT, Aim::AtMost(1.25)),
    figure(suite::CONSUME_SEALED, suite::CONSUME_BARE, Aim::AtMost(1.35)),
    figure(suite::CONSUME_UNSEALED, suite::CONSUME_BARE_VALIDATING, Aim::AtMost(1.25)),
    figure(suite::ORIGIN_STRINGS, suite::PRODUCE, Aim::AtLeast(3.5)),
    figure(suite::ORIGIN_OBJECTS, suite::PRODUCE, Aim::AtLeast(10.0)),
    figure(suite::ORIGIN_CONSUME, suite::CONSUME_UNSEALED, Aim::AtLeast(7.0)),
];

/// Records per second through both sides that are aimed at.
const AIM_THROUGH: f64 = 2e6;

/// What every contender costs.
pub(crate) fn costs(data: &Data, all: &[Series]) -> Table {
    let mut table = Table::new(
        format!("{}: CPU seconds (user + system) per million records", data.profile.name()),
        &["contender", "median", "least", "most", "seconds", "start, CPU s", "start, s"],
    );
    for series in all {
        let cpu = Spread::of(series.runs.iter().map(Run::cpu));
        let wall = Spread::of(series.runs.iter().map(Run::wall));
        let starts = |seconds: fn(&crate::cpu::Cost) -> f64| {
            let starts: Vec<_> =
                series.runs.iter().filter_map(|run| run.start.as_ref().map(seconds)).collect();
            if starts.is_empty() { String::new() } else { number(Spread::of(starts).median) }
        };
        table.row(vec![
            series.name.to_owned(),
            number(cpu.median),
            number(cpu.least),
            number(cpu.most),
            number(wall.median),
            starts(|start| start.cpu_seconds),
            starts(|start| start.wall_seconds),
        ]);
    }
    table
}

/// How contenders compare, with what is aimed at. Those that did not run are left out.
pub(crate) fn ratios(data: &Data, all: &[Series]) -> Table {
    let mut table = Table::new(
        format!("{}: ratios of CPU per record, each of one round", data.profile.name()),
        &["ratio", "median", "least", "most", "aim"],
    );
    for figure in FIGURES {
        let find = |name| all.iter().find(|series| series.name == name);
        if let (Some(above), Some(below)) = (find(figure.above), find(figure.below)) {
            let found = ratio(above, below);
            table.row(vec![
                format!("{} / {}", figure.above, figure.below),
                number(found.median),
                number(found.least),
                number(found.most),
                figure.aim.text(found.median),
            ]);
        }
    }
    table
}

/// Records per second, and bytes on the topic.
pub(crate) fn sizes(data: &Data, all: &[Series]) -> Table {
    let mut table = Table::new(
        format!("{}: speed and size", data.profile.name()),
        &["figure", "median", "least", "most", "aim"],
    );
    let mut row = |name: String, found: Spread, aim: Option<Aim>| {
        table.row(vec![
            name,
            format!("{:.2}", found.median),
            format!("{:.2}", found.least),
            format!("{:.2}", found.most),
            aim.map_or_else(String::new, |aim| aim.text(found.median)),
        ]);
    };
    let file = float(data.text.len() as u64) / float(data.records);
    row("bytes per record in the file".to_owned(), Spread::of([file]), None);
    for series in all {
        let bytes: Vec<_> = series
            .runs
            .iter()
            .filter_map(|run| run.topic_bytes.map(|bytes| float(bytes) / float(run.records)))
            .collect();
        if !bytes.is_empty() {
            row(format!("bytes per record on the topic, {}", series.name), Spread::of(bytes), None);
        }
        if series.name == suite::BOTH {
            let through = Spread::of(series.runs.iter().map(|run| 1.0 / run.wall()));
            let aim = Some(Aim::AtLeast(AIM_THROUGH / 1e6));
            row("million records per second through both sides".to_owned(), through, aim);
            let busy = series.runs.iter().map(|run| run.cost.cpu_seconds / run.cost.wall_seconds);
            row("cores busy with that, without the broker".to_owned(), Spread::of(busy), None);
        }
    }
    table
}

fn number(value: f64) -> String {
    format!("{value:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_says_whether_it_holds() {
        assert_eq!(Aim::AtMost(1.25).text(1.3), "<= 1.25 MISSED");
        assert_eq!(Aim::AtLeast(3.5).text(3.5), ">= 3.5 holds");
    }
}
