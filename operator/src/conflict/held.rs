//! What a pipeline's Deployments and pods have of what only one can have: read from a note on them, and written there.
//! Pure.
//!
//! The spec says only what is wanted. What runs may be older: while a change is refused or rolled out, pods go on with
//! what they were made for.

use batchpipe_api::report::Role;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Resource, ResourceExt};

use super::claim::Claim;
use crate::{
    build::{
        CONTAINER, PIPELINE,
        labels::{CLAIMS, COMPONENT, PIPELINE_UID},
    },
    observe::has_ended,
};

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

    /// Adds what one of the pipeline's pods has until it has ended, also when its Deployment does not count it any more.
    pub(super) fn add_pod(&mut self, pod: &Pod) {
        let Some(role) = role_of(pod) else { return };
        self.used.extend(in_use(pod).into_iter().map(|claim| (role, claim)));
    }
}

/// Whether a pod was made for the pipeline of its label: one that says for whom else it was made is left of a namesake.
pub(super) fn is_made_for(pod: &Pod, uid: Option<&str>) -> bool {
    pod.annotations().get(PIPELINE_UID).is_none_or(|maker| Some(maker.as_str()) == uid)
}

/// What a pod may be using; one without a note is known by its Deployment alone.
pub(super) fn in_use(pod: &Pod) -> Vec<Claim> {
    if has_ended(pod) { Vec::new() } else { noted(pod).unwrap_or_default() }
}

fn role_of(pod: &Pod) -> Option<Role> {
    let side = pod.labels().get(COMPONENT)?;
    Role::ALL.into_iter().find(|role| role.name() == side)
}

/// What is noted on a Deployment or a pod.
pub(super) fn noted(object: &impl Resource) -> Option<Vec<Claim>> {
    serde_json::from_str(object.annotations().get(CLAIMS)?).ok()
}

/// Whether a note names one of these claims, or there is none that could tell. Cheap: it is asked of every Deployment.
pub(super) fn may_name(deployment: &Deployment, texts: &[String]) -> bool {
    !deployment.annotations().contains_key(CLAIMS) || names(deployment, texts)
}

/// Whether there is a note that names one of these claims. As cheap, for it is asked of every pod.
pub(super) fn names(object: &impl Resource, texts: &[String]) -> bool {
    let note = object.annotations().get(CLAIMS);
    note.is_some_and(|note| texts.iter().any(|text| note.contains(text.as_str())))
}

/// The claims as a note has each of them.
pub(super) fn texts(claims: &[Claim]) -> Vec<String> {
    claims.iter().filter_map(|claim| serde_json::to_string(claim).ok()).collect()
}

/// Notes on a Deployment that is to be written what its pods may have: what its side `wants`, what the pods of `live`
/// have that are not replaced yet, and what `pods` have of which it does not count all. On its template: what it wants.
pub(super) fn note(
    desired: &mut Deployment,
    live: Option<&Deployment>,
    pods: &[impl std::borrow::Borrow<Pod>],
    wants: &[Claim],
) {
    let mut claims = wants.to_vec();
    if let Some(live) = live.filter(|live| !is_carried_out(live, desired)) {
        claims.extend(noted(live).unwrap_or_default());
    }
    claims.extend(pods.iter().flat_map(|pod| in_use(pod.borrow())));
    let text = text(claims);
    desired.annotations_mut().insert(CLAIMS.to_owned(), text);
    note_on_pods(desired, wants);
}

/// A pod outlives its Deployment, and then nothing else tells what it has.
fn note_on_pods(desired: &mut Deployment, wants: &[Claim]) {
    let metadata = desired.spec.template.metadata.get_or_insert_default();
    if wants.is_empty() {
        // Whoever it is from, it would be taken for true.
        metadata.annotations.as_mut().and_then(|all| all.remove(CLAIMS));
    } else {
        let text = text(wants.to_vec());
        metadata.annotations.get_or_insert_default().insert(CLAIMS.to_owned(), text);
    }
}

