//! What every contender of one side costs. Pure.

use batchpipe_workloads::source::generator::ProfileName;

use super::{number, table::Table};
use crate::{
    contenders::{batchpipe, codec},
    rounds::{Run, Series, Side, find, ratio},
    spread::Spread,
};

/// A table of one side, in the order of the turns.
pub(crate) fn costs(profile: ProfileName, side: Side, all: &[Series]) -> Table {
    let mut table = Table::new(
        format!("{}, {side}", profile.name()),
        &[
            "contender",
            "CPU s/M",
            "least to most",
            "times ours",
            "records/s",
            "bytes/record on topic",
            "peak MiB",
            "broker CPU s/M",
            "start, CPU s",
        ],
    );
    let ours = find(all, batchpipe::OURS, side).or_else(|| find(all, codec::OURS, side));
    for series in all.iter().filter(|series| series.side == side) {
        let cpu = series.spread(Run::cpu);
        let times = ours.map(|ours| ratio(series, ours, Run::cpu));
        table.row(vec![
            series.who.clone(),
            number(cpu.median),
            format!("{} to {}", number(cpu.least), number(cpu.most)),
            middle(times),
            thousands(series.spread(|run| 1e6 / run.wall()).median),
            middle(series.known(Run::bytes)),
            middle(series.known(Run::peak_mib)),
            middle(series.known(|run| run.broker)),
            middle(series.known(|run| run.start.map(|start| start.cpu_seconds))),
        ]);
    }
    table
}

fn middle(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |spread| number(spread.median))
}

/// A whole number of thousands, which is as exact as it is.
fn thousands(value: f64) -> String {
    format!("{:.0}k", value / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cost;

    #[test]
    fn costs_are_told_beside_ours() {
        let series = |who: &str, seconds: &[f64]| {
            let cost = |cpu_seconds| Cost { cpu_seconds, wall_seconds: 0.5 };
            let run = |seconds: &f64| Run {
                peak_bytes: Some(3 << 20),
                ..Run::new(cost(*seconds), 1_000_000)
            };
            Series {
                who: who.to_owned(),
                side: Side::Produce,
                runs: seconds.iter().map(run).collect(),
            }
        };
        let all = [series("batchpipe", &[0.5, 1.0, 0.75]), series("other", &[1.0, 2.0, 1.5])];
        let text = costs(ProfileName::Seed, Side::Produce, &all).markdown();
        let expected = "| other | 1.500 | 1.000 to 2.000 | 2.000 | 2000k |  | 3.000 |  |  |";
        assert!(text.starts_with("### seed, produce\n") && text.contains(expected), "{text}");
        let none = costs(ProfileName::Seed, Side::Consume, &all).markdown();
        assert!(!none.contains("batchpipe"), "{none}");
    }
}
