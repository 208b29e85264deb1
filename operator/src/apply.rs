//! apply: the only writer of children. Server-side apply of what differs from the cache; deletes by uid what is no
//! longer wanted.
//!
//! Nothing is sent for a child that is as it should be. What exists under a child's name without being ours is never
//! touched. One child that fails does not stop the others.

mod blame;
mod child;
mod contest;
mod covers;
mod disputed;
mod failure;
mod kinds;
mod ownership;
mod put_back;
mod reclaim;
mod removal;
mod stop;
mod topics;
mod trial;
mod written;

use crate::{
    build::Resources,
    context::Context,
    pipeline::{Invalid, Pipeline},
};

pub(crate) use self::{
    contest::Turn,
    ownership::{belongs_to, is_made_by_us},
    written::is_older,
};
pub use self::{ownership::APPLIED, stop::stop, topics::SeenTopics, written::Written};

/// What happened to one child that could not be applied or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kind and name, for example `Deployment telemetry-producer`.
    pub object: String,
    /// A reason of [`batchpipe_api::conditions::reasons`]: `Conflict`, `Forbidden` or `ApiError`.
    pub reason: &'static str,
    /// What was found and what to do.
    pub message: String,
    /// Whether trying again may help without a change from outside.
    pub is_passing: bool,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The children that were written, as `Kind name`; empty when everything was as it should be.
    pub written: Vec<String>,
    /// The children that were deleted.
    pub deleted: Vec<String>,
    /// What did not work; the other children were applied all the same.
    pub failures: Vec<Failure>,
    /// What is wrong with topics that are there: why pods may not find them.
    pub unfit_topics: Vec<String>,
    /// What Strimzi complains of although Kafka is known.
    pub complaint: Option<String>,
}

impl Applied {
    /// Whether nothing was written and nothing failed.
    pub const fn is_unchanged(&self) -> bool {
        self.written.is_empty() && self.deleted.is_empty() && self.failures.is_empty()
    }
}

/// Makes what exists equal to what is wanted; nothing at all when the API server would refuse some of the pods.
pub async fn apply(
    ctx: &Context,
    pipeline: &Pipeline,
    resources: &Resources,
) -> Result<Applied, Invalid> {
    let mut applied = Applied { complaint: pipeline.kafka.complaint.clone(), ..Applied::default() };
    let Some(set) = ctx.caches.of(&pipeline.namespace) else { return Ok(applied) };
    trial::try_all(ctx, set, pipeline, &resources.deployments).await?;
    let mut writer = child::Writer { ctx, pipeline, set, applied: &mut applied };
    writer.kind(&resources.service_accounts).await;
    let is_identity_ours = writer.are_ours(&resources.service_accounts);
    topics::create_missing(ctx, pipeline, &resources.topics, writer.applied).await;
    writer.kind(&resources.services).await;
    writer.kind(&resources.network_policies).await;
    writer.kind(&resources.disruption_budgets).await;
    if is_identity_ours {
        writer.kind(&resources.deployments).await;
    } else {
        // Pods would have the rights of whoever's account it is. None are needed to stop what runs.
        writer.kind_only(&resources.deployments, |it| it.spec.replicas == Some(0)).await;
    }
    for (kind, why) in set.refusals() {
        applied.failures.push(failure::blind(kind, &why));
    }
    Ok(applied)
}
