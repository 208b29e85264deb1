//! Writes the status and its Events, and only what is worth a write.

use std::time::{Duration, Instant};

use batchpipe_api::{
    pipeline::{API_VERSION, BatchPipeline, KIND},
    status::BatchPipelineStatus,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{correct::correct, leftovers::leftovers, memory::Memory};
use crate::{
    apply::is_older,
    caches::Key,
    context::Context,
    error::words,
    events::{self, Transition},
    readable::Readable,
    settings::FIELD_MANAGER,
    status::{Difference, differs_visibly},
};

/// How often numbers alone are written.
const NUMBERS_EVERY: Duration = Duration::from_secs(15);

/// A status that may be worth writing.
pub(super) struct Publication<'a> {
    /// The object with the newest status that is known.
    pub(super) object: &'a BatchPipeline,
    /// The status that it should have.
    pub(super) status: BatchPipelineStatus,
    /// What is kept of it.
    pub(super) memory: Memory,
}

/// Writes the status if it is worth it, and keeps what has to be remembered. The error is for people.
pub(super) async fn publish(
    ctx: &Context,
    key: &Key,
    publication: Publication<'_>,
) -> Result<(), String> {
    let Publication { object, status, mut memory } = publication;
    let now = Instant::now();
    let old = object.status.clone().unwrap_or_default();
    // Then its status is the one that was written since.
    let is_behind =
        is_older(object.metadata.resource_version.as_deref(), memory.version.as_deref());
    let worth = worth(object.status.as_ref(), &status, is_behind, memory.written_at, now);
    let is_changed = !is_behind && is_changed(memory.said(), &old);
    let written = match worth {
        Difference::None => Ok(old.clone()),
        Difference::Yes if is_changed => correct(ctx, key, object, &status, &mut memory).await,
        Difference::NumbersOnly | Difference::Yes => {
            let written = write(ctx, key, object, &status, &mut memory).await;
            written.map(|()| status).map_err(|error| words(&error))
        }
    };
    let before = memory.said().unwrap_or(&old);
    let transitions = match &written {
        Ok(new) if worth == Difference::Yes => events::transitions(before, new),
        _ => Vec::new(),
    };
    let result = written.as_ref().map(|_| ()).map_err(Clone::clone);
    match written {
        Ok(status) => (memory.status, memory.is_own) = (Some(as_kept(status)), true),
        Err(_) if memory.is_own => {}
        Err(_) => memory.status = Some(old),
    }
    ctx.remember(key, memory);
    tell(ctx, object, &transitions).await;
    result
}

/// A status as the API server keeps it: with whole seconds.
fn as_kept(status: BatchPipelineStatus) -> BatchPipelineStatus {
    serde_json::to_value(&status).and_then(serde_json::from_value).unwrap_or(status)
}

/// Whether somebody else has changed what this process has said.
fn is_changed(said: Option<&BatchPipelineStatus>, found: &BatchPipelineStatus) -> bool {
    said.is_some_and(|said| differs_visibly(Some(said), found) != Difference::None)
}

/// What is worth a write now. `is_behind`: the object is older than its status.
fn worth(
    old: Option<&BatchPipelineStatus>,
    new: &BatchPipelineStatus,
    is_behind: bool,
    written_at: Option<Instant>,
    now: Instant,
) -> Difference {
    // What an object that is not behind says of a later generation was restored, or is somebody else's.
    let is_outdated =
        is_behind && old.is_some_and(|old| old.observed_generation > new.observed_generation);
    let is_due = written_at.is_none_or(|at| now.saturating_duration_since(at) >= NUMBERS_EVERY);
    match differs_visibly(old, new) {
        _ if is_outdated => Difference::None,
        Difference::NumbersOnly if !is_due => Difference::None,
        difference => difference,
    }
}

/// What is applied. The uid makes the API server refuse when it is another object of this name by now.
pub(super) fn patch(object: &BatchPipeline, status: &BatchPipelineStatus) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": object.metadata.name, "uid": object.metadata.uid},
        "status": status,
    })
}

/// Writes it, and remembers that.
pub(super) async fn write(
    ctx: &Context,
    key: &Key,
    object: &BatchPipeline,
    status: &BatchPipelineStatus,
    memory: &mut Memory,
) -> Result<(), kube::Error> {
    let now = Instant::now();
    let api: Api<Readable<BatchPipeline>> = Api::namespaced(ctx.client.clone(), &key.namespace);
    let patch = patch(object, status);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let answer = match api.patch_status(&key.name, &params, &Patch::Apply(&patch)).await {
        // It is gone, and nobody reads it any more.
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
        answer => answer?.0,
    };
    (memory.version, memory.written_at) = (answer.resource_version(), Some(now));
    let [found, wanted] = [json!(answer.status), json!(status)];
    let Some(rest) = leftovers(&found, &wanted) else { return Ok(()) };
    // Who puts them back at once is not answered at once, or both would write without end.
    if memory.cleaned_at.is_some_and(|at| now.saturating_duration_since(at) < NUMBERS_EVERY) {
        return Ok(());
    }
    memory.cleaned_at = Some(now);
    tracing::debug!(pipeline = %key, "somebody else wrote into the status");
    let patch = json!({"metadata": {"uid": object.metadata.uid}, "status": rest});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let answer = api.patch_status(&key.name, &params, &Patch::Merge(&patch)).await?;
    memory.version = answer.resource_version();
    Ok(())
}

/// Events are for people: that one is lost is no reason to do anything again.
async fn tell(ctx: &Context, object: &BatchPipeline, transitions: &[Transition]) {
    let mut about = object.object_ref(&());
    about.resource_version = None;
    for transition in transitions {
        if let Err(error) = ctx.recorder.publish(&transition.event(), &about).await {
            tracing::debug!(error = words(&error), "cannot write an event");
        }
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::status::{DataStatus, Phase};

    use super::*;

    fn status(rate: i64) -> BatchPipelineStatus {
        BatchPipelineStatus {
            observed_generation: Some(2),
            phase: Some(Phase::Running),
            data: Some(DataStatus { records_per_second: Some(rate), ..DataStatus::default() }),
            ..BatchPipelineStatus::default()
        }
    }

    fn is_worth(new: &BatchPipelineStatus, since_last: Option<Duration>) -> Difference {
        let now = Instant::now() + NUMBERS_EVERY;
        let at = since_last.map(|it| now.checked_sub(it).unwrap());
        worth(Some(&status(1000)), new, true, at, now)
    }

    #[test]
    fn what_did_not_change_is_not_written() {
        assert_eq!(is_worth(&status(1000), None), Difference::None);
    }

    #[test]
    fn numbers_alone_are_written_seldom_and_changes_at_once() {
        let just_now = Some(Duration::from_secs(1));
        assert_eq!(is_worth(&status(5000), just_now), Difference::None);
        assert_eq!(is_worth(&status(5000), Some(NUMBERS_EVERY)), Difference::NumbersOnly);
        let paused = BatchPipelineStatus { phase: Some(Phase::Paused), ..status(1000) };
        assert_eq!(is_worth(&paused, just_now), Difference::Yes);
    }

    #[test]
    fn the_observed_generation_never_goes_back() {
        let outdated = BatchPipelineStatus { observed_generation: Some(1), ..status(5000) };
        assert_eq!(is_worth(&outdated, None), Difference::None);
        // Unless what is there cannot be ours.
        let restored = worth(Some(&status(1000)), &outdated, false, None, Instant::now());
        assert_eq!(restored, Difference::Yes);
    }
}
