//! Stops the pods of a pipeline that cannot be carried out now, because stopping needs no more than its Deployments.
//!
//! Only their number is patched. The next apply, which has the whole of each Deployment, takes the field over. Who gives
//! them pods again and again is answered more and more seldom, as when a child is put back.

use std::time::Instant;

use batchpipe_api::{pipeline::BatchPipeline, report::Role};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    Applied, Failure,
    contest::Rival,
    failure::Attempt,
    ownership::is_ours,
    put_back::put_back,
    written::{Write, place},
};
use crate::{build::names, context::Context, readable::Readable, settings::FIELD_MANAGER};

const KIND: &str = "Deployment";

/// Leaves these sides' Deployments without pods; what is not ours is not touched.
pub async fn stop(ctx: &Context, object: &BatchPipeline, roles: &[Role]) -> Applied {
    let mut applied = Applied::default();
    let namespace = object.namespace().unwrap_or_default();
    let Some(set) = ctx.caches.of(&namespace) else { return applied };
    let uid = object.uid().unwrap_or_default();
    for role in roles {
        let name = names::side(object.name(), *role);
        let Some(live) = ctx.written.newest_of(set, object, &name) else { continue };
        if !is_ours(&*live, &uid) {
            continue;
        }
        match without_pods(ctx, &uid, &live).await {
            Ok(true) => applied.written.push(format!("{KIND} {name}")),
            Ok(false) => {}
            Err(failure) => applied.failures.push(failure),
        }
    }
    applied
}

/// Whether it had to be written; a Deployment that is gone has no pods. Somebody who gives it pods again and again is a
/// failure whether it has them now or not.
async fn without_pods(ctx: &Context, uid: &str, live: &Deployment) -> Result<bool, Failure> {
    let (namespace, name) = (live.namespace().unwrap_or_default(), live.name_any());
    let (verb, kind, resource) = ("patch", KIND, "deployments.apps");
    let attempt = Attempt { verb, kind, resource, namespace: &namespace, name: &name };
    let has_pods = live.spec.replicas != Some(0);
    let is_written = has_pods && patch(ctx, uid, live).await.map_err(|it| attempt.failed(&it))?;
    match ctx.written.contests.rival(&place(uid, KIND, &name), Instant::now()) {
        Some(Rival { name: by }) => Err(attempt.contested(by.as_deref())),
        None => Ok(is_written),
    }
}

/// Whether it was patched: it may be gone, or it may not be time to.
async fn patch(ctx: &Context, uid: &str, live: &Deployment) -> Result<bool, kube::Error> {
    let (namespace, name) = (live.namespace().unwrap_or_default(), live.name_any());
    let api: Api<Readable<Deployment>> = Api::namespaced(ctx.client.clone(), &namespace);
    let patch = Patch::Merge(json!({"metadata": {"uid": live.uid()}, "spec": {"replicas": 0}}));
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let write = api.patch(&name, &params, &patch);
    let answer = match put_back(&ctx.written.contests, &api, place(uid, KIND, &name), write).await {
        Ok(Some(Readable(answer))) => answer,
        Ok(None) => return Ok(false),
        // What we remember of it would otherwise stand for it for ever, for no cache will show it again.
        Err(kube::Error::Api(status)) if status.code == 404 => {
            ctx.written.remove(uid, KIND, &name);
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let version = answer.resource_version();
    // Without a fingerprint the next apply does not take this for what it wants.
    let write = Write { version, answer: Some(answer.into()), ..Write::default() };
    ctx.written.note(uid, KIND, &name, write);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use kube::{Client, client::Body};

    use super::*;

    #[tokio::test]
    async fn a_deployment_that_is_gone_is_stopped_and_forgotten() {
        let server = tower::service_fn(async |_: http::Request<Body>| {
            let status = json!({"kind": "Status", "status": "Failure", "code": 404}).to_string();
            let answer = http::Response::builder().status(404);
            Ok::<_, tower::BoxError>(answer.body(Body::from(status.into_bytes())).unwrap())
        });
        let ctx = Context::for_test(Client::new(server, "default"));
        ctx.written.note_any("u");
        let mut live = Deployment::default();
        live.metadata.name = Some("any".to_owned());
        assert_eq!(without_pods(&ctx, "u", &live).await, Ok(false));
        assert!(ctx.written.is_empty());
    }
}
