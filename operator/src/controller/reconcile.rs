//! One look at one pipeline: the steps in their order, and when to look again.

use std::{sync::Arc, time::Instant};

use batchpipe_api::{
    conditions::reasons,
    pipeline::{BatchPipeline, DesiredState},
    report::Role,
};
use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::ResourceExt;

use super::{
    memory::Memory,
    pace::{WHILE_CHANGING, next},
    publish::{Publication, publish},
    queue::Next,
    unreadable,
};
use crate::{
    apply::{Applied, apply, stop},
    build::{build, labels, names},
    caches::{CacheSet, Key},
    conflict::{self, Exists},
    context::Context,
    decide::{DecideInput, Decision, decide},
    error::chain,
    observe::{Expected, Observed, ObservedSide, made_by, observe_deployment, side},
    pipeline::{Pipeline, accept, validate},
    status::{Facts, Outcome, summarize},
};

/// What a look came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    /// For the metrics.
    pub(super) outcome: &'static str,
    /// When to look again.
    pub(super) next: Next,
}

impl Looked {
    pub(super) const fn new(outcome: &'static str, next: Next) -> Self {
        Self { outcome, next }
    }
}

/// Looks at one pipeline.
pub(super) async fn reconcile(ctx: &Context, key: &Key) -> Looked {
    let Some(set) = ctx.caches.of(&key.namespace).filter(|set| set.is_settled()) else {
        return Looked::new("not_ready", Next::After(WHILE_CHANGING));
    };
    let Some(object) = set.pipelines.store().get(&key.object()) else {
        ctx.forget(key);
        return Looked::new("gone", Next::Forget);
    };
    let object = match &object.0 {
        Ok(object) => object,
        Err(unreadable) => return unreadable::report(ctx, key, unreadable).await,
    };
    let uid = object.uid().unwrap_or_default();
    let mut memory = ctx.memories.of(key, &uid);
    let object = memory.refresh(object);
    let pass = if object.metadata.deletion_timestamp.is_some() {
        Box::pin(leave(ctx, set, &object, &memory)).await
    } else {
        let believed = memory.believed(&object);
        Box::pin(look(ctx, set, &believed, &mut memory)).await
    };
    conclude(ctx, key, &object, &pass, memory).await
}

/// Kubernetes removes what it owns, and anything made now would be in the way. But that may not be soon: until then its
/// pods can be stopped, and it shows how they are.
async fn leave(ctx: &Context, set: &CacheSet, object: &BatchPipeline, memory: &Memory) -> Pass {
    let mut observed = observe(ctx, set, object).await;
    let stopped = stop(ctx, object, unwanted(object.spec.state)).await;
    see_written(ctx, set, object, &mut observed);
    Pass { outcome: Outcome::Leaving, observed, ended_at: memory.ended_at, stopped }
}

/// What was found out and done.
pub(super) struct Pass {
    pub(super) outcome: Outcome,
    pub(super) observed: Observed,
    /// When the producer was first heard to have come to its end; absent: it has not.
    pub(super) ended_at: Option<Timestamp>,
    /// What was stopped although nothing else could be carried out.
    pub(super) stopped: Applied,
}

