//! Writes a status over that somebody else has changed. One change is written over at once; who writes again and again,
//! such as a second operator of the same namespace, is answered more and more seldom, or both would write without end.

use std::time::Instant;

use batchpipe_api::{pipeline::BatchPipeline, status::BatchPipelineStatus};
use kube::{
    Api,
    api::{Patch, PatchParams},
    core::Status,
};
use serde_json::Value;

use super::{
    memory::Memory,
    publish::{patch, write},
};
use crate::{apply::Turn, caches::Key, context::Context, error::words, settings::FIELD_MANAGER};

/// Why nothing was written.
const WAITS: &str =
    "somebody else changes it again and again, and it is written over more seldom for that";
/// The cause of a refusal that names another manager of a field.
const MANAGED: &str = "FieldManagerConflict";

/// Writes it over, if it is time to; the status that is there now, or why it is not, for people.
pub(super) async fn correct(
    ctx: &Context,
    key: &Key,
    object: &BatchPipeline,
    status: &BatchPipelineStatus,
    memory: &mut Memory,
) -> Result<BatchPipelineStatus, String> {
    let by = match ctx.written.turn_to_correct(object, Instant::now()) {
        Turn::Wait => return Err(WAITS.to_owned()),
        Turn::Free => None,
        Turn::Contested => {
            let api = Api::namespaced(ctx.client.clone(), &key.namespace);
            other_manager(&api, &key.name, &patch(object, status)).await
        }
    };
    write(ctx, key, object, status, memory).await.map_err(|error| words(&error))?;
    ctx.written.note_correction(object, by, Instant::now());
    Ok(status.clone())
}

/// Who else has written what is to be written over, which an apply without force is refused for; `None`: somebody with
/// our own name, or it is not known. Nothing is kept of the question.
async fn other_manager(api: &Api<BatchPipeline>, name: &str, patch: &Value) -> Option<String> {
    let params = PatchParams { dry_run: true, ..PatchParams::apply(FIELD_MANAGER) };
    match api.patch_status(name, &params, &Patch::Apply(patch)).await {
        Err(kube::Error::Api(refusal)) => named(&refusal),
        _ => None,
    }
}

/// The manager that a refusal names, as in `conflict with "kubectl-patch" with subresource "status"`.
fn named(refusal: &Status) -> Option<String> {
    let mut causes = refusal.details.iter().flat_map(|details| &details.causes);
    let cause = causes.find(|cause| cause.reason == MANAGED)?;
    cause.message.split('"').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_manages_a_field_is_named_by_the_refusal() {
        let refusal = |causes: Value| -> Status {
            serde_json::from_value(json!({"code": 409, "details": {"causes": causes}})).unwrap()
        };
        let message = "conflict with \"kubectl-patch\" with subresource \"status\" using batchpipe.dev/v1alpha1";
        let causes = json!([{"reason": MANAGED, "message": message, "field": ".status.phase"}]);
        assert_eq!(named(&refusal(causes)).as_deref(), Some("kubectl-patch"));
        assert_eq!(named(&refusal(json!([]))), None);
    }
}
