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
    build::topic::topic_resource,
    context::Context,
    pipeline::Pipeline,
    resolve::{CLUSTER_LABEL, described, is_ready},
    settings::FIELD_MANAGER,
};

/// How long a topic that was seen counts as being there. They are not watched: the cluster may not even know the kind.
const RECHECK: Duration = Duration::from_mins(1);
/// The same of one that is not as asked for, or not yet.
const RECHECK_UNREADY: Duration = Duration::from_secs(10);

/// What was seen of a topic.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    is_ready: bool,
    /// Why pods may not find it.
    fault: Option<String>,
}

/// Topics that were seen, by the pipeline's uid and their name.
#[derive(Debug, Default)]
pub struct SeenTopics(Mutex<BTreeMap<(String, String), Seen>>);

impl SeenTopics {
    fn recent(&self, uid: &str, name: &str, now: Instant) -> Option<Seen> {
        let topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = topics.get(&(uid.to_owned(), name.to_owned()))?;
        let limit = if seen.is_ready { RECHECK } else { RECHECK_UNREADY };
        (now.saturating_duration_since(seen.at) < limit).then(|| seen.clone())
    }

    fn note(&self, uid: &str, name: &str, seen: Seen) {
        let mut topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        topics.insert((uid.to_owned(), name.to_owned()), seen);
    }

    /// Forgets a pipeline that is gone.
    pub fn forget(&self, uid: &str) {
        let mut topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        topics.retain(|(owner, _), _| owner != uid);
    }
}

/// Creates the topics that do not exist, and says what is wrong with those that do.
pub(super) async fn create_missing(
    ctx: &Context,
    pipeline: &Pipeline,
    topics: &[DynamicObject],
    applied: &mut Applied,
) {
    for topic in topics {
        let (name, now) = (topic.name_any(), Instant::now());
        let seen = match ctx.topics.recent(&pipeline.uid, &name, now) {
            Some(seen) => seen,
            None => match look(ctx, pipeline, topic, now).await {
                Ok((seen, is_new)) => {
                    ctx.topics.note(&pipeline.uid, &name, seen.clone());
                    if is_new {
                        applied.written.push(format!("KafkaTopic {name}"));
                    }
                    seen
                }
                Err(failure) => {
                    applied.failures.push(failure);
                    continue;
                }
            },
        };
        applied.unfit_topics.extend(seen.fault);
    }
}

/// What is wrong with a topic that is there. Pure. A topic that is there all the same may work as it is: this explains
/// what pods say, and is no obstacle of itself.
fn fault(wanted: &DynamicObject, found: &DynamicObject) -> Option<String> {
    let name = wanted.name_any();
    let cluster = |topic: &DynamicObject| topic.labels().get(CLUSTER_LABEL).cloned();
    if found.metadata.deletion_timestamp.is_some() {
        return Some(format!(
            "KafkaTopic {name} is being deleted; it is made again when it is gone"
        ));
    }
    if cluster(found) != cluster(wanted) {
        let [found, wanted] =
            [found, wanted].map(|it| cluster(it).unwrap_or_else(|| "none".to_owned()));
        return Some(format!(
            "KafkaTopic {name} belongs to cluster {found} by its label {CLUSTER_LABEL}, not to {wanted}; \
             choose another topic, or remove it"
        ));
    }
    described("KafkaTopic", &name, &found.data)
}

/// What is there now, and whether it had to be created.
async fn look(
    ctx: &Context,
    pipeline: &Pipeline,
    topic: &DynamicObject,
    now: Instant,
) -> Result<(Seen, bool), Failure> {
    let found = get_or_create(ctx, pipeline, topic).await?;
    let unread = Seen { at: now, is_ready: false, fault: None };
    let seen = found.as_ref().map_or(unread, |found| Seen {
        at: now,
        is_ready: is_ready(&found.data) && found.metadata.deletion_timestamp.is_none(),
        fault: fault(topic, found),
    });
    Ok((seen, found.is_none()))
}

/// The topic that is there; none when it had to be created.
async fn get_or_create(
    ctx: &Context,
    pipeline: &Pipeline,
    topic: &DynamicObject,
) -> Result<Option<DynamicObject>, Failure> {
    let name = topic.name_any();
    let failed = |verb, error: &kube::Error| {
        let (kind, resource) = ("KafkaTopic", "kafkatopics.kafka.strimzi.io");
        Attempt { verb, kind, resource, namespace: &pipeline.namespace, name: &name }.failed(error)
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &pipeline.namespace, &topic_resource());
    let found = api.get_opt(&name).await.map_err(|error| failed("get", &error))?;
    if found.is_some() {
        return Ok(found);
    }
    let params =
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match api.create(&params, topic).await {
        Ok(_) => Ok(None),
        // Somebody was faster: it is looked at next time.
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Some(topic.clone())),
        Err(error) => Err(failed("create", &error)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn topic(cluster: &str, status: &Value) -> DynamicObject {
        let object = json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": "demo", "labels": {"strimzi.io/cluster": cluster}}, "status": status,
        });
        serde_json::from_value(object).unwrap()
    }

    fn found(cluster: &str, status: &Value) -> Option<String> {
        fault(&topic("lab", &json!({})), &topic(cluster, status))
    }

    #[test]
    fn a_topic_that_is_ready_or_has_no_status_yet_is_no_fault() {
        assert_eq!(found("lab", &json!({})), None);
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(found("lab", &ready), None);
    }

    #[test]
    fn what_strimzi_complains_of_is_passed_on() {
        let condition =
            json!({"type": "Ready", "status": "False", "message": "replication factor: 3"});
        let said = found("lab", &json!({"conditions": [condition]})).unwrap();
        assert_eq!(said, "KafkaTopic demo is not ready: replication factor: 3");
    }

    #[test]
    fn a_topic_of_another_cluster_is_none_of_this_one() {
        let said = found("prod", &json!({})).unwrap();
        assert!(said.contains("belongs to cluster prod"), "{said}");
    }

    #[test]
    fn a_topic_that_goes_is_made_again_when_it_is_gone() {
        let mut going = topic("lab", &json!({}));
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        let said = fault(&topic("lab", &json!({})), &going).unwrap();
        assert!(said.contains("is being deleted"), "{said}");
    }

    #[test]
    fn what_is_not_ready_is_looked_at_sooner() {
        let (topics, now) = (SeenTopics::default(), Instant::now());
        for (name, is_ready) in [("good", true), ("bad", false)] {
            topics.note("u", name, Seen { at: now, is_ready, fault: None });
        }
        let is_known = |name, later| topics.recent("u", name, now + later).is_some();
        assert!(is_known("good", Duration::from_secs(59)) && !is_known("good", RECHECK));
        assert!(is_known("bad", Duration::from_secs(9)) && !is_known("bad", RECHECK_UNREADY));
    }
}
