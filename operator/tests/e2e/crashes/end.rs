//! What a step comes to in the end, and what was created and deleted on the way.

use std::collections::BTreeMap;

use batchpipe_operator::client::Verb;

use crate::support::Faults;

/// What a step comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct End {
    pub(super) essence: String,
    pub(super) became: BTreeMap<String, String>,
    /// How often each object was created and deleted.
    pub(super) counts: BTreeMap<(Verb, String), usize>,
}

impl End {
    fn lines(&self) -> Vec<String> {
        let essence = self.essence.lines().map(str::to_owned);
        let became = self.became.iter().map(|(key, what)| format!("{key}: {what}"));
        let counts = self.counts.iter().map(|(what, count)| format!("{what:?}: {count}"));
        essence.chain(became).chain(counts).collect()
    }

    /// What is found and not expected, and what is expected and not found.
    pub(super) fn differences(&self, expected: &Self) -> String {
        let (found, expected) = (self.lines(), expected.lines());
        let more = found.iter().filter(|line| !expected.contains(line));
        let less = expected.iter().filter(|line| !found.contains(line));
        let more = more.map(|line| format!("\n  found    {line}"));
        more.chain(less.map(|line| format!("\n  expected {line}"))).collect()
    }
}

/// What the API server created and deleted for these operators; Events and Leases are no matter of the pipeline.
pub(super) fn counts(all: &[Faults]) -> BTreeMap<(Verb, String), usize> {
    let mut counts = BTreeMap::new();
    for (request, code) in all.iter().flat_map(Faults::answered) {
        let verb = match (request.verb, code) {
            (Verb::Patch | Verb::Create, 201) => Verb::Create,
            (Verb::Delete, 200 | 202) => Verb::Delete,
            _ => continue,
        };
        let name = request.path.rsplit('/').take(2).collect::<Vec<_>>().join(" of ");
        if request.is_write() && !request.path.contains("/events") {
            *counts.entry((verb, name)).or_default() += 1;
        }
    }
    counts
}
