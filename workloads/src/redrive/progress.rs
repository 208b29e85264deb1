//! How far the letters of one partition were sent back, by reason and number of attempts, as text that is kept beside a
//! group's offset. Pure.
//!
//! A run asks for some reasons and leaves letters that came back too often. What it leaves must still be there for a run
//! that asks for more, and what it sent must not be sent by that one again. So a position is kept for each reason: all
//! letters before it with fewer attempts than a bound were sent. Several bounds of a reason are kept as long as each
//! says something that no other says. An offset that others have set, as with `kafka-consumer-groups --reset-offsets`,
//! comes without this text and counts for everything.

use std::{collections::BTreeMap, fmt, str::FromStr};

use batchpipe_api::reason::Reason;

/// What our text begins with.
const VERSION: &str = "batchpipe-redrive=1";

/// How far letters of one partition were sent back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything before this offset is done.
    base: i64,
    /// By reason: letters with fewer attempts than the key are done before the offset.
    bounds: BTreeMap<Reason, BTreeMap<u32, i64>>,
}

impl Progress {
    /// Everything before this offset is done.
    pub(super) const fn at(offset: i64) -> Self {
        Self { base: offset, bounds: BTreeMap::new() }
    }

    /// What a group has: our text, or else its offset alone.
    pub(super) fn read(offset: i64, text: &str) -> Self {
        parse(text).unwrap_or_else(|| Self::at(offset))
    }

    /// Before which offset letters with this reason and so many attempts are done.
    pub(super) fn position(&self, reason: Reason, attempts: u32) -> i64 {
        let bounds = self.bounds.get(&reason).into_iter().flatten();
        let of_bounds = bounds.filter(|(below, _)| **below > attempts).map(|(_, offset)| *offset);
        of_bounds.max().map_or(self.base, |offset| offset.max(self.base))
    }

    /// Before which offset all letters are done that have one of these reasons and fewer attempts than `below`.
    pub(super) fn start(&self, reasons: impl IntoIterator<Item = Reason>, below: u32) -> i64 {
        let most = below.saturating_sub(1);
        let positions = reasons.into_iter().map(|reason| self.position(reason, most));
        positions.min().unwrap_or(self.base)
    }

    /// Letters before this offset are done that have one of these reasons and fewer attempts than `below`.
    pub(super) fn advance(
        &mut self,
        reasons: impl IntoIterator<Item = Reason>,
        below: u32,
        offset: i64,
    ) {
        for reason in reasons {
            let bounds = self.bounds.entry(reason).or_default();
            let known = bounds.entry(below).or_insert(offset);
            *known = offset.max(*known);
            let all = bounds.clone();
            let is_said = |(below, offset): (u32, i64)| {
                all.iter().any(|other| {
                    (*other.0 >= below && *other.1 >= offset)
                        && (*other.0, *other.1) != (below, offset)
                })
            };
            bounds.retain(|below, offset| !is_said((*below, *offset)));
        }
    }

    /// The largest offset in it.
    pub(super) fn highest(&self) -> i64 {
        let of_bounds = self.bounds.values().flat_map(BTreeMap::values).max();
        of_bounds.map_or(self.base, |offset| self.base.max(*offset))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION};base={}", self.base)?;
        for (reason, bounds) in &self.bounds {
            for (below, offset) in bounds {
                write!(f, ";{reason}={below}@{offset}")?;
            }
        }
        Ok(())
    }
}

/// Reads our text; what a later version added is ignored.
fn parse(text: &str) -> Option<Progress> {
    let fields = text.strip_prefix(VERSION)?.strip_prefix(';')?.split(';');
    let mut progress = Progress::default();
    for (key, value) in fields.map(|field| field.split_once('=').unwrap_or((field, ""))) {
        if key == "base" {
            progress.base = number(value)?;
        } else if let Some(reason) = Reason::from_name(key) {
            let (below, offset) = value.split_once('@')?;
            let bounds = progress.bounds.entry(reason).or_default();
            bounds.insert(number(below)?, number(offset)?);
        }
    }
    Some(progress)
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Reason; 2] = [Reason::Corrupt, Reason::InvalidJson];

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let mut progress = Progress::at(4);
        assert_eq!(progress.to_string(), "batchpipe-redrive=1;base=4");
        progress.advance([Reason::Corrupt], 5, 7);
        progress.advance([Reason::Corrupt], 3, 9);
        let text = progress.to_string();
        assert_eq!(text, "batchpipe-redrive=1;base=4;corrupt=3@9;corrupt=5@7");
        assert_eq!(Progress::read(0, &text), progress);
        assert_eq!(Progress::read(0, &format!("{text};later=x")), progress);
    }

    #[test]
    fn an_offset_that_others_have_set_counts_for_everything() {
        for text in ["", "a-topic-id", "batchpipe-redrive=2;base=1", "batchpipe-redrive=1;base=x"] {
            assert_eq!(Progress::read(6, text), Progress::at(6), "{text}");
        }
        assert_eq!(Progress::at(6).start(BOTH, 3), 6);
    }

    #[test]
    fn a_run_for_one_reason_leaves_the_others() {
        let mut progress = Progress::default();
        progress.advance([Reason::Corrupt], 3, 10);
        assert_eq!(progress.position(Reason::Corrupt, 2), 10);
        assert_eq!(progress.position(Reason::InvalidJson, 0), 0);
        assert_eq!(progress.start([Reason::Corrupt], 3), 10, "nothing is done twice");
        assert_eq!(progress.start(BOTH, 3), 0, "nothing is passed over");
    }

    #[test]
    fn letters_with_too_many_attempts_are_left_for_a_run_that_allows_more() {
        let mut progress = Progress::default();
        progress.advance([Reason::Corrupt], 3, 10);
        assert_eq!(progress.position(Reason::Corrupt, 3), 0);
        assert_eq!(progress.start([Reason::Corrupt], 5), 0);
        progress.advance([Reason::Corrupt], 5, 12);
        assert_eq!(progress.start([Reason::Corrupt], 3), 12);
    }

    #[test]
    fn what_says_nothing_new_is_forgotten() {
        let mut progress = Progress::default();
        for round in 1..1000 {
            progress.advance(Reason::ALL, round % 4 + 1, i64::from(round));
        }
        assert!(progress.to_string().len() < 4096, "what brokers keep beside an offset");
        progress.advance(Reason::ALL, 4, 5000);
        assert_eq!(progress.bounds[&Reason::Corrupt], BTreeMap::from([(4, 5000)]));
        assert_eq!(progress.highest(), 5000);
    }

    #[test]
    fn a_position_never_goes_back() {
        let mut progress = Progress::at(20);
        progress.advance([Reason::Corrupt], 3, 10);
        assert_eq!(progress.position(Reason::Corrupt, 0), 20);
        progress.advance([Reason::Corrupt], 3, 30);
        progress.advance([Reason::Corrupt], 3, 25);
        assert_eq!(progress.position(Reason::Corrupt, 0), 30);
    }
}
