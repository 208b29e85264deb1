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

/// The gates of a side: open, or closed for a reason.
#[derive(Debug)]
pub(super) struct Gates(Mutex<BTreeMap<Gate, Option<String>>>);

/// One gate of a side.
#[derive(Debug)]
pub struct GateHandle<'a> {
    gates: &'a Gates,
    gate: Gate,
}

impl Gates {
    /// These gates, all closed.
    pub(super) fn closed(gates: &[Gate]) -> Self {
        let closed = |gate: &Gate| (*gate, Some("not known yet".to_owned()));
        Self(Mutex::new(gates.iter().map(closed).collect()))
    }

    pub(super) const fn handle(&self, gate: Gate) -> GateHandle<'_> {
        GateHandle { gates: self, gate }
    }

    /// The closed gates and why.
    pub(super) fn unmet(&self) -> Vec<(Gate, String)> {
        self.lock().iter().filter_map(|(gate, why)| Some((*gate, why.clone()?))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Gate, Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GateHandle<'_> {
    /// The condition holds.
    pub fn open(&self) {
        self.gates.lock().insert(self.gate, None);
    }

    /// The condition does not hold; says what is known and what to do.
    pub fn close(&self, why: &str) {
        self.gates.lock().insert(self.gate, Some(one_line(why)));
    }
}

/// Something outside that a part of a side waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// What is waited for.
    pub what: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// Who waits for what. Each waiting part has a key, such as its partition, so that one that goes on does not
/// hide that another still waits.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    stalls: Mutex<BTreeMap<String, Stall>>,
    count: AtomicUsize,
}

impl Stalls {
    /// A part waits; while it does, the time of the beginning stays.
    pub(super) fn add(&self, key: &str, what: &str, now_ms: i64) {
        let mut stalls = self.lock();
        let since_ms = stalls.get(key).map_or(now_ms, |stall| stall.since_ms);
        stalls.insert(key.to_owned(), Stall { what: one_line(what), since_ms });
        self.count.store(stalls.len(), Ordering::Release);
    }

    /// A part goes on; costs one atomic load when nothing waits.
    pub(super) fn clear(&self, key: &str) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut stalls = self.lock();
            stalls.remove(key);
            self.count.store(stalls.len(), Ordering::Release);
        }
    }

    /// What is waited for longest.
    pub(super) fn oldest(&self) -> Option<Stall> {
        self.lock().values().min_by_key(|stall| stall.since_ms).cloned()
    }

    /// Everything that is waited for.
    pub(super) fn all(&self) -> Vec<Stall> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stall>> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes any text fit for one line of a plain text answer: short, and without control characters.
pub(super) fn one_line(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    let escape = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
    };
    let mut line: String = text[..end].chars().map(escape).collect();
    if end < text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_closed_until_it_is_opened() {
        let gates = Gates::closed(&[Gate::Brokers, Gate::Topic]);
        gates.handle(Gate::Topic).open();
        assert_eq!(gates.unmet(), [(Gate::Brokers, "not known yet".to_owned())]);
        gates.handle(Gate::Brokers).open();
        assert_eq!(gates.unmet(), []);
        gates.handle(Gate::Topic).close("topic t does not exist");
        assert_eq!(gates.unmet(), [(Gate::Topic, "topic t does not exist".to_owned())]);
    }

    #[test]
    fn a_stall_keeps_its_beginning_while_it_lasts() {
        let stalls = Stalls::default();
        stalls.add("", "broker a", 100);
        stalls.add("", "broker b", 200);
        assert_eq!(stalls.oldest(), Some(Stall { what: "broker b".to_owned(), since_ms: 100 }));
        stalls.clear("");
        assert_eq!(stalls.oldest(), None);
        stalls.add("", "broker a", 300);
        assert_eq!(stalls.oldest().unwrap().since_ms, 300);
    }

    #[test]
    fn a_part_that_goes_on_does_not_hide_one_that_waits() {
        let stalls = Stalls::default();
        stalls.add("0", "the sink", 100);
        stalls.add("1", "the sink", 200);
        stalls.clear("0");
        assert_eq!(stalls.oldest().unwrap().since_ms, 200);
        assert_eq!(stalls.all().len(), 1);
    }

    #[test]
    fn foreign_text_stays_on_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m é"), "a\\nb\\u{1b}[31m é");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), MAX_TEXT / 2 + 1);
    }
}
