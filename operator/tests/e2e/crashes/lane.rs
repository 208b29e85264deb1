//! A lane goes through a scenario again and again in a namespace of its own, each time with a crash at a later request,
//! until the scenario runs through without coming so far.

use std::{
    collections::BTreeMap,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use batchpipe_operator::{client::Verb, lease::Timing};
use serde_json::json;

use super::{
    crash::Crash,
    essence::Snapshot,
    place::Place,
    scenario::{Scenario, Step},
};
use crate::support::{Fault, Faults, Operator, options, within};

/// How long a plan may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Without a crash, nothing more happens when nothing was asked for so long.
const REST: Duration = Duration::from_secs(2);
/// The same when the end is known and there.
const SHORT_REST: Duration = Duration::from_millis(400);
/// So many looks in a row have to write nothing.
const QUIET_LOOKS: usize = 2;

/// The plans of a lane.
pub(super) struct Lane {
    scenario: Scenario,
    fault: Fault,
    /// It crashes at this request, counted from 0, and at each that is the number of lanes further on.
    first: usize,
}

/// How often a step was gone through with a crash, and what its end is.
pub(super) struct Tally {
    pub(super) step: &'static str,
    pub(super) plans: usize,
    pub(super) end: String,
}

/// A step, where its next crash is, and what it comes to without one.
struct Way {
    step: Step,
    next: Option<usize>,
    plans: usize,
    expected: Option<End>,
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq)]
struct End {
    essence: String,
    became: BTreeMap<String, String>,
    /// How often each object was created and deleted.
    counts: BTreeMap<(Verb, String), usize>,
}

/// What a plan is gone through with.
struct Run<'a> {
    place: &'a Place,
    kubeconfig: &'a Path,
    fault: Fault,
}

impl Lane {
    pub(super) const fn new(scenario: Scenario, fault: Fault, first: usize) -> Self {
        Self { scenario, fault, first }
    }

    pub(super) fn run(&self, server: &crate::support::Server, kubeconfig: &Path) -> [Tally; 2] {
        let place = Place::new(server, self.scenario.name);
        let run = Run { place: &place, kubeconfig, fault: self.fault };
        (self.scenario.set_up)(&place);
        let operator = run.operator(Faults::none());
        run.await_goal(&operator, self.scenario.back);
        operator.crash();
        let way = |step| Way { step, next: Some(self.first + 1), plans: 0, expected: None };
        let mut ways = [way(self.scenario.there), way(self.scenario.back)];
        while ways.iter().any(|way| way.next.is_some()) {
            for way in &mut ways {
                run.once(way, self.scenario.lanes);
            }
        }
        ways.map(|way| Tally {
            step: way.step.name,
            plans: way.plans,
            end: way.expected.map(|it| format!("{it:?}")).unwrap_or_default(),
        })
    }
}

impl Run<'_> {
    /// Goes through a step once: the first time without a crash, and without one when there are no more to try.
    fn once(&self, way: &mut Way, lanes: usize) {
        self.place.delete("leases", "batchpipe-operator");
        let before = Snapshot::of(self.place);
        (way.step.act)(self.place);
        let Some(expected) = way.expected.clone() else {
            way.expected = Some(self.reference(way.step, &before));
            return;
        };
        let k = way.next.unwrap_or(usize::MAX);
        let what = format!(
            "{}: {:?} of request {k} in {}",
            way.step.name, self.fault, self.place.namespace
        );
        let crash = Crash::at(k, self.fault);
        let operator = self.operator(crash.faults.clone());
        let has_crashed = within(PATIENCE, &what, || {
            if crash.is_over() {
                Some(true)
            } else {
                self.is_there(&operator, &expected).then_some(false)
            }
        });
        let mut all = vec![crash.faults];
        let operator = if has_crashed {
            (way.plans, way.next) = (way.plans + 1, Some(k + lanes));
            operator.crash();
            self.second(&expected, &what, &mut all)
        } else {
            way.next = None;
            operator
        };
        self.stays_quiet(&operator, &what);
        operator.crash();
        let after = Snapshot::of(self.place);
        let found =
            End { essence: after.essence(), became: after.since(&before), counts: counts(&all) };
        assert_eq!(found, expected, "{what}");
    }

    /// The operator that comes after the crash.
    fn second(&self, expected: &End, what: &str, all: &mut Vec<Faults>) -> Operator {
        let operator = self.operator(Faults::none());
        all.push(operator.faults.clone());
        let begun = Instant::now();
        while !self.is_there(&operator, expected) {
            if begun.elapsed() > PATIENCE {
                assert_eq!(Snapshot::of(self.place).essence(), expected.essence, "{what}");
            }
        }
        operator
    }

    fn reference(&self, step: Step, before: &Snapshot) -> End {
        let operator = self.operator(Faults::none());
        self.await_goal(&operator, step);
        self.stays_quiet(&operator, step.name);
        let counts = counts(std::slice::from_ref(&operator.faults));
        operator.crash();
        let after = Snapshot::of(self.place);
        End { essence: after.essence(), became: after.since(before), counts }
    }

    /// Waits for the goal, and until nothing more happens.
    fn await_goal(&self, operator: &Operator, step: Step) {
        within(PATIENCE, &format!("{} in {}", step.name, self.place.namespace), || {
            let is_there = operator.looks() > 0 || self.place.list("batchpipelines").is_empty();
            let rests = is_there && rests(operator, REST);
            (rests && step.goal.is_reached(self.place)).then_some(())
        });
    }

    /// Whether all is as expected, and nothing more is asked.
    fn is_there(&self, operator: &Operator, expected: &End) -> bool {
        rests(operator, SHORT_REST / 4)
            && (operator.looks() > 0 || operator.faults.count() > 18)
            && Snapshot::of(self.place).essence() == expected.essence
            && rests(operator, SHORT_REST)
    }

    /// Makes the operator look again and again: it has nothing to write any more.
    fn stays_quiet(&self, operator: &Operator, what: &str) {
        let writes = operator.faults.writes().len();
        for look in 0..QUIET_LOOKS {
            let looks = operator.looks();
            let pipelines = self.place.list("batchpipelines");
            for pipeline in &pipelines {
                let name = pipeline["metadata"]["name"].as_str().unwrap();
                let now = format!("{:?}-{look}", Instant::now());
                let patch = json!({"metadata": {"annotations": {"example.com/look": now}}});
                self.place.merge("batchpipelines", name, &patch);
            }
            within(PATIENCE, what, || (operator.looks() >= looks + pipelines.len()).then_some(()));
            let now = operator.faults.writes();
            assert_eq!(now.len(), writes, "{what}: it goes on to write {:?}", &now[writes..]);
        }
    }

    fn operator(&self, faults: Faults) -> Operator {
        let mut options = options(&self.place.namespace, "operator");
        // No renewals in between: what is asked does not depend on how long it takes.
        options.lease.timing = Timing {
            duration: Duration::from_secs(180),
            renew_deadline: Duration::from_secs(120),
            retry: Duration::from_secs(60),
        };
        Operator::at(self.kubeconfig, options, faults)
    }
}

/// Whether nothing is asked for a while.
fn rests(operator: &Operator, rest: Duration) -> bool {
    let before = operator.faults.count();
    sleep(rest);
    operator.faults.is_at_rest() && operator.faults.count() == before
}

/// What the API server created and deleted for these operators; Events and Leases are no matter of the pipeline.
fn counts(all: &[Faults]) -> BTreeMap<(Verb, String), usize> {
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