async fn look(ctx: &Context, set: &CacheSet, object: &BatchPipeline, memory: &mut Memory) -> Pass {
    let mut observed = observe(ctx, set, object).await;
    let uid = object.uid().unwrap_or_default();
    let (outcome, stopped) = match pipeline(ctx, set, object).await {
        Ok(pipeline) => {
            let now = Timestamp::now();
            memory.decision.has_spoken = memory.is_own;
            let input = DecideInput { object, observed: &observed, memory: &memory.decision, now };
            let decision = decide(&input);
            memory.decision = decision.memory.clone();
            let mut resources = build(&pipeline, decision.replicas, &ctx.settings);
            conflict::note(&mut resources, object, exists(ctx, set));
            let unwanted = || to_stop_by(object, &decision);
            match apply(ctx, &pipeline, &resources).await {
                Ok(mut applied) => {
                    // What has failed may be carried out all the same, later.
                    if applied.failures.is_empty() {
                        ctx.granted.release(&uid);
                    } else {
                        // Stopping needs less than applying.
                        let stopped = stop(ctx, object, &unwanted()).await;
                        applied.written.extend(stopped.written);
                    }
                    applied.failures.extend(ctx.written.disputed(object, Instant::now()));
                    (Outcome::Applied(applied, decision), Applied::default())
                }
                Err(refused) => {
                    ctx.granted.release(&uid);
                    let stopped = stop(ctx, object, &unwanted()).await;
                    (Outcome::Unfit(refused), stopped)
                }
            }
        }
        Err(outcome) => {
            ctx.granted.release(&uid);
            let stopped = stop(ctx, object, &to_stop(object, &outcome)).await;
            (outcome, stopped)
        }
    };
    see_written(ctx, set, object, &mut observed);
    memory.ended_at =
        observed.producer.has_completed().then(|| memory.ended_at.unwrap_or_else(Timestamp::now));
    Pass { outcome, observed, ended_at: memory.ended_at, stopped }
}

/// What has to be stopped although nothing can be carried out.
fn to_stop(object: &BatchPipeline, outcome: &Outcome) -> Vec<Role> {
    let intruding: &[Role] =
        if let Outcome::Conflict(conflict) = outcome { &conflict.intruding } else { &[] };
    let unwanted = unwanted(object.spec.state);
    let is_to_stop = |role: &Role| unwanted.contains(role) || intruding.contains(role);
    Role::ALL.into_iter().filter(is_to_stop).collect()
}

/// The sides that are to stop whatever else is known: whether the consumer of a pipeline that drains may, is decided.
const fn unwanted(state: DesiredState) -> &'static [Role] {
    match state {
        DesiredState::Paused => &Role::ALL,
        DesiredState::Drained => &[Role::Producer],
        DesiredState::Running => &[],
    }
}

/// The sides that are to have no pods because the pipeline is paused, or as far as it is drained.
fn to_stop_by(object: &BatchPipeline, decision: &Decision) -> Vec<Role> {
    let is_to_stop = |role: &Role| {
        object.spec.state != DesiredState::Running && decision.replicas.of(*role) == 0
    };
    Role::ALL.into_iter().filter(is_to_stop).collect()
}

const fn exists<'a>(ctx: &'a Context, set: &'a CacheSet) -> Exists<'a> {
    Exists { set, written: &ctx.written }
}

/// What was just written counts at once, whatever the cache still shows.
fn see_written(ctx: &Context, set: &CacheSet, object: &BatchPipeline, observed: &mut Observed) {
    for role in Role::ALL {
        if let Some(newest) = deployment(ctx, set, object, role) {
            observed.side_mut(role).deployment = Some(observe_deployment(&newest));
        }
    }
}

/// The newest Deployment of a side that is known.
fn deployment(
    ctx: &Context,
    set: &CacheSet,
    object: &BatchPipeline,
    role: Role,
) -> Option<Arc<Deployment>> {
    ctx.written.newest_of(set, object, &names::side(object.name(), role))
}

/// What can be carried out, or why nothing can.
async fn pipeline(
    ctx: &Context,
    set: &CacheSet,
    object: &BatchPipeline,
) -> Result<Pipeline, Outcome> {
    accept(object).map_err(Outcome::Invalid)?;
    ctx.granted.grant(object, exists(ctx, set)).map_err(Outcome::Conflict)?;
    let kafka = ctx
        .resolved
        .resolve(&ctx.client, object)
        .await
        .map_err(|error| Outcome::Unanswered(chain(&error)))?
        .map_err(Outcome::Unresolved)?;
    validate(object, kafka, &ctx.settings).map_err(Outcome::Unfit)
}

