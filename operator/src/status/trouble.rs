//! Why the pods of a side are not as they should be: what the pods say themselves, or what Kubernetes says. Pure.

use batchpipe_api::{
    conditions::reasons,
    report::{Report, Stall},
};

use crate::observe::{ObservedPod, ObservedSide};

/// What hardly passes unless somebody acts, once it has lasted a while.
const NEEDS_SOMEBODY: [&str; 5] = [
    reasons::INVALID_SPEC,
    reasons::SECRET_MISSING,
    reasons::AUTHENTICATION_FAILED,
    reasons::AUTHORIZATION_FAILED,
    reasons::FOLDER_LOCKED,
];
/// So long a thing may be awaited before somebody is called, in milliseconds: a Secret is often made right after
/// what uses it.
const PATIENCE_MS: i64 = 30_000;

/// What keeps pods from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// A reason of [`reasons`].
    pub(super) reason: &'static str,
    /// Which pod, what it waits for, what to do.
    pub(super) message: String,
    /// Whether it will hardly pass unless somebody acts.
    pub(super) needs_somebody: bool,
    /// Whether it is more than what pods say while they start.
    pub(super) has_lasted: bool,
}

/// The first thing that keeps pods of the newest template from being ready, else any other pod; nothing when nobody
/// says anything.
pub(super) fn trouble(side: &ObservedSide) -> Option<Trouble> {
    let failure = side.deployment.as_ref().and_then(|it| it.replica_failure.as_ref());
    if let Some(failure) = failure {
        return Some(Trouble {
            reason: reasons::PODS_NOT_READY,
            message: format!("pods cannot be created: {failure}"),
            needs_somebody: true,
            has_lasted: true,
        });
    }
    let unready = || side.staying().filter(|pod| !pod.is_ready);
    let newest = unready().filter(|pod| pod.is_updated);
    let troubles = newest.chain(unready().filter(|pod| !pod.is_updated)).filter_map(of_pod);
    // What needs somebody is the better answer to why nothing gets ahead.
    let mut troubles: Vec<_> = troubles.collect();
    troubles.sort_by_key(|trouble| !trouble.needs_somebody);
    troubles.into_iter().next()
}

/// What an earlier pod waits for, somebody has acted upon already: the change that replaces it is under way.
fn of_pod(pod: &ObservedPod) -> Option<Trouble> {
    let trouble = words_of(pod)?;
    Some(Trouble { needs_somebody: trouble.needs_somebody && pod.is_updated, ..trouble })
}

fn words_of(pod: &ObservedPod) -> Option<Trouble> {
    if let Some(blocked) = &pod.blocked {
        let message = if blocked.message.is_empty() { "no message" } else { &blocked.message };
        return Some(Trouble {
            reason: reasons::PODS_NOT_READY,
            message: format!("pod {}: {}: {message}", pod.name, blocked.reason),
            needs_somebody: blocked.needs_somebody,
            has_lasted: true,
        });
    }
    let report = pod.report.as_deref()?;
    let mut stalls: Vec<_> =
        report.stalled.iter().map(|stall| of_stall(pod, report, stall)).collect();
    stalls.sort_by_key(|trouble| !trouble.needs_somebody);
    stalls.into_iter().next()
}

fn of_stall(pod: &ObservedPod, report: &Report, stall: &Stall) -> Trouble {
    // A pod may be of any version, or not be ours at heart: only words that we know become reasons.
    let known = reasons::ALL.into_iter().find(|reason| *reason == stall.reason);
    let has_lasted = report.begun_at_ms.saturating_sub(stall.since_ms) >= PATIENCE_MS;
    Trouble {
        reason: known.unwrap_or(reasons::PODS_NOT_READY),
        message: format!("pod {}: {}: {}", pod.name, stall.reason, stall.what),
        needs_somebody: NEEDS_SOMEBODY.contains(&stall.reason.as_str()) && has_lasted,
        has_lasted,
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::report::Role;

    use super::*;
    use crate::observe::{
        Blocked,
        testing::{pod, report, reporting, settled, stall},
    };

    fn waiting(name: &str, stall: Stall) -> ObservedPod {
        let report = Report { stalled: vec![stall], ..report(Role::Consumer) };
        ObservedPod { is_ready: false, ..reporting(name, report) }
    }

    #[test]
    fn what_a_pod_waits_for_becomes_the_reason() {
        let side = settled(vec![pod("a"), waiting("b", stall("SecretMissing", "me/password", 5))]);
        let found = trouble(&side).unwrap();
        assert_eq!(found.reason, reasons::SECRET_MISSING);
        assert_eq!(found.message, "pod b: SecretMissing: me/password");
    }

    #[test]
    fn a_missing_secret_calls_for_somebody_only_after_a_while() {
        let after = |seconds| {
            let side = settled(vec![waiting("b", stall("SecretMissing", "me/password", seconds))]);
            trouble(&side).unwrap().needs_somebody
        };
        assert!(!after(29));
        assert!(after(30));
    }

    #[test]
    fn brokers_that_are_away_come_back_on_their_own() {
        let side = settled(vec![waiting("b", stall("BrokersUnreachable", "kafka:9093", 9999))]);
        assert!(!trouble(&side).unwrap().needs_somebody);
    }

    #[test]
    fn a_word_that_is_not_known_does_not_become_a_reason() {
        let side = settled(vec![waiting("b", stall("not a reason!", "x", 5))]);
        assert_eq!(trouble(&side).unwrap().reason, reasons::PODS_NOT_READY);
    }

    #[test]
    fn what_kubernetes_cannot_start_or_create_is_told_in_its_words() {
        let blocked = Some(Blocked {
            reason: "ImagePullBackOff".to_owned(),
            message: "manifest unknown".to_owned(),
            needs_somebody: true,
        });
        let mut side = settled(vec![ObservedPod { is_ready: false, blocked, ..pod("a") }]);
        assert_eq!(trouble(&side).unwrap().message, "pod a: ImagePullBackOff: manifest unknown");
        side.deployment.as_mut().unwrap().replica_failure = Some("exceeded quota".to_owned());
        assert_eq!(trouble(&side).unwrap().message, "pods cannot be created: exceeded quota");
    }

    #[test]
    fn what_needs_somebody_is_told_before_what_may_pass() {
        let side = settled(vec![
            waiting("a", stall("BrokersUnreachable", "kafka:9093", 99)),
            waiting("b", stall("AuthorizationFailed", "topic t", 99)),
        ]);
        assert_eq!(trouble(&side).unwrap().reason, reasons::AUTHORIZATION_FAILED);
    }

    #[test]
    fn an_earlier_pod_calls_for_nobody_whatever_it_waits_for() {
        let earlier = ObservedPod {
            is_updated: false,
            ..waiting("a", stall("AuthorizationFailed", "topic t", 99))
        };
        let newer = waiting("b", stall("BrokersUnreachable", "kafka:9093", 1));
        assert!(!trouble(&settled(vec![earlier.clone()])).unwrap().needs_somebody);
        let found = trouble(&settled(vec![earlier, newer])).unwrap();
        assert_eq!(found.reason, reasons::BROKERS_UNREACHABLE, "the newer one is told of");
    }

    #[test]
    fn a_ready_pod_and_one_that_is_leaving_are_no_trouble() {
        let leaving =
            ObservedPod { is_terminating: true, ..waiting("b", stall("TopicMissing", "t", 5)) };
        assert_eq!(trouble(&settled(vec![pod("a"), leaving])), None);
    }
}
