//! The document of latencies. Pure; nothing in it is written by hand.

use std::time::Duration;

use super::{Point, Reached, Seen};
use crate::{
    report::{aims::Aim, machine::Machine, number, table::Table},
    spread::Spread,
};

/// The point that something is promised for, and what: linger, percent of the throughput, milliseconds.
const PROMISED: (Duration, u64, Aim) = (Duration::from_millis(100), 50, Aim::AtMost(150.0));

pub(super) fn markdown(
    machine: &Machine,
    duration: Duration,
    reached: &[Reached],
    points: &[Point],
) -> String {
    let Machine { processor, cores, memory_gib, load, date, .. } = machine;
    let rounds = points.first().map_or(0, |point| point.rounds.len());
    let (throughput, latencies) = (throughput(reached).body(), latencies(points).body());
    let (promise, seconds) = (promise(points), duration.as_secs());
    format!(
        "# Latency\n\nWritten by `make bench-latency`, not by hand. From the time at which a record was due at the \
         producer's standard input to its arrival from the consumer's standard output, through a real broker; telemetry \
         records of about 260 bytes, batches of up to 500 records, defaults but for the linger. The time is that of the \
         plan, so that what waits for a full pipe counts as well. The producer, the consumer, the broker, and the program \
         that writes, reads and measures share the cores.\n\n{date}, {processor}, {cores} cores, {memory_gib} GiB, load \
         {load} at the start; {rounds} rounds of {seconds} s in which the points took turns: the median of the rounds, \
         and their least and most.\n\n## Throughput without a pause\n\n{throughput}\n## Added latency\n\n\
         {latencies}\n{promise}\n"
    )
}

fn throughput(reached: &[Reached]) -> Table {
    let mut table = Table::new(String::new(), &["linger", "records/s"]);
    for it in reached {
        table.row(vec![format!("{:?}", it.linger), number(it.records_per_second)]);
    }
    table
}

fn latencies(points: &[Point]) -> Table {
    let header = [
        "linger, load",
        "records/s",
        "p50, ms",
        "p99, ms",
        "least to most",
        "p99.9, ms",
        "longest, ms",
    ];
    let mut table = Table::new(String::new(), &header);
    for point in points {
        let spread = |figure: fn(&Seen) -> f64| Spread::of(point.rounds.iter().map(figure));
        let p99 = spread(p99);
        table.row(vec![
            format!("{:?}, {} %", point.linger, point.load),
            number(spread(Seen::records_per_second).median),
            number(spread(|seen| seen.percentile(50.0)).median),
            number(p99.median),
            format!("{} to {}", number(p99.least), number(p99.most)),
            number(spread(|seen| seen.percentile(99.9)).median),
            number(spread(Seen::longest).most),
        ]);
    }
    table
}

fn p99(seen: &Seen) -> f64 {
    seen.percentile(99.0)
}

/// What is promised, and whether it holds.
fn promise(points: &[Point]) -> String {
    let (linger, load, aim) = PROMISED;
    let point = points.iter().find(|point| point.linger == linger && point.load == load);
    point.map_or_else(String::new, |point| {
        let found = Spread::of(point.rounds.iter().map(p99)).median;
        format!(
            "p99 at a linger of {linger:?} and {load} % of the throughput: {}.",
            aim.text(found)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_tells_every_point_and_whether_the_promise_holds() {
        let machine = Machine::example();
        let linger = Duration::from_millis(100);
        let reached = [Reached { linger, records_per_second: 1_000_000.0 }];
        let point = |load, millis| Point { linger, load, rounds: vec![Seen::of(&[millis; 100])] };
        let text =
            markdown(&machine, Duration::from_secs(10), &reached, &[point(50, 90), point(90, 200)]);
        for part in [
            "1 rounds of 10 s",
            "| 100ms | 1000000 |",
            "| 100ms, 50 % | 100 | 90.0 | 90.0 | 90.0 to 90.0 | 90.0 | 90.0 |",
            "| 100ms, 90 % | 100 | 200 |",
            "50 % of the throughput: <= 150 holds.",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
