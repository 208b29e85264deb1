//! Stops the pods of a pipeline that cannot be carried out now, because stopping needs no more than its Deployments.
//!
//! Only their number is patched. The next apply, which has the whole of each Deployment, takes the field over.

use batchpipe_api::{pipeline::BatchPipeline, report::Role};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{Applied, Failure, failure::Attempt, ownership::is_ours, written::Write};
use crate::{build::names, context::Context, settings::FIELD_MANAGER};

/// Leaves these sides' Deployments without pods; what is not ours is not touched.
pub async fn stop(ctx: &Context, object: &BatchPipeline, roles: &[Role]) -> Applied {
    let mut applied = Applied::default();
    let namespace = object.namespace().unwrap_or_default();
    let Some(set) = ctx.caches.of(&namespace) else { return applied };
    let uid = object.uid().unwrap_or_default();
    for role in roles {
        let name = names::side(object.name(), *role);
        let here = kube::runtime::reflector::ObjectRef::new(&name).within(&namespace);
        let cached = set.children.deployments.store().get(&here);
        let Some(live) = ctx.written.newest(&uid, &name, cached) else { continue };
        let has_pods = live.spec.replicas != Some(0);
        if !has_pods || !is_ours(&*live, &uid) {
            continue;
        }
        match without_pods(ctx, &uid, &live).await {
            Ok(()) => applied.written.push(format!("Deployment {name}")),
            Err(failure) => applied.failures.push(failure),
        }
    }
    applied
}

async fn without_pods(ctx: &Context, uid: &str, live: &Deployment) -> Result<(), Failure> {
    let (namespace, name) = (live.namespace().unwrap_or_default(), live.name_any());
    let api: Api<Deployment> = Api::namespaced(ctx.client.clone(), &namespace);
    let patch = json!({"metadata": {"uid": live.uid()}, "spec": {"replicas": 0}});
    let params =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let answer = api.patch(&name, &params, &Patch::Merge(&patch)).await.map_err(|error| {
        let (kind, resource) = ("Deployment", "deployments.apps");
        let attempt = Attempt { verb: "patch", kind, resource, namespace: &namespace, name: &name };
        attempt.failed(&error)
    })?;
    let version = answer.resource_version();
    // Without a fingerprint the next apply does not take this for what it wants.
    let write = Write { version, answer: Some(answer.into()), ..Write::default() };
    ctx.written.note(uid, "Deployment", &name, write);
    Ok(())
}
