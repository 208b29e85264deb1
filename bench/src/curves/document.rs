//! The document of curves. Pure; nothing in it is written by hand.

use std::fmt::Write as _;

use super::{Measured, PointCost, bend::sentence};
use crate::{
    report::{machine::Machine, number, table::Table},
    rounds::{Run, Series},
};

pub(super) fn markdown(machine: &Machine, rounds: usize, records: u64, all: &[Measured]) -> String {
    let Machine { processor, cores, memory_gib, load, date, .. } = machine;
    let mut text = format!(
        "# How the cost grows\n\nWritten by `make bench-curves`, not by hand. One setting at a time is varied; the others \
         are as in [the benchmarks](benchmarks.md): 500 records per batch, zstd 1, 6 partitions, producer validating, \
         sealed batches read back. CPU seconds of the client (user and system, without its start), median of {rounds} \
         rounds in which the points took turns; {records} records of about 234 bytes, or as many bytes of larger ones.\n\n\
         {date}, {processor}, {cores} cores that the broker shares, {memory_gib} GiB, load {load} at the start.\n"
    );
    for measured in all {
        let table = table(measured);
        let words = words(measured);
        write!(text, "\n## {}\n\n{table}\n{words}\n", measured.curve.title)
            .expect("a String takes everything");
    }
    text
}

fn table(measured: &Measured) -> String {
    let unit = if measured.curve.per_gigabyte { "GB" } else { "M records" };
    let header = [
        "point".to_owned(),
        "bytes/record".to_owned(),
        format!("produce, CPU s/{unit}"),
        "least to most".to_owned(),
        format!("consume, CPU s/{unit}"),
        "least to most".to_owned(),
        "bytes/record on topic".to_owned(),
        "producer, peak MiB".to_owned(),
    ];
    let mut table = Table::new(String::new(), &header.each_ref().map(String::as_str));
    for point in &measured.costs {
        let cost = |series| spread(measured, point, series);
        let ((produce, produce_range), (consume, consume_range)) =
            (cost(&point.produce), cost(&point.consume));
        let middle = |figure: fn(&Run) -> Option<f64>| {
            point.produce.known(figure).map_or_else(String::new, |it| number(it.median))
        };
        table.row(vec![
            point.label.clone(),
            number(point.record_bytes),
            number(produce),
            produce_range,
            number(consume),
            consume_range,
            middle(Run::bytes),
            middle(Run::peak_mib),
        ]);
    }
    table.body()
}

/// The median, and from where to where.
fn spread(measured: &Measured, point: &PointCost, series: &Series) -> (f64, String) {
    let found = series.spread(Run::cpu);
    // A million records of so many bytes are so many megabytes, of which a gigabyte has a thousand.
    let scale = if measured.curve.per_gigabyte { 1000.0 / point.record_bytes } else { 1.0 };
    let range = format!("{} to {}", number(found.least * scale), number(found.most * scale));
    (found.median * scale, range)
}

/// What the figures say, and what is behind them.
fn words(measured: &Measured) -> String {
    let costs = |series: fn(&PointCost) -> &Series| -> Vec<(&str, f64)> {
        let cost = |point| spread(measured, point, series(point)).0;
        measured.costs.iter().map(|point| (point.label.as_str(), cost(point))).collect()
    };
    let is_ordered = measured.curve.is_ordered;
    format!(
        "{} Produce: {} Consume: {}",
        measured.curve.cause,
        sentence(&costs(|point| &point.produce), is_ordered),
        sentence(&costs(|point| &point.consume), is_ordered)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cpu::Cost, curves::points, rounds::Side};

    #[test]
    fn a_curve_is_a_table_and_a_sentence() {
        let series = |cpu_seconds, side| {
            let run = Run::new(Cost { cpu_seconds, wall_seconds: 1.0 }, 1_000_000);
            Series { who: String::new(), side, runs: vec![run] }
        };
        let point = |label: &str, seconds| PointCost {
            label: label.to_owned(),
            record_bytes: 250.0,
            produce: series(seconds, Side::Produce),
            consume: series(seconds / 2.0, Side::Consume),
        };
        let mut curves = points::curves();
        let measured =
            Measured { curve: curves.remove(0), costs: vec![point("a", 1.0), point("b", 0.5)] };
        // A million records of 250 bytes are a quarter of a gigabyte.
        let table = table(&measured);
        assert!(table.contains("| a | 250 | 4.000 | 4.000 to 4.000 | 2.000 |"), "{table}");
        let words = words(&measured);
        assert!(words.contains("`b` costs least and `a` most, 2.0 times as much"), "{words}");
    }
}
