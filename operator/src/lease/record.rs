//! Between the Lease object and what is decided about. Pure.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::api::ObjectMeta;

use super::{
    LONGEST, Settings,
    decision::{GIVEN_BACK, Record},
};

/// What a Lease says. One without a duration counts as held for `fallback`, and none for longer than [`LONGEST`]: a
/// number that was mistyped would keep everybody from leading for years.
pub(super) fn record(lease: &Lease, fallback: Duration) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok());
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: seconds.map_or(fallback, Duration::from_secs).min(LONGEST),
        renewed: spec.renew_time.map(|time| time.0.to_string()),
    }
}

/// The Lease that says that we hold it. `before` is the one that it replaces: its version makes the API server refuse
/// when somebody else was quicker.
pub(super) fn held(before: Option<&Lease>, settings: &Settings, now: Timestamp) -> Lease {
    let now = as_kept(now);
    let old = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let is_ours = old.holder_identity.as_deref() == Some(&settings.identity);
    let transitions = old.lease_transitions.unwrap_or_default();
    let spec = LeaseSpec {
        holder_identity: Some(settings.identity.clone()),
        lease_duration_seconds: Some(seconds(settings.timing.duration)),
        acquire_time: old.acquire_time.filter(|_| is_ours).or(Some(MicroTime(now))),
        renew_time: Some(MicroTime(now)),
        lease_transitions: Some(if is_ours || before.is_none() {
            transitions
        } else {
            transitions.saturating_add(1)
        }),
        ..LeaseSpec::default()
    };
    with_spec(before, settings, spec)
}

/// The Lease that says that nobody holds it.
pub(super) fn released(before: &Lease, settings: &Settings, now: Timestamp) -> Lease {
    let old = before.spec.clone().unwrap_or_default();
    let spec = LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(seconds(GIVEN_BACK)),
        renew_time: Some(MicroTime(now)),
        ..old
    };
    with_spec(Some(before), settings, spec)
}

/// The time as the API server keeps it, so that what was sent can be compared with what is there.
fn as_kept(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn with_spec(before: Option<&Lease>, settings: &Settings, spec: LeaseSpec) -> Lease {
    let fresh = || ObjectMeta {
        name: Some(settings.name.clone()),
        namespace: Some(settings.namespace.clone()),
        ..ObjectMeta::default()
    };
    let metadata = before.map_or_else(fresh, |lease| lease.metadata.clone());
    Lease { metadata, spec: Some(spec) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Timing;

    fn settings(identity: &str) -> Settings {
        Settings {
            namespace: "system".to_owned(),
            name: "lease".to_owned(),
            identity: identity.to_owned(),
            timing: Timing::default(),
        }
    }

    #[test]
    fn each_change_of_the_holder_is_counted_and_renewals_are_not() {
        let first = held(None, &settings("a"), Timestamp::UNIX_EPOCH);
        let renewed = held(Some(&first), &settings("a"), Timestamp::now());
        let taken = held(Some(&renewed), &settings("b"), Timestamp::now());
        let transitions = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        assert_eq!([&first, &renewed, &taken].map(transitions), [Some(0), Some(0), Some(1)]);
        let acquired = |lease: &Lease| lease.spec.clone().unwrap().acquire_time;
        assert_eq!(acquired(&first), acquired(&renewed));
        assert_ne!(acquired(&renewed), acquired(&taken));
    }

    #[test]
    fn what_replaces_a_lease_carries_its_version() {
        let mut lease = held(None, &settings("a"), Timestamp::UNIX_EPOCH);
        lease.metadata.resource_version = Some("7".to_owned());
        let version = |lease: Lease| lease.metadata.resource_version;
        assert_eq!(
            version(held(Some(&lease), &settings("b"), Timestamp::now())).as_deref(),
            Some("7")
        );
        assert_eq!(
            version(released(&lease, &settings("a"), Timestamp::now())).as_deref(),
            Some("7")
        );
    }

    #[test]
    fn a_released_lease_has_no_holder() {
        let lease = held(None, &settings("a"), Timestamp::UNIX_EPOCH);
        let fallback = Timing::default().duration;
        assert_eq!(record(&lease, fallback).holder, "a");
        let released = released(&lease, &settings("a"), Timestamp::now());
        assert_eq!(record(&released, fallback).holder, "");
    }

    #[test]
    fn what_is_sent_says_the_same_when_it_comes_back() {
        let sent = held(None, &settings("a"), Timestamp::now());
        let text = serde_json::to_string(&sent).unwrap();
        let kept: Lease = serde_json::from_str(&text).unwrap();
        let fallback = Timing::default().duration;
        assert_eq!(record(&kept, fallback), record(&sent, fallback));
    }

    #[test]
    fn nobody_holds_a_lease_for_years_because_of_a_number() {
        let mut lease = held(None, &settings("a"), Timestamp::UNIX_EPOCH);
        lease.spec.as_mut().unwrap().lease_duration_seconds = Some(i32::MAX);
        assert_eq!(record(&lease, Timing::default().duration).duration, LONGEST);
    }
}
