//! What must hold for a side to be ready, and what it is waiting for.
//!
//! Pure bookkeeping under small locks: notes come at most once for each batch and are read by probes.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use batchpipe_api::report::Stall;

use super::facts::moment;

/// The longest text that is kept, in bytes: a sink may answer with a whole page.
const MAX_TEXT: usize = 512;

/// A condition of readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// The pipeline is valid and its secrets are there.
    Configuration,
    /// The brokers were reached.
    Brokers,
    /// The topic exists and can be used.
    Topic,
    /// The consumer group was joined.
    Group,
}

impl Gate {
    /// The name in `/readyz`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Brokers => "brokers",
            Self::Topic => "topic",
            Self::Group => "group",
        }
    }
}

/// What is known of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Position {
    Unknown,
    Open,
    Closed(Stall),
}

/// The gates of a side.
#[derive(Debug)]
pub(super) struct Gates(Mutex<BTreeMap<Gate, Position>>);

impl Gates {
    /// These gates; nothing is known of them yet.
    pub(super) fn unknown(gates: &[Gate]) -> Self {
        Self(Mutex::new(gates.iter().map(|gate| (*gate, Position::Unknown)).collect()))
    }

    /// The condition holds.
    pub(super) fn open(&self, gate: Gate) {
        self.lock().insert(gate, Position::Open);
    }

    /// The condition does not hold; while it does not, the time of the beginning stays.
    pub(super) fn close(&self, gate: Gate, stall: Stall) {
        let mut gates = self.lock();
        let before = match gates.get(&gate) {
            Some(Position::Closed(before)) => Some(before.since_ms),
            _ => None,
        };
        gates.insert(gate, Position::Closed(since(stall, before)));
    }

    /// The gates that are not open, a line each.
    pub(super) fn unmet(&self) -> Vec<String> {
        let line = |(gate, position): (&Gate, &Position)| match position {
            Position::Open => None,
            Position::Unknown => Some(format!("{}: not known yet", gate.name())),
            Position::Closed(stall) => Some(format!("{}: {}", gate.name(), words(stall))),
        };
        self.lock().iter().filter_map(line).collect()
    }

    /// The gates that were closed.
    pub(super) fn closed(&self) -> Vec<Stall> {
        let closed = |position: &Position| match position {
            Position::Closed(stall) => Some(stall.clone()),
            _ => None,
        };
        self.lock().values().filter_map(closed).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Gate, Position>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for what. Each waiting part has a key, such as its partition, so that one that goes on does not
/// hide that another still waits.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    stalls: Mutex<BTreeMap<String, Stall>>,
    count: AtomicUsize,
}

impl Stalls {
    /// A part waits; while it does, the time of the beginning stays. True when it did not wait before.
    pub(super) fn add(&self, part: &str, stall: Stall) -> bool {
        let mut stalls = self.lock();
        let before = stalls.get(part).map(|stall| stall.since_ms);
        stalls.insert(part.to_owned(), since(stall, before));
        self.count.store(stalls.len(), Ordering::Release);
        before.is_none()
    }

    /// A part goes on; costs one atomic load when nothing waits. True when it did wait.
    pub(super) fn clear(&self, part: &str) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut stalls = self.lock();
        let has_waited = stalls.remove(part).is_some();
        self.count.store(stalls.len(), Ordering::Release);
        has_waited
    }

    /// Everything that is waited for.
    pub(super) fn all(&self) -> Vec<Stall> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stall>> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stall for people, in one line.
pub(super) fn words(stall: &Stall) -> String {
    format!("{} ({}, since {})", stall.what, stall.reason, moment(stall.since_ms))
}

/// Makes any text fit for one line of a plain text answer: short, and without control characters.
pub(super) fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    let mut line = String::with_capacity(end);
    for character in text[..end].chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if end < text.len() {
        line.push('…');
    }
    line
}

fn since(stall: Stall, before: Option<i64>) -> Stall {
    Stall { since_ms: before.unwrap_or(stall.since_ms), ..stall }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(what: &str, since_ms: i64) -> Stall {
        Stall { reason: "Because".to_owned(), what: what.to_owned(), since_ms }
    }

    #[test]
    fn a_gate_is_unmet_until_it_is_opened() {
        let gates = Gates::unknown(&[Gate::Brokers, Gate::Topic]);
        gates.open(Gate::Topic);
        assert_eq!(gates.unmet(), ["brokers: not known yet"]);
        gates.open(Gate::Brokers);
        assert!(gates.unmet().is_empty());
        gates.close(Gate::Topic, stall("topic t does not exist", 0));
        let line = "topic: topic t does not exist (Because, since 1970-01-01T00:00:00Z)";
        assert_eq!(gates.unmet(), [line]);
    }

    #[test]
    fn only_gates_that_were_closed_are_waited_for() {
        let gates = Gates::unknown(&[Gate::Brokers, Gate::Topic]);
        assert_eq!(gates.closed(), []);
        gates.close(Gate::Brokers, stall("b:9092", 100));
        gates.close(Gate::Brokers, stall("c:9092", 200));
        assert_eq!(gates.closed(), [stall("c:9092", 100)]);
    }

    #[test]
    fn a_stall_keeps_its_beginning_while_it_lasts() {
        let stalls = Stalls::default();
        stalls.add("", stall("broker a", 100));
        stalls.add("", stall("broker b", 200));
        assert_eq!(stalls.all(), [stall("broker b", 100)]);
        stalls.clear("");
        assert_eq!(stalls.all(), []);
        stalls.add("", stall("broker a", 300));
        assert_eq!(stalls.all(), [stall("broker a", 300)]);
    }

    #[test]
    fn a_part_that_goes_on_does_not_hide_one_that_waits() {
        let stalls = Stalls::default();
        stalls.add("0", stall("the sink", 100));
        stalls.add("1", stall("the sink", 200));
        stalls.clear("0");
        assert_eq!(stalls.all(), [stall("the sink", 200)]);
    }

    #[test]
    fn foreign_text_stays_on_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m é"), "a\\nb\\u{1b}[31m é");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), MAX_TEXT / 2 + 1);
    }
}
