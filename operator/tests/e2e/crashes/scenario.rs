//! A scenario: two steps that undo each other, so that it can be gone through again and again in one namespace.

use crate::support::{Place, wait_for};

/// Two steps, there and back.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    /// A word or two.
    pub(super) name: &'static str,
    /// How many lanes share its plans.
    pub(super) lanes: usize,
    /// The first request at which it crashes.
    pub(super) from: usize,
    /// Makes what is there before the first step.
    pub(super) set_up: fn(&Place),
    pub(super) there: Step,
    pub(super) back: Step,
}

impl Scenario {
    /// Whether it crashes at the requests of the start too, those about the Lease among them. There the next operator
    /// bears another name: it has to take the Lease over, as in a cluster, where no two pods are named alike.
    pub(super) const fn is_from_start(self) -> bool {
        self.from == 1
    }
}

/// Something that happens while no operator runs, and what an operator makes of it.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) act: fn(&Place),
    pub(super) goal: Goal,
}

/// What can be waited for.
#[derive(Clone, Copy)]
pub(super) enum Goal {
    /// There is no such pipeline and no object of its name.
    Gone(&'static str),
    /// The pipeline's condition `Ready` has this reason for the newest spec.
    Ready(&'static str, &'static str),
    /// The same of two: to wait for one alone would take for the end what the other is on its way through.
    Both([(&'static str, &'static str); 2]),
}

impl Goal {
    pub(super) fn is_reached(self, place: &Place) -> bool {
        match self {
            Self::Gone(name) => {
                let snapshot = super::essence::Snapshot::of(place);
                let is_left = |key: &String| {
                    key.contains(&format!("/{name}")) && !key.starts_with("kafkatopics/")
                };
                !snapshot.0.keys().any(is_left)
            }
            Self::Ready(name, reason) => has_reason(place, name, reason).unwrap_or(false),
            Self::Both(all) => {
                all.iter().all(|(name, reason)| has_reason(place, name, reason).unwrap_or(false))
            }
        }
    }
}

fn has_reason(place: &Place, name: &str, reason: &str) -> Option<bool> {
    let object = place.find("batchpipelines", name)?;
    let conditions = object["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|it| it["type"] == "Ready")?;
    let is_newest = ready["observedGeneration"] == object["metadata"]["generation"];
    Some(is_newest && ready["reason"] == reason)
}

/// Waits until nothing of a pipeline is left.
pub(super) fn await_gone(place: &Place, name: &'static str) {
    wait_for("the pipeline to go", || Goal::Gone(name).is_reached(place).then_some(()));
}
