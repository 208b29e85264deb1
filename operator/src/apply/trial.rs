//! Tries Deployments without keeping them, before anything of a new spec is applied: what a user says of the pods is
//! checked by the API server alone in the end, and by the rules that a cluster adds. A template that it refuses changes
//! nothing at all, not even the other side.
//!
//! A trial is of a Deployment that does not exist, so that its answer is about what is wanted and not about what somebody
//! made of the one that is there. Its name is the real one where that is free, and else begins with it: a cluster may have
//! rules for names too. A template that was accepted, or that runs already, is not tried.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use batchpipe_api::validate::{Violation, ViolationKind};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    core::Status,
};
use serde_json::Value;

use super::{child::NO_VERSION, covers::missing, written::fingerprint};
use crate::{
    build::labels::COMPONENT,
    caches::CacheSet,
    context::Context,
    error::words,
    pipeline::{Invalid, Pipeline},
    settings::FIELD_MANAGER,
};

/// How long a refusal counts: rules of a cluster may change without any change of the pipeline.
const REFUSED_FOR: Duration = Duration::from_secs(25);
/// So many things that are wrong are named.
const NAMED: usize = 8;
/// The longest name that fits everywhere, in bytes.
const LONGEST_NAME: usize = 63;
/// So much of a fingerprint tells a name from others, in bytes.
const SUFFIX: usize = 8;

/// A Deployment, by the uid of its pipeline and its name.
type Place = (String, String);

/// What the API server said of the templates that were tried last, of all pipelines.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<BTreeMap<Place, Trial>>);

#[derive(Clone, Debug)]
struct Trial {
    template: String,
    at: Instant,
    refused: Vec<Violation>,
}

/// Whether all of these would be accepted; what the API server refuses otherwise.
pub(super) async fn try_all(
    ctx: &Context,
    set: &CacheSet,
    pipeline: &Pipeline,
    deployments: &[Deployment],
) -> Result<(), Invalid> {
    let mut violations = Vec::new();
    for deployment in deployments {
        let name = deployment.name_any();
        let live = ctx.written.newest_at(set, &pipeline.namespace, &pipeline.uid, &name);
        if live.as_deref().is_some_and(|live| runs(live, deployment)) {
            continue;
        }
        let known = ctx.written.trials.known(pipeline, deployment, Instant::now());
        let name = if live.is_some() { free_name(&name, &pipeline.uid) } else { name };
        violations.extend(match known {
            Some(refused) => refused,
            None => one(ctx, pipeline, deployment, &name).await,
        });
    }
    if violations.is_empty() { Ok(()) } else { Err(Invalid { violations }) }
}

/// Whether the one that exists has this template.
fn runs(live: &Deployment, deployment: &Deployment) -> bool {
    let template = |it: &Deployment| serde_json::to_value(&it.spec.template).unwrap_or_default();
    missing(&template(live), &template(deployment)).is_none()
}

/// A name that begins as the real one and that no object has.
fn free_name(name: &str, uid: &str) -> String {
    let suffix = &fingerprint(&Value::from(format!("{uid}/{name}")))[..SUFFIX];
    let end = name.floor_char_boundary(LONGEST_NAME - SUFFIX - 1);
    format!("{}-{suffix}", name[..end].trim_end_matches(['-', '.']))
}

/// Tries one under this name; what is refused of it.
async fn one(
    ctx: &Context,
    pipeline: &Pipeline,
    deployment: &Deployment,
    name: &str,
) -> Vec<Violation> {
    let api: Api<Deployment> = Api::namespaced(ctx.client.clone(), &pipeline.namespace);
    let mut trial = deployment.clone();
    trial.metadata.name = Some(name.to_owned());
    trial.metadata.resource_version = Some(NO_VERSION.to_owned());
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let params = PatchParams { dry_run: true, ..params };
    let refused = match api.patch(name, &params, &Patch::Apply(&trial)).await {
        Ok(_) => Vec::new(),
        Err(kube::Error::Api(status)) if status.code == 422 => refusals(deployment, &status),
        // It says nothing of the template: what is wrong will show when it is applied.
        Err(error) => {
            tracing::debug!(pipeline = pipeline.name, error = words(&error), "cannot be tried");
            return Vec::new();
        }
    };
    ctx.written.trials.note(pipeline, deployment, refused.clone(), Instant::now());
    refused
}

