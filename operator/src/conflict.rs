//! conflict: which of two pipelines may have what only one can have. Pure, but for the lock of [`Granted`].
//!
//! Who works with it keeps it, then who is stopped and keeps it, and of those that only want it the oldest gets it; all
//! others create nothing until it is gone. Who works with it follows from what exists and from what this process is
//! about to make, never from what a status says of the spec: pods may run that were made for an earlier one. Only
//! objects of the same namespace are compared: the operator of a namespace may not see more.
//!
//! Who is being deleted wants nothing any more, and has what it works with until its last pod is gone. So have the pods
//! of one that is gone already, or cannot be read.

mod claim;
mod granted;
mod held;
mod inquiry;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use batchpipe_api::{
    conditions::{reasons, types},
    pipeline::BatchPipeline,
    report::Role,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub use self::granted::{Exists, Granted, note};
use self::{
    claim::{Claim, claims},
    held::Held,
    inquiry::Inquiry,
};
use crate::pipeline::accept;

/// Another pipeline has what this one wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// The name of the pipeline that has it, in the same namespace.
    pub winner: String,
    /// What it has and what to do, for the condition of the other one.
    pub message: String,
    /// The sides that work with it all the same, and must not.
    pub intruding: Vec<Role>,
    /// Whether nobody has to act: who has it is being stopped already.
    pub is_passing: bool,
}

/// What somebody has whose pipeline is gone, or cannot be read. What lasts comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Left {
    /// Whether what has it is being stopped already.
    is_ending: bool,
    /// The name of the pipeline.
    name: String,
    claim: Claim,
}

/// What has to be known of a namespace.
trait World {
    /// The pipelines, each once.
    fn pipelines(&self) -> Vec<&BatchPipeline>;
    /// The uids of the pipelines that may have one of these without wanting it; some others are no harm.
    fn suspects(&self, claims: &[Claim]) -> BTreeSet<String>;
    /// What a pipeline has.
    fn held(&self, object: &BatchPipeline) -> Held;
    /// What is used of these, besides what pipelines have, and is in the way of this one.
    fn left(&self, object: &BatchPipeline, claims: &[Claim]) -> Vec<Left>;
}

/// How firmly a pipeline has something, the firmest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// Its pods may be using it.
    Uses,
    /// Its pods used it until they were stopped, and it goes on to want it.
    Keeps,
    /// It wants it.
    Wants,
}

/// A pipeline that claims something, and how firmly.
struct Rival<'a> {
    hold: Hold,
    object: &'a BatchPipeline,
    claim: Claim,
}

impl<'a> Rival<'a> {
    fn rank(&self) -> (Hold, Age<'a>) {
        (self.hold, age(self.object))
    }
}

/// The pipeline that has, or comes first to, what the object wants; `None`: the object may have all of it. The object
/// may be among the others.
fn conflict(object: &BatchPipeline, world: &impl World) -> Option<Conflict> {
    let held = world.held(object);
    if let Some(Rival { object: other, claim, .. }) = Inquiry::new(world).first(object, &held) {
        let message = taken(object, other, &claim);
        let intrudes = |role: &Role| held.used.contains(&(*role, claim.clone()));
        let intruding = Role::ALL.into_iter().filter(intrudes).collect();
        return Some(Conflict {
            winner: other.name().to_owned(),
            message,
            intruding,
            is_passing: false,
        });
    }
    // What it works with itself it is not asked for.
    let left = left(object, &held, world)?;
    let message = left_behind(object, &left);
    let Left { is_ending: is_passing, name: winner, .. } = left;
    Some(Conflict { winner, message, intruding: Vec::new(), is_passing })
}

/// What is said to a pipeline that wants what the other one has.
fn taken(object: &BatchPipeline, other: &BatchPipeline, claim: &Claim) -> String {
    let (winner, remedy) = (other.name(), claim.remedy());
    if is_leaving(other) {
        return format!(
            "pipeline {winner}, which is being deleted, has {claim} until its last pod is gone; wait, or {remedy}"
        );
    }
    let why = if age(other) < age(object) { "is older" } else { "had it before" };
    format!("pipeline {winner}, which {why}, has {claim}; delete one of them, or {remedy}")
}

/// What is said to a pipeline that wants what is left of another one.
fn left_behind(object: &BatchPipeline, left: &Left) -> String {
    let Left { name, claim, .. } = left;
    let of = if name == object.name() {
        "an earlier pipeline of this name".to_owned()
    } else {
        format!("pipeline {name}, which is gone or cannot be read,")
    };
    let remedy = claim.remedy();
    format!(
        "pods of {of} have {claim}; wait until they have ended, delete what is left of it, or {remedy}"
    )
}

/// What the object does not have yet, and somebody's pods have that is no pipeline any more.
fn left(object: &BatchPipeline, held: &Held, world: &impl World) -> Option<Left> {
    let mut wanted = claims(object);
    wanted.retain(|claim| !held.uses(claim));
    if wanted.is_empty() {
        return None;
    }
    world.left(object, &wanted).into_iter().min()
}

/// How firmly a pipeline has a claim; absent: not at all. Whether it is refused is asked last, because that takes longest.
fn hold(
    object: &BatchPipeline,
    wanted: &[Claim],
    held: &Held,
    claim: &Claim,
    is_refused: impl Fn() -> bool,
) -> Option<Hold> {
    if held.uses(claim) {
        return Some(Hold::Uses);
    }
    if is_leaving(object) || !wanted.contains(claim) {
        return None;
    }
    // What its stopped pods were made for is no use to who waits for another one to give it up.
    let is_waiting = object.status.as_ref().is_some_and(|status| status.waits_for.is_some());
    if !is_waiting && held.kept.contains(claim) {
        return Some(Hold::Keeps);
    }
    (!is_refused()).then_some(Hold::Wants)
}

/// Whether its newest spec cannot be carried out whoever gives way: by our rules, or by those that only the API server
/// knows, which its status tells.
fn is_refused(object: &BatchPipeline) -> bool {
    let is_said = object.status.as_ref().is_some_and(|status| {
        let mut said = status.conditions.iter();
        status.observed_generation == object.metadata.generation
            && said.any(|it| it.type_ == types::STALLED && it.reason == reasons::INVALID_SPEC)
    });
    is_said || accept(object).is_err()
}

/// Whether two objects are two, of the same namespace.
fn is_rival(object: &BatchPipeline, other: &BatchPipeline) -> bool {
    let (ours, theirs) = (&object.metadata, &other.metadata);
    ours.namespace == theirs.namespace && (ours.uid != theirs.uid || ours.name != theirs.name)
}

/// Whether it is being deleted.
const fn is_leaving(object: &BatchPipeline) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// The oldest first; what has no age yet is the youngest.
type Age<'a> = (bool, Option<&'a Time>, Option<&'a String>);

fn age(object: &BatchPipeline) -> Age<'_> {
    let created = object.metadata.creation_timestamp.as_ref();
    (created.is_none(), created, object.metadata.uid.as_ref())
}
