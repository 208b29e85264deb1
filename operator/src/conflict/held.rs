//! What a pipeline's Deployments have of what only one can have: read from a note on them, and written there. Pure.
//!
//! The spec says only what is wanted. What runs may be older: while a change is refused or rolled out, pods go on with
//! what they were made for.

use batchpipe_api::report::Role;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::claim::Claim;
use crate::build::{CONTAINER, PIPELINE};

/// Annotation of a Deployment with what its pods may have for themselves, in JSON: what its template is for, and until
/// the last pod of an earlier template is gone also what that was for.
const CLAIMS: &str = "batchpipe.dev/claims";

/// What a pipeline has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// What pods may be using now or in a moment, with the side that does.
    pub(super) used: Vec<(Role, Claim)>,
    /// What the pods that were stopped were made for.
    pub(super) kept: Vec<Claim>,
}

impl Held {
    /// Whether pods may be using it.
    pub(super) fn uses(&self, claim: &Claim) -> bool {
        self.used.iter().any(|(_, used)| used == claim)
    }

    /// Adds what was granted: pods that use it may be made at any moment.
    pub(super) fn grant(&mut self, granted: Option<&Vec<(Role, Claim)>>) {
        self.used.extend(granted.into_iter().flatten().cloned());
    }

    /// Adds what one of the pipeline's Deployments has; without a note, that is what its side `wants`.
    pub(super) fn add(&mut self, role: Role, deployment: &Deployment, wants: Vec<Claim>) {
        let claims = noted(deployment).unwrap_or(wants);
        if may_have_pods(deployment) {
            self.used.extend(claims.into_iter().map(|claim| (role, claim)));
        } else {
            self.kept.extend(claims);
        }
    }
}

/// What is noted on a Deployment.
pub(super) fn noted(deployment: &Deployment) -> Option<Vec<Claim>> {
    serde_json::from_str(deployment.annotations().get(CLAIMS)?).ok()
}

/// Whether a note names one of these claims, or there is none that could tell. Cheap: it is asked of every Deployment.
pub(super) fn may_name(deployment: &Deployment, texts: &[String]) -> bool {
    let note = deployment.annotations().get(CLAIMS);
    note.is_none_or(|note| texts.iter().any(|text| note.contains(text.as_str())))
}

/// The claims as a note has each of them.
pub(super) fn texts(claims: &[Claim]) -> Vec<String> {
    claims.iter().filter_map(|claim| serde_json::to_string(claim).ok()).collect()
}

/// Notes on a Deployment that is to be written what its pods may have: what its side `wants`, and what the pods of
/// `live` have that are not replaced yet.
pub(super) fn note(desired: &mut Deployment, live: Option<&Deployment>, wants: Vec<Claim>) {
    let mut claims = wants;
    if let Some(live) = live.filter(|live| !is_carried_out(live, desired)) {
        claims.extend(noted(live).unwrap_or_default());
    }
    claims.sort();
    claims.dedup();
    let text = serde_json::to_string(&claims).expect("claims of plain text are valid JSON");
    desired.annotations_mut().insert(CLAIMS.to_owned(), text);
}

fn may_have_pods(deployment: &Deployment) -> bool {
    let counted = deployment.status.as_ref().and_then(|status| status.replicas).unwrap_or(0);
    deployment.spec.replicas != Some(0) || counted != 0 || !is_seen(deployment)
}

/// Whether its controller has seen the newest spec.
fn is_seen(deployment: &Deployment) -> bool {
    let seen = deployment.status.as_ref().and_then(|status| status.observed_generation);
    seen >= deployment.metadata.generation
}

/// Whether all pods of `live` were told what `desired` tells them.
fn is_carried_out(live: &Deployment, desired: &Deployment) -> bool {
    let status = live.status.clone().unwrap_or_default();
    told(live) == told(desired)
        && is_seen(live)
        && status.updated_replicas.unwrap_or(0) == status.replicas.unwrap_or(0)
}

/// What the pods are told.
fn told(deployment: &Deployment) -> Option<&str> {
    let spec = deployment.spec.template.spec.as_ref()?;
    let container = spec.containers.iter().find(|it| it.name == CONTAINER)?;
    container.env.iter().flatten().find(|it| it.name == PIPELINE)?.value.as_deref()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::DeploymentStatus;

    use super::*;
    use crate::{
        build::{build, fixture},
        conflict::claim::claims_of,
        decide::Replicas,
    };

    /// What is wanted of a consumer in this cluster, and its Deployment without a note.
    fn consumer(cluster: &str) -> (Vec<Claim>, Deployment) {
        let spec = format!("{}  consumer: {{sink: {{stdout: {{}}}}}}\n", fixture::KAFKA_ONLY);
        let text = spec.replace("kafka:9093", cluster);
        let wants = claims_of(&fixture::object(&text), Role::Consumer);
        let replicas = Replicas { producer: 0, consumer: 1 };
        let resources = build(&fixture::pipeline(&text), replicas, &fixture::settings());
        (wants, resources.deployments[0].clone())
    }

    /// The same as it lives, with so many pods of which so many are of the newest template.
    fn live(desired: &Deployment, replicas: i32, updated: i32) -> Deployment {
        let mut live = desired.clone();
        live.metadata.generation = Some(3);
        live.status = Some(DeploymentStatus {
            observed_generation: Some(3),
            replicas: Some(replicas),
            updated_replicas: Some(updated),
            ..DeploymentStatus::default()
        });
        live
    }

    fn held(deployment: &Deployment) -> Held {
        let mut held = Held::default();
        held.add(Role::Consumer, deployment, Vec::new());
        held
    }

    #[test]
    fn a_change_is_noted_beside_what_it_replaces_until_the_last_earlier_pod_is_gone() {
        let ((before, mut first), (after, second)) = (consumer("one:1"), consumer("two:1"));
        note(&mut first, None, before.clone());
        assert_eq!(noted(&first), Some(before.clone()));
        let mut desired = second.clone();
        note(&mut desired, Some(&live(&first, 1, 1)), after.clone());
        assert!(held(&desired).uses(&before[0]) && held(&desired).uses(&after[0]));
        let mut again = second.clone();
        note(&mut again, Some(&live(&desired, 2, 1)), after.clone());
        assert_eq!(noted(&again), noted(&desired), "one is left");
        note(&mut again, Some(&live(&desired, 1, 1)), after.clone());
        let mut done = second;
        note(&mut done, Some(&live(&desired, 1, 1)), after.clone());
        assert_eq!(noted(&done), Some(after));
    }

    #[test]
    fn what_the_controller_has_not_seen_may_still_have_pods() {
        let (wants, mut desired) = consumer("one:1");
        note(&mut desired, None, wants.clone());
        let mut stopped = live(&desired, 0, 0);
        stopped.spec.replicas = Some(0);
        assert_eq!((held(&stopped).uses(&wants[0]), held(&stopped).kept), (false, wants.clone()));
        stopped.metadata.generation = Some(4);
        assert!(held(&stopped).uses(&wants[0]));
    }

    #[test]
    fn without_a_note_a_deployment_has_what_its_side_wants() {
        let (wants, desired) = consumer("one:1");
        let mut held = Held::default();
        held.add(Role::Consumer, &desired, wants.clone());
        assert!(held.uses(&wants[0]));
        assert!(may_name(&desired, &[]));
    }

    #[test]
    fn a_note_is_searched_for_claims_as_text() {
        let (wants, mut desired) = consumer("one:1");
        note(&mut desired, None, wants.clone());
        assert!(may_name(&desired, &texts(&wants)));
        assert!(!may_name(&desired, &texts(&consumer("two:1").0)));
    }
}
