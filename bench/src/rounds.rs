//! Contenders take turns: A B C A B C, so that a machine that becomes slower becomes slower for all of them.

use anyhow::{Context as _, Result};

use crate::cpu::Cost;

/// One run of a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// What its records cost, without starting and stopping.
    pub(crate) cost: Cost,
    pub(crate) records: u64,
    /// What starting and stopping costs, where there is a process to start.
    pub(crate) start: Option<Cost>,
    /// Bytes that are in the topic afterwards.
    pub(crate) topic_bytes: Option<u64>,
}

impl Run {
    /// Work in this thread.
    pub(crate) const fn of_thread(cost: Cost, records: u64) -> Self {
        Self { cost, records, start: None, topic_bytes: None }
    }

    fn millions(&self) -> f64 {
        float(self.records) / 1e6
    }

    /// CPU seconds per million records.
    pub(crate) fn cpu(&self) -> f64 {
        self.cost.cpu_seconds / self.millions()
    }

    /// Seconds per million records.
    pub(crate) fn wall(&self) -> f64 {
        self.cost.wall_seconds / self.millions()
    }
}

/// Something that is measured; its work is given the number of the round.
pub(crate) struct Contender<'a> {
    name: &'static str,
    work: Box<dyn FnMut(usize) -> Result<Run> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: &'static str, work: impl FnMut(usize) -> Result<Run> + 'a) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// All runs of one contender, in the order of the rounds.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) runs: Vec<Run>,
}

/// Runs all contenders, one after the other, in each round. The first one that cannot run ends it.
pub(crate) fn interleave(mut contenders: Vec<Contender<'_>>, rounds: usize) -> Result<Vec<Series>> {
    let mut all: Vec<_> =
        contenders.iter().map(|it| Series { name: it.name, runs: Vec::new() }).collect();
    for round in 0..rounds {
        for (contender, series) in contenders.iter_mut().zip(&mut all) {
            let run = (contender.work)(round)
                .with_context(|| format!("contender {:?} failed in round {round}", series.name))?;
            series.runs.push(run);
        }
        eprintln!("round {} of {rounds} is done", round + 1);
    }
    Ok(all)
}

/// The middle of some numbers, the least and the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one number.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Self { median, least: sorted[0], most: sorted[sorted.len() - 1] }
    }
}

/// A count as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// How many times the CPU of `below` a contender needs: the spread of the ratios of single rounds.
pub(crate) fn ratio(above: &Series, below: &Series) -> Spread {
    Spread::of(above.runs.iter().zip(&below.runs).map(|(above, below)| above.cpu() / below.cpu()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cpu_seconds: f64) -> Run {
        Run::of_thread(Cost { cpu_seconds, wall_seconds: 1.0 }, 1_000_000)
    }

    #[test]
    fn contenders_take_turns() {
        let order = std::cell::RefCell::new(Vec::new());
        let contender = |name: &'static str| {
            let order = &order;
            Contender::new(name, move |round| {
                order.borrow_mut().push((name, round));
                Ok(run(1.0))
            })
        };
        interleave(vec![contender("a"), contender("b")], 2).unwrap();
        assert_eq!(*order.borrow(), [("a", 0), ("b", 0), ("a", 1), ("b", 1)]);
    }

    #[test]
    fn one_that_cannot_run_is_named() {
        let contenders = vec![Contender::new("python", |_| anyhow::bail!("no interpreter"))];
        let error = interleave(contenders, 1).err().unwrap();
        assert!(format!("{error:#}").contains("\"python\""), "{error:#}");
    }

    #[test]
    fn a_drifting_machine_does_not_change_ratios() {
        let above = Series { name: "a", runs: vec![run(2.0), run(4.0), run(8.0)] };
        let below = Series { name: "b", runs: vec![run(1.0), run(2.0), run(4.0)] };
        assert_eq!(ratio(&above, &below), Spread { median: 2.0, least: 2.0, most: 2.0 });
    }

    #[test]
    fn the_median_of_an_even_number_is_between_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!(spread, Spread { median: 2.5, least: 1.0, most: 4.0 });
    }
}
