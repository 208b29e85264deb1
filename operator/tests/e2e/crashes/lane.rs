//! A lane goes through a scenario again and again in a namespace of its own, each time with a crash at a later request,
//! until the scenario runs through without coming so far.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use batchpipe_testbed::ControlPlane;
use serde_json::json;

use super::{
    crash::Crash,
    end::{End, counts},
    essence::Snapshot,
    scenario::{Scenario, Step},
};
use crate::support::{Fault, Faults, Operator, Place, Request, Server, lasting, options, within};

/// How long a plan may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// While the end is not known yet, nothing more happens when nothing was asked for so long.
const LONG_REST: Duration = Duration::from_secs(2);
/// A pause in which it is worth looking whether the end is there.
const REST: Duration = Duration::from_millis(100);
/// When the end is there, nothing more happens when nothing was asked for so long.
const REST_AT_END: Duration = Duration::from_millis(250);
/// How often to look at the cluster while the operator asks nothing.
const COMPARE_EVERY: Duration = Duration::from_millis(500);
/// So many requests are made before the first look: one list, eight lists and watches, and two about the Lease.
const START: usize = 19;
/// So many looks in a row have to write nothing.
const QUIET_LOOKS: usize = 2;
/// It comes to rest within so many.
const MOST_LOOKS: usize = 6;

/// The plans of a lane.
pub(super) struct Lane {
    scenario: Scenario,
    fault: Fault,
    /// It crashes so many requests after the scenario's first, and at each that is the number of lanes further on.
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

/// What a plan is gone through with.
struct Run<'a> {
    place: &'a Place,
    kubeconfig: &'a Path,
    fault: Fault,
    takes_over: bool,
}

impl Lane {
    pub(super) const fn new(scenario: Scenario, fault: Fault, first: usize) -> Self {
        Self { scenario, fault, first }
    }

    pub(super) fn run(&self, cluster: &ControlPlane, server: &Server) -> [Tally; 2] {
        let place = Place::new(server, self.scenario.name);
        let kubeconfig = place.shipped_rights(cluster);
        let takes_over = self.scenario.is_from_start();
        let run = Run { place: &place, kubeconfig: &kubeconfig, fault: self.fault, takes_over };
        (self.scenario.set_up)(&place);
        let operator = run.lasting(Faults::none());
        run.await_goal(&operator, self.scenario.back);
        operator.crash();
        let way = |step| Way {
            step,
            next: Some(self.scenario.from + self.first),
            plans: 0,
            expected: None,
        };
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
        let operator = self.operator("operator", crash.faults.clone());
        let mut all = vec![crash.faults.clone()];
        let has_run_through =
            self.await_end(&operator, &expected, &what, || crash.is_over()) && crash.call_off();
        let operator = if has_run_through {
            way.next = None;
            operator
        } else {
            (way.plans, way.next) = (way.plans + 1, Some(k + lanes));
            operator.crash();
            let name = if self.takes_over { "another" } else { "operator" };
            if !self.takes_over {
                // The one that crashed has it for minutes.
                self.place.delete("leases", "batchpipe-operator");
            }
            let second = self.operator(name, Faults::none());
            all.push(second.faults.clone());
            self.await_end(&second, &expected, &what, || false);
            second
        };
        self.stays_quiet(&operator, &what);
        operator.crash();
        let after = Snapshot::of(self.place);
        let found =
            End { essence: after.essence(), became: after.since(&before), counts: counts(&all) };
        assert!(found == expected, "{what}:{}", found.differences(&expected));
    }

