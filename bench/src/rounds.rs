//! Contenders take turns: A B C A B C, so that a machine that becomes slower becomes slower for all of them.

use std::fmt;

use anyhow::{Context as _, Result};

use crate::{
    cpu::Cost,
    spread::{Spread, float},
};

/// One run of a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// What its records cost, without starting and stopping.
    pub(crate) cost: Cost,
    pub(crate) records: u64,
    /// What starting and stopping costs, where that was measured.
    pub(crate) start: Option<Cost>,
    /// Bytes that are in the topic afterwards.
    pub(crate) topic_bytes: Option<u64>,
    /// The most memory that the process had.
    pub(crate) peak_bytes: Option<u64>,
    /// CPU seconds of the broker per million records meanwhile.
    pub(crate) broker: Option<f64>,
}

impl Run {
    /// Work in this thread, or in a process of which no more is known.
    pub(crate) const fn new(cost: Cost, records: u64) -> Self {
        Self { cost, records, start: None, topic_bytes: None, peak_bytes: None, broker: None }
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

    /// The most memory, in MiB.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        self.peak_bytes.map(|bytes| float(bytes) / 1_048_576.0)
    }

    /// Bytes on the topic per record.
    pub(crate) fn bytes(&self) -> Option<f64> {
        self.topic_bytes.map(|bytes| float(bytes) / float(self.records))
    }
}

/// Which work is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Records to the broker.
    Produce,
    /// And back.
    Consume,
    /// Both at once.
    Both,
    /// Compressing alone.
    Encode,
    /// Decompressing alone.
    Decode,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
            Self::Both => "both sides",
            Self::Encode => "encode",
            Self::Decode => "decode",
        })
    }
}

/// Something that is measured; its work is given the number of the round.
pub(crate) struct Contender<'a> {
    pub(crate) who: String,
    pub(crate) side: Side,
    work: Box<dyn FnMut(usize) -> Result<Run> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(
        who: impl Into<String>,
        side: Side,
        work: impl FnMut(usize) -> Result<Run> + 'a,
    ) -> Self {
        Self { who: who.into(), side, work: Box::new(work) }
    }
}

/// All runs of one contender, in the order of the rounds.
pub(crate) struct Series {
    pub(crate) who: String,
    pub(crate) side: Side,
    pub(crate) runs: Vec<Run>,
}

impl Series {
    /// What of each run.
    pub(crate) fn spread(&self, figure: impl Fn(&Run) -> f64) -> Spread {
        Spread::of(self.runs.iter().map(figure))
    }

    /// The same of what not all runs have; none when no run has it.
    pub(crate) fn known(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        let known: Vec<_> = self.runs.iter().filter_map(figure).collect();
        (!known.is_empty()).then(|| Spread::of(known))
    }
}

/// Who is meant among all.
pub(crate) fn find<'a>(all: &'a [Series], who: &str, side: Side) -> Option<&'a Series> {
    all.iter().find(|series| series.who == who && series.side == side)
}

/// Runs all contenders, one after the other, in each round. The first one that cannot run ends it.
pub(crate) fn interleave(mut contenders: Vec<Contender<'_>>, rounds: usize) -> Result<Vec<Series>> {
    let series = |it: &Contender<'_>| Series { who: it.who.clone(), side: it.side, runs: vec![] };
    let mut all: Vec<_> = contenders.iter().map(series).collect();
    for round in 0..rounds {
        for (contender, series) in contenders.iter_mut().zip(&mut all) {
            let (who, side) = (&contender.who, contender.side);
            let run = (contender.work)(round)
                .with_context(|| format!("contender {who:?} failed to {side} in round {round}"))?;
            eprintln!("  {who}, {side}: {:.3} CPU s", run.cpu());
            series.runs.push(run);
        }
        eprintln!("round {} of {rounds} is done", round + 1);
    }
    Ok(all)
}

/// How many times the figure of `below` that of `above` is: the spread of the ratios of single rounds.
pub(crate) fn ratio(above: &Series, below: &Series, figure: impl Fn(&Run) -> f64) -> Spread {
    let pairs = above.runs.iter().zip(&below.runs);
    Spread::of(pairs.map(|(above, below)| figure(above) / figure(below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cpu_seconds: f64) -> Run {
        Run::new(Cost { cpu_seconds, wall_seconds: 1.0 }, 1_000_000)
    }

    #[test]
    fn contenders_take_turns() {
        let order = std::cell::RefCell::new(Vec::new());
        let contender = |who: &'static str| {
            let order = &order;
            Contender::new(who, Side::Produce, move |round| {
                order.borrow_mut().push((who, round));
                Ok(run(1.0))
            })
        };
        interleave(vec![contender("a"), contender("b")], 2).unwrap();
        assert_eq!(*order.borrow(), [("a", 0), ("b", 0), ("a", 1), ("b", 1)]);
    }

    #[test]
    fn one_that_cannot_run_is_named() {
        let fails = |_| anyhow::bail!("no interpreter");
        let contenders = vec![Contender::new("python", Side::Consume, fails)];
        let error = interleave(contenders, 1).err().unwrap();
        assert!(format!("{error:#}").contains("\"python\" failed to consume"), "{error:#}");
    }

    #[test]
    fn a_drifting_machine_does_not_change_ratios() {
        let series = |who: &str, seconds: [f64; 3]| Series {
            who: who.to_owned(),
            side: Side::Produce,
            runs: seconds.map(run).to_vec(),
        };
        let all = [series("a", [2.0, 4.0, 8.0]), series("b", [1.0, 2.0, 4.0])];
        let found = |who| find(&all, who, Side::Produce).unwrap();
        let ratio = ratio(found("a"), found("b"), Run::cpu);
        assert_eq!(ratio, Spread { median: 2.0, least: 2.0, most: 2.0 });
    }
}
