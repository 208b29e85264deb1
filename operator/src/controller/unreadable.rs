//! A pipeline that is stored as this version cannot read it: written for a newer one, or under an older schema. It says so
//! in its status; nothing else of it is touched, and its pods go on.

use batchpipe_api::{
    conditions::{reasons, types},
    pipeline::{API_VERSION, KIND},
    status::BatchPipelineStatus,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    core::error_boundary::InvalidObject,
};
use serde_json::json;

use super::{memory::Memory, pace::OTHERWISE, queue::Next, reconcile::Looked};
use crate::{
    caches::{Key, Stored},
    clean::clean,
    context::Context,
    error::words,
    readable::Readable,
    settings::FIELD_MANAGER,
};

/// Says that it cannot be read, once.
pub(super) async fn report(ctx: &Context, key: &Key, object: &InvalidObject) -> Looked {
    let status = status(object, Timestamp::now());
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let memory = ctx.memories.of(key, &uid);
    if memory.status.as_ref().is_some_and(|said| is_same(said, &status)) {
        return Looked::new("invalid", Next::After(OTHERWISE));
    }
    tracing::warn!(pipeline = %key, error = object.error, "cannot be read and is left as it is");
    ctx.metrics.failed(reasons::INVALID_SPEC);
    if let Err(error) = write(ctx, key, &uid, &status).await {
        tracing::warn!(pipeline = %key, error = words(&error), "cannot write the status");
        ctx.metrics.failed("Status");
        return Looked::new("invalid", Next::Retry);
    }
    // That is not all that it says.
    ctx.remember(key, Memory { status: Some(status), is_own: false, ..memory });
    Looked::new("invalid", Next::After(OTHERWISE))
}

fn status(object: &InvalidObject, now: Timestamp) -> BatchPipelineStatus {
    let message = format!(
        "this version of the operator cannot read it: {}; correct the field, or upgrade the operator; until then \
         everything stays as it is",
        object.error
    );
    let condition = |type_: &str, is_true: bool, reason: &str, message: &str| Condition {
        type_: type_.to_owned(),
        status: if is_true { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: clean(message, 1024),
        observed_generation: object.metadata.generation,
        last_transition_time: Time(now),
    };
    let idle = "nothing is being changed";
    BatchPipelineStatus {
        observed_generation: object.metadata.generation,
        conditions: vec![
            condition(types::READY, false, reasons::INVALID_SPEC, &message),
            condition(types::RECONCILING, false, reasons::AS_DESIRED, idle),
            condition(types::STALLED, true, reasons::INVALID_SPEC, &message),
        ],
        ..BatchPipelineStatus::default()
    }
}

/// Whether both say the same, whenever they were made.
fn is_same(said: &BatchPipelineStatus, status: &BatchPipelineStatus) -> bool {
    let words = |status: &BatchPipelineStatus| {
        let messages = status.conditions.iter().map(|it| it.message.clone());
        (status.observed_generation, messages.collect::<Vec<_>>())
    };
    words(said) == words(status)
}

/// What else the status holds, such as how far draining was or how many dead letters there were, stays: it goes on from
/// there when the object can be read again.
async fn write(
    ctx: &Context,
    key: &Key,
    uid: &str,
    status: &BatchPipelineStatus,
) -> Result<(), kube::Error> {
    let api: Api<Readable<Stored>> = Api::namespaced(ctx.client.clone(), &key.namespace);
    let patch = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"uid": uid},
        "status": {
            "observedGeneration": status.observed_generation,
            "conditions": status.conditions,
            // Nobody asks its pods now.
            "data": {"recordsPerSecond": null, "lagMessages": null, "lagRecords": null, "lagSeconds": null},
        },
    });
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let answer = api.patch_status(&key.name, &params, &Patch::Merge(&patch)).await?;
    tracing::debug!(pipeline = %key, version = answer.resource_version(), "said so in its status");
    Ok(())
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;

    use super::*;

    fn said(error: &str, second: i64) -> BatchPipelineStatus {
        let metadata = ObjectMeta { generation: Some(3), ..ObjectMeta::default() };
        let object = InvalidObject { error: error.to_owned(), metadata };
        status(&object, Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn it_stalls_with_the_error_for_the_generation_that_it_is_about() {
        let status = said("unknown variant `Hibernated`", 0);
        assert_eq!(status.observed_generation, Some(3));
        let stalled = &status.conditions[2];
        assert_eq!((stalled.type_.as_str(), stalled.status.as_str()), (types::STALLED, "True"));
        assert!(stalled.message.contains("unknown variant `Hibernated`"), "{}", stalled.message);
    }

    #[test]
    fn the_same_error_is_said_once_and_another_one_again() {
        assert!(is_same(&said("a", 0), &said("a", 60)));
        assert!(!is_same(&said("a", 0), &said("b", 60)));
    }

    #[test]
    fn a_long_error_is_cut() {
        let message = &said(&"ä".repeat(5000), 0).conditions[0].message;
        assert!(message.len() <= 1024, "{}", message.len());
    }
}