async fn observe(ctx: &Context, set: &CacheSet, object: &BatchPipeline) -> Observed {
    let (producer, consumer) = tokio::join!(
        observe_side(ctx, set, object, Role::Producer),
        observe_side(ctx, set, object, Role::Consumer),
    );
    Observed { producer, consumer }
}

async fn observe_side(
    ctx: &Context,
    set: &CacheSet,
    object: &BatchPipeline,
    role: Role,
) -> ObservedSide {
    let deployment = deployment(ctx, set, object, role);
    let uid = object.uid().unwrap_or_default();
    let mut pods = set.children.pods.made_for(&Key::of(object), &uid);
    pods.retain(|pod| labels::may_be_of(pod, role));
    let owner = deployment.as_ref().and_then(|it| it.metadata.uid.as_deref());
    let mut replica_sets = set.children.replica_sets.of(&Key::of(object));
    replica_sets.retain(|it| {
        it.owner_references().iter().any(|reference| Some(reference.uid.as_str()) == owner)
    });
    let ours = made_by(deployment.as_deref(), &replica_sets, &pods);
    let answers = ctx.reports.of(&ours).await;
    let expected = Expected { role, topic: object.topic_name() };
    let side = side(expected, deployment.as_deref(), &replica_sets, &pods, &answers);
    ObservedSide { is_hidden: set.children.deployments.refused().is_some(), ..side }
}

async fn conclude(
    ctx: &Context,
    key: &Key,
    object: &BatchPipeline,
    pass: &Pass,
    mut memory: Memory,
) -> Looked {
    let believed = &memory.believed(object);
    let (observed, now) = (&pass.observed, Timestamp::now());
    let said = believed.status.as_ref().and_then(|it| it.data.as_ref());
    let dead_letters = memory.dead_letters.count(said, observed, now);
    let Pass { outcome, stopped, ended_at, .. } = pass;
    let facts = Facts {
        object: believed,
        outcome,
        stopped,
        observed,
        dead_letters,
        ended_at: *ended_at,
        now,
    };
    let publication = Publication { object, status: summarize(&facts), memory };
    let next = next(pass, &publication.status, now);
    let published = publish(ctx, key, publication).await;
    if let Err(error) = &published {
        tracing::warn!(pipeline = %key, error, "cannot write the status");
        ctx.metrics.failed("Status");
    }
    note(ctx, key, pass);
    let next = if published.is_err() { Next::Retry } else { next };
    Looked::new(name(&pass.outcome), next)
}

/// Writes down what was done and what failed.
fn note(ctx: &Context, key: &Key, pass: &Pass) {
    if let Outcome::Unanswered(error) = &pass.outcome {
        tracing::warn!(pipeline = %key, error, "cannot be looked after now");
        ctx.metrics.failed(reasons::API_ERROR);
    }
    let applied = match &pass.outcome {
        Outcome::Applied(applied, _) => applied,
        _ => &pass.stopped,
    };
    note_applied(ctx, key, applied);
}

fn note_applied(ctx: &Context, key: &Key, applied: &Applied) {
    if !applied.written.is_empty() || !applied.deleted.is_empty() {
        let (written, deleted) = (applied.written.join(", "), applied.deleted.join(", "));
        tracing::info!(pipeline = %key, written, deleted, "children changed");
    }
    for failure in &applied.failures {
        tracing::warn!(pipeline = %key, object = failure.object, reason = failure.reason, "{}", failure.message);
        ctx.metrics.failed(failure.reason);
    }
}

const fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied(applied, _) if !applied.failures.is_empty() => "failed",
        Outcome::Applied(applied, _) if applied.is_unchanged() => "unchanged",
        Outcome::Applied(..) => "changed",
        Outcome::Invalid(_) | Outcome::Unfit(_) => "invalid",
        Outcome::Conflict(_) => "conflict",
        Outcome::Leaving => "leaving",
        Outcome::Unresolved(_) => "unresolved",
        Outcome::Unanswered(_) => "error",
    }
}