    fn reference(&self, step: Step, before: &Snapshot) -> End {
        let operator = self.lasting(Faults::none());
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
            let rests = has_looked(operator) && rests(operator, LONG_REST);
            (rests && step.goal.is_reached(self.place)).then_some(())
        });
    }

    /// Waits until all is as expected and nothing more is asked; `false`: it crashed before.
    fn await_end(
        &self,
        operator: &Operator,
        expected: &End,
        what: &str,
        has_crashed: impl Fn() -> bool,
    ) -> bool {
        let begun = Instant::now();
        // Not known before the first comparison: the end may be that nothing is there.
        let mut found = None;
        let (mut count, mut since, mut compared) = (0, begun, None);
        while !has_crashed() {
            sleep(Duration::from_millis(15));
            let now = operator.faults.count();
            if now != count || !operator.faults.is_at_rest() {
                (count, since) = (now, Instant::now());
            }
            let is_same = found.as_ref() == Some(&expected.essence);
            if is_same && since.elapsed() >= REST_AT_END {
                return true;
            }
            // To compare costs most of all: only after something was done, or when the cluster itself goes on.
            let is_due = compared.is_none_or(|(at, then): (Instant, usize)| {
                then != count || (!is_same && at.elapsed() >= COMPARE_EVERY)
            });
            if is_due && since.elapsed() >= REST && has_looked(operator) {
                found = Some(Snapshot::of(self.place).essence());
                compared = Some((Instant::now(), count));
            }
            if begun.elapsed() > PATIENCE {
                let found = End { essence: found.unwrap_or_default(), ..expected.clone() };
                panic!("{what}: not within {PATIENCE:?}:{}", found.differences(expected));
            }
        }
        false
    }

    /// Makes the operator look again and again: it has nothing to write any more. Only the words and numbers of the
    /// status may still follow what pods say, which is written at leisure; even that comes to rest.
    fn stays_quiet(&self, operator: &Operator, what: &str) {
        let (mut quiet, mut written) = (0, writes(operator).len());
        for _ in 0..MOST_LOOKS {
            self.look_again(operator, what);
            let now = writes(operator);
            let is_status = |request: &Request| request.path.ends_with("/status");
            assert!(
                now[written..].iter().all(is_status),
                "{what}: it goes on: {:?}",
                &now[written..]
            );
            quiet = if now.len() == written { quiet + 1 } else { 0 };
            written = now.len();
            if quiet == QUIET_LOOKS {
                return;
            }
        }
        panic!("{what}: the status is written again and again");
    }

    fn look_again(&self, operator: &Operator, what: &str) {
        let looks = operator.looks();
        let pipelines = self.place.list("batchpipelines");
        for pipeline in &pipelines {
            let name = pipeline["metadata"]["name"].as_str().unwrap();
            let now = format!("{:?}", Instant::now());
            let patch = json!({"metadata": {"annotations": {"example.com/look": now}}});
            self.place.merge("batchpipelines", name, &patch);
        }
        within(PATIENCE, what, || (operator.looks() >= looks + pipelines.len()).then_some(()));
    }

    /// One that does not ask for the Lease again.
    fn lasting(&self, faults: Faults) -> Operator {
        let mut options = options(&self.place.namespace, "operator");
        options.lease.timing = lasting();
        Operator::at(self.kubeconfig, options, faults)
    }

    /// The same, or one that another can take over from in seconds.
    fn operator(&self, name: &str, faults: Faults) -> Operator {
        if !self.takes_over {
            return self.lasting(faults);
        }
        Operator::at(self.kubeconfig, options(&self.place.namespace, name), faults)
    }
}

/// What it wrote. Events follow what was written, maybe a little later.
fn writes(operator: &Operator) -> Vec<Request> {
    let all = operator.faults.writes().into_iter();
    all.filter(|request| !request.path.contains("/events")).collect()
}

/// Whether it has looked at what is there, or would have if there were something.
fn has_looked(operator: &Operator) -> bool {
    operator.leads() && (operator.looks() > 0 || operator.faults.count() >= START)
}

/// Whether nothing is asked for a while.
fn rests(operator: &Operator, rest: Duration) -> bool {
    let before = operator.faults.count();
    sleep(rest);
    operator.faults.is_at_rest() && operator.faults.count() == before
}