fn text(mut claims: Vec<Claim>) -> String {
    claims.sort();
    claims.dedup();
    serde_json::to_string(&claims).expect("claims of plain text are valid JSON")
}

pub(super) fn may_have_pods(deployment: &Deployment) -> bool {
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
    use k8s_openapi::{
        api::{apps::v1::DeploymentStatus, core::v1::PodStatus},
        apimachinery::pkg::apis::meta::v1::Time,
        jiff::Timestamp,
    };

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

    /// Notes without looking at pods.
    fn note(desired: &mut Deployment, live: Option<&Deployment>, wants: &[Claim]) {
        super::note(desired, live, &[] as &[Pod], wants);
    }

    /// A pod of this Deployment.
    fn pod(desired: &Deployment) -> Pod {
        let metadata = desired.spec.template.metadata.clone().unwrap();
        Pod { metadata, ..Pod::default() }
    }

    #[test]
    fn a_pod_has_what_it_was_made_for_until_it_has_ended() {
        let (wants, mut desired) = consumer("one:1");
        note(&mut desired, None, &wants);
        let mut pod = pod(&desired);
        let uses = |pod: &Pod| {
            let mut held = Held::default();
            held.add_pod(pod);
            held.used == [(Role::Consumer, wants[0].clone())]
        };
        pod.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(uses(&pod), "it is only being stopped");
        pod.status = Some(PodStatus { phase: Some("Failed".to_owned()), ..PodStatus::default() });
        assert!(!uses(&pod));
    }

    #[test]
    fn what_an_earlier_pod_has_is_noted_also_when_it_is_not_counted_any_more() {
        let ((before, mut first), (after, mut second)) = (consumer("one:1"), consumer("two:1"));
        note(&mut first, None, &before);
        let carried_out = live(&second, 1, 1);
        super::note(&mut second, Some(&carried_out), &[pod(&first)], &after);
        assert_eq!(noted(&second), Some([before, after.clone()].concat()));
        assert_eq!(noted(&pod(&second)), Some(after), "the new pods have what is new");
    }

    #[test]
    fn nobody_but_us_notes_what_pods_have() {
        let (_, mut desired) = consumer("one:1");
        let metadata = desired.spec.template.metadata.as_mut().unwrap();
        let forged = [(CLAIMS.to_owned(), "[]".to_owned())];
        metadata.annotations.get_or_insert_default().extend(forged);
        note(&mut desired, None, &[]);
        assert_eq!(noted(&pod(&desired)), None);
    }

    #[test]
    fn a_change_is_noted_beside_what_it_replaces_until_the_last_earlier_pod_is_gone() {
        let ((before, mut first), (after, second)) = (consumer("one:1"), consumer("two:1"));
        note(&mut first, None, &before);
        assert_eq!(noted(&first), Some(before.clone()));
        let mut desired = second.clone();
        note(&mut desired, Some(&live(&first, 1, 1)), &after);
        assert!(held(&desired).uses(&before[0]) && held(&desired).uses(&after[0]));
        let mut again = second.clone();
        note(&mut again, Some(&live(&desired, 2, 1)), &after);
        assert_eq!(noted(&again), noted(&desired), "one is left");
        note(&mut again, Some(&live(&desired, 1, 1)), &after);
        let mut done = second;
        note(&mut done, Some(&live(&desired, 1, 1)), &after);
        assert_eq!(noted(&done), Some(after));
    }

    #[test]
    fn what_the_controller_has_not_seen_may_still_have_pods() {
        let (wants, mut desired) = consumer("one:1");
        note(&mut desired, None, &wants);
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
        note(&mut desired, None, &wants);
        assert!(may_name(&desired, &texts(&wants)));
        assert!(!may_name(&desired, &texts(&consumer("two:1").0)));
    }
}
