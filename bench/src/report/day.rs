//! A day at a million records a second, on paper: what the measured figures come to. Pure.

use batchpipe_workloads::source::generator::ProfileName;

use super::{number, table::Table};
use crate::{
    contenders::{batchpipe, java, librdkafka},
    rounds::{Run, Series, Side, find},
};

/// Those who are compared: us, and single messages with Kafka's own zstd.
const WHO: [&str; 3] = [batchpipe::OURS, librdkafka::ZSTD, java::ZSTD];
const SECONDS: f64 = 86_400.0;

/// CPU seconds per million records are the cores that a million records a second keep busy.
pub(crate) fn day(profile: ProfileName, all: &[Series]) -> Table {
    let mut table = Table::new(
        format!("{}: a day at 1,000,000 records/s, on paper", profile.name()),
        &[
            "who",
            "cores to produce",
            "cores to consume",
            "cores of brokers",
            "network, MB/s each way",
            "disk, TB/day and replica",
            "producer, MiB",
            "consumer, MiB",
        ],
    );
    for who in WHO {
        let sides = [Side::Produce, Side::Consume].map(|side| find(all, who, side));
        let [Some(produce), Some(consume)] = sides else { continue };
        let middle = |series: &Series, figure: fn(&Run) -> Option<f64>| {
            series.known(figure).map_or(f64::NAN, |spread| spread.median)
        };
        let bytes = middle(produce, Run::bytes);
        let brokers = middle(produce, |run| run.broker) + middle(consume, |run| run.broker);
        let figures = [
            produce.spread(Run::cpu).median,
            consume.spread(Run::cpu).median,
            brokers,
            // A million records of so many bytes are so many megabytes.
            bytes,
            bytes * SECONDS / 1e6,
            middle(produce, Run::peak_mib),
            middle(consume, Run::peak_mib),
        ];
        table.row(std::iter::once(who.to_owned()).chain(figures.map(number)).collect());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cost;

    #[test]
    fn a_day_is_the_measured_figures_times_its_seconds() {
        let series = |side| {
            let run = Run {
                topic_bytes: Some(30_000_000),
                peak_bytes: Some(32 << 20),
                broker: Some(0.1),
                ..Run::new(Cost { cpu_seconds: 0.5, wall_seconds: 0.5 }, 1_000_000)
            };
            Series { who: batchpipe::OURS.to_owned(), side, runs: vec![run] }
        };
        let all = [series(Side::Produce), series(Side::Consume)];
        let text = day(ProfileName::Telemetry, &all).markdown();
        let expected = "| batchpipe | 0.500 | 0.500 | 0.200 | 30.0 | 2.592 | 32.0 | 32.0 |";
        assert!(text.contains(expected) && !text.contains("java"), "{text}");
    }
}
