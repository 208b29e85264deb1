//! How contenders compare, with what is aimed at. Pure.

use anyhow::{Result, ensure};
use batchpipe_workloads::source::generator::ProfileName;

use super::{
    aims::{FIGURES, THROUGH},
    number,
    table::Table,
};
use crate::{
    contenders::{Peer, batchpipe},
    rounds::{Run, Series, Side, find, ratio},
    spread::Spread,
};

/// Fails when a ratio would be left out although nobody asked for that: a contender was renamed, or does not take its
/// turn. Asked before anything is measured.
pub(crate) fn check(turns: &[(&str, Side)], without: &[Peer]) -> Result<()> {
    let is_wanted = |who: &str| !without.iter().any(|peer| who.starts_with(peer.name()));
    for figure in FIGURES.iter().filter(|it| is_wanted(it.above) && is_wanted(it.below)) {
        for who in [figure.above, figure.below] {
            let side = figure.side;
            ensure!(
                turns.contains(&(who, side)),
                "{side}: a ratio needs {who:?}, which takes no turn"
            );
        }
    }
    Ok(())
}

/// The main ratios of one profile. Those of contenders that did not run are left out.
pub(crate) fn ratios(profile: ProfileName, all: &[Series]) -> Table {
    let mut table = Table::new(
        format!("{}: ratios per record, each of one round", profile.name()),
        &["ratio", "median", "least", "most", "aim"],
    );
    for figure in FIGURES {
        let found = |who| find(all, who, figure.side);
        let (Some(above), Some(below)) = (found(figure.above), found(figure.below)) else {
            continue;
        };
        let (side, quantity) = (figure.side, figure.quantity);
        let spread = ratio(above, below, |run| quantity.of(run));
        let name = format!("{side}, {}: {} / {}", quantity.name(), figure.above, figure.below);
        table.row(row(name, spread, figure.aim.text(spread.median)));
    }
    if let Some(both) = find(all, batchpipe::OURS, Side::Both) {
        let through = both.spread(|run| 1.0 / run.wall());
        // The aim is for the larger records.
        let aim = match profile {
            ProfileName::Telemetry => THROUGH.text(through.median),
            _ => String::new(),
        };
        table.row(row("both sides, million records/s".to_owned(), through, aim));
        let busy = both.spread(|run: &Run| run.cost.cpu_seconds / run.cost.wall_seconds);
        table.row(row("both sides, cores busy without the broker".to_owned(), busy, String::new()));
    }
    table
}

fn row(name: String, found: Spread, aim: String) -> Vec<String> {
    vec![name, number(found.median), number(found.least), number(found.most), aim]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contenders::{bare, librdkafka},
        cpu::Cost,
        report::aims::Figure,
    };

    fn series(who: &str, side: Side, cpu_seconds: f64, bytes: u64) -> Series {
        let cost = Cost { cpu_seconds, wall_seconds: 0.25 };
        let run = Run { topic_bytes: Some(bytes), ..Run::new(cost, 1_000_000) };
        Series { who: who.to_owned(), side, runs: vec![run] }
    }

    #[test]
    fn a_contender_that_is_missing_without_having_been_left_out_is_told() {
        let both = |figure: &Figure| [(figure.above, figure.side), (figure.below, figure.side)];
        let mut turns: Vec<_> = FIGURES.iter().flat_map(both).collect();
        assert!(check(&turns, &[]).is_ok());
        turns.retain(|(who, _)| *who != librdkafka::ZSTD);
        assert!(check(&turns, &[Peer::Librdkafka]).is_ok());
        let error = check(&turns, &[Peer::Java]).unwrap_err().to_string();
        assert_eq!(error, "produce: a ratio needs \"librdkafka zstd\", which takes no turn");
    }

    #[test]
    fn ratios_name_their_aims_and_leave_out_who_did_not_run() {
        let all = [
            series(batchpipe::OURS, Side::Produce, 0.5, 80),
            series(bare::LOOP, Side::Produce, 0.4, 80),
            series(librdkafka::ZSTD, Side::Produce, 0.9, 100),
            series(batchpipe::OURS, Side::Both, 0.5, 80),
        ];
        let text = ratios(ProfileName::Telemetry, &all).markdown();
        let expected = [
            "| produce, CPU: batchpipe / bare loop | 1.250 | 1.250 | 1.250 | <= 1.25 holds |",
            "| produce, CPU: librdkafka zstd / batchpipe | 1.800 | 1.800 | 1.800 | >= 2 MISSED |",
            "| produce, bytes: batchpipe / librdkafka zstd | 0.800 | 0.800 | 0.800 | <= 0.9 holds |",
            "| both sides, million records/s | 4.000 | 4.000 | 4.000 | >= 2 holds |",
        ];
        for line in expected {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("java"), "{text}");
    }
}