/// What the API server refuses, each with the field of the Deployment that it names.
fn refusals(deployment: &Deployment, status: &Status) -> Vec<Violation> {
    let side = deployment.labels().get(COMPONENT).map_or("producer", String::as_str);
    let violation = |what: &str| Violation {
        path: format!("spec.{side}"),
        message: format!("the API server refuses the Deployment of it: {what}"),
        found: None,
        kind: ViolationKind::Rule,
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let named = causes.filter(|cause| !cause.field.is_empty());
    let named = named.map(|cause| violation(&format!("{}: {}", cause.field, cause.message)));
    let mut all: Vec<_> = named.take(NAMED).collect();
    if all.is_empty() {
        all.push(violation(&status.message));
    }
    all
}

impl Trials {
    /// What was refused of this template; `None`: it has to be tried.
    fn known(
        &self,
        pipeline: &Pipeline,
        deployment: &Deployment,
        now: Instant,
    ) -> Option<Vec<Violation>> {
        let all = self.lock();
        let trial = all.get(&place(pipeline, deployment))?;
        let is_fresh =
            trial.refused.is_empty() || now.saturating_duration_since(trial.at) < REFUSED_FOR;
        let is_it = is_fresh && trial.template == template(deployment);
        is_it.then(|| trial.refused.clone())
    }

    fn note(
        &self,
        pipeline: &Pipeline,
        deployment: &Deployment,
        refused: Vec<Violation>,
        at: Instant,
    ) {
        let trial = Trial { template: template(deployment), at, refused };
        self.lock().insert(place(pipeline, deployment), trial);
    }

    /// Forgets a pipeline that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().retain(|(owner, _), _| owner != uid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Trial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(pipeline: &Pipeline, deployment: &Deployment) -> Place {
    (pipeline.uid.clone(), deployment.name_any())
}

/// The fingerprint of a template.
fn template(deployment: &Deployment) -> String {
    fingerprint(&serde_json::to_value(&deployment.spec.template).unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        build::{build, fixture},
        decide::Replicas,
    };

    /// A pipeline and one of its Deployments.
    fn wanted() -> (Pipeline, Deployment) {
        let pipeline = fixture::pipeline(fixture::TELEMETRY);
        let resources =
            build(&pipeline, Replicas { producer: 1, consumer: 1 }, &fixture::settings());
        (pipeline, resources.deployments[0].clone())
    }

    fn refused() -> Vec<Violation> {
        let path = "spec.producer".to_owned();
        vec![Violation { path, message: "no".to_owned(), found: None, kind: ViolationKind::Rule }]
    }

    #[test]
    fn a_refusal_counts_for_a_while_and_what_was_accepted_for_good() {
        let ((pipeline, deployment), at) = (wanted(), Instant::now());
        let trials = Trials::default();
        assert_eq!(trials.known(&pipeline, &deployment, at), None);
        trials.note(&pipeline, &deployment, refused(), at);
        let almost = at + REFUSED_FOR.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(trials.known(&pipeline, &deployment, almost), Some(refused()));
        assert_eq!(trials.known(&pipeline, &deployment, at + REFUSED_FOR), None);
        trials.note(&pipeline, &deployment, Vec::new(), at);
        let long_after = at + 100 * REFUSED_FOR;
        assert_eq!(trials.known(&pipeline, &deployment, long_after), Some(Vec::new()));
    }

    #[test]
    fn another_template_is_tried_at_once() {
        let ((pipeline, mut deployment), at) = (wanted(), Instant::now());
        let trials = Trials::default();
        trials.note(&pipeline, &deployment, refused(), at);
        deployment.spec.template.spec.as_mut().unwrap().node_name = Some("another".to_owned());
        assert_eq!(trials.known(&pipeline, &deployment, at), None);
    }

    #[test]
    fn a_free_name_begins_as_the_real_one_and_fits() {
        let name = free_name("demo-producer", "u");
        assert!(name.starts_with("demo-producer-") && name.len() == 14 + SUFFIX, "{name}");
        assert_ne!(name, free_name("demo-producer", "v"));
        let long = free_name(&format!("{}-.{}", "a".repeat(52), "b".repeat(40)), "u");
        assert!(long.starts_with(&format!("{}-", "a".repeat(52))), "{long}");
        assert_eq!(long.len(), 52 + 1 + SUFFIX);
    }
}
