//! Strimzi's `KafkaTopic`s: made when they are missing, and never altered or deleted. A topic outlives its pipeline, and
//! what its owner sets in it later is none of our business.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::{Api, ResourceExt, api::PostParams, core::DynamicObject};

use super::{Applied, Failure, failure::Attempt};
use crate::{
    build::topic::topic_resource, context::Context, pipeline::Pipeline, settings::FIELD_MANAGER,
};

/// How long a topic that was seen counts as being there. They are not watched: the cluster may not even know the kind.
const RECHECK: Duration = Duration::from_mins(1);

/// Topics that were seen, by the pipeline's uid and their name.
#[derive(Debug, Default)]
pub struct SeenTopics(Mutex<BTreeMap<(String, String), Instant>>);

impl SeenTopics {
    fn is_recent(&self, uid: &str, name: &str, now: Instant) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = seen.get(&(uid.to_owned(), name.to_owned()));
        at.is_some_and(|at| now.saturating_duration_since(*at) < RECHECK)
    }

    fn note(&self, uid: &str, name: &str, now: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((uid.to_owned(), name.to_owned()), now);
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, uid: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(owner, _), _| owner != uid);
    }
}

/// Creates the topics that do not exist.
pub(super) async fn create_missing(
    ctx: &Context,
    pipeline: &Pipeline,
    topics: &[DynamicObject],
    applied: &mut Applied,
) {
    for topic in topics {
        let (name, now) = (topic.name_any(), Instant::now());
        if ctx.topics.is_recent(&pipeline.uid, &name, now) {
            continue;
        }
        match create(ctx, pipeline, topic).await {
            Ok(is_new) => {
                ctx.topics.note(&pipeline.uid, &name, now);
                if is_new {
                    applied.written.push(format!("KafkaTopic {name}"));
                }
            }
            Err(failure) => applied.failures.push(failure),
        }
    }
}

/// Whether it had to be created.
async fn create(
    ctx: &Context,
    pipeline: &Pipeline,
    topic: &DynamicObject,
) -> Result<bool, Failure> {
    let name = topic.name_any();
    let failed = |verb, error: &kube::Error| {
        let (kind, resource) = ("KafkaTopic", "kafkatopics.kafka.strimzi.io");
        Attempt { verb, kind, resource, namespace: &pipeline.namespace, name: &name }.failed(error)
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &pipeline.namespace, &topic_resource());
    if api.get_opt(&name).await.map_err(|error| failed("get", &error))?.is_some() {
        return Ok(false);
    }
    let params =
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, topic).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
        Err(error) => Err(failed("create", &error)),
    }
}
