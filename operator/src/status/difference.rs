//! Whether a new status is worth a write: at once, at leisure, or not at all. Pure.
//!
//! Numbers move all the time. A write for each would wear out the API server, so small moves are none, and larger ones
//! may wait.

use batchpipe_api::status::{BatchPipelineStatus, DataStatus, ScalingStatus};

/// How a new status differs from what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Not visibly.
    None,
    /// In numbers and in the words of messages: to be written at most every 15 s.
    NumbersOnly,
    /// In what is true, in what has to be remembered, or in that a number is known at last: to be written now.
    Yes,
}

/// Rates move about so much around a steady one, in parts of a hundred.
const RATE_PERCENT: u64 = 5;
/// Lags, which are estimates.
const LAG_PERCENT: u64 = 10;

/// How `new` differs from what is written.
pub fn differs_visibly(old: Option<&BatchPipelineStatus>, new: &BatchPipelineStatus) -> Difference {
    let Some(old) = old else { return Difference::Yes };
    if lasting(old) != lasting(new) || has_appeared(old.data.as_ref(), new.data.as_ref()) {
        Difference::Yes
    } else if differ_in_words(old, new) || numbers_moved(old.data.as_ref(), new.data.as_ref()) {
        Difference::NumbersOnly
    } else {
        Difference::None
    }
}

/// The status without numbers of the data and without words.
fn lasting(status: &BatchPipelineStatus) -> BatchPipelineStatus {
    let mut lasting = BatchPipelineStatus { data: None, ..status.clone() };
    for condition in &mut lasting.conditions {
        condition.message.clear();
    }
    let scaling = lasting.scaling.take();
    lasting.scaling = scaling.map(|scaling| ScalingStatus { reason: String::new(), ..scaling });
    lasting
}

/// Whether a number is known that was not: people wait for it. One that is no longer known may wait, so numbers that
/// come and go are not written more often than others.
fn has_appeared(old: Option<&DataStatus>, new: Option<&DataStatus>) -> bool {
    let nothing = DataStatus::default();
    let (old, new) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
    let known = |data: &DataStatus| {
        [
            data.records_per_second.is_some(),
            data.ratio.is_some(),
            data.lag_records.is_some(),
            data.dead_letters.is_some(),
        ]
    };
    known(old).into_iter().zip(known(new)).any(|(old, new)| new && !old)
}

fn differ_in_words(old: &BatchPipelineStatus, new: &BatchPipelineStatus) -> bool {
    old.scaling != new.scaling || old.conditions != new.conditions
}

fn numbers_moved(old: Option<&DataStatus>, new: Option<&DataStatus>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return old.is_some() != new.is_some() };
    moved(old.records_per_second, new.records_per_second, RATE_PERCENT)
        || moved(old.lag_messages, new.lag_messages, LAG_PERCENT)
        || moved(old.lag_records, new.lag_records, LAG_PERCENT)
        || moved(old.lag_seconds, new.lag_seconds, LAG_PERCENT)
        || (old.saved_percent, &old.ratio, old.dead_letters)
            != (new.saved_percent, &new.ratio, new.dead_letters)
}

/// Whether a number moved by more than so many parts of a hundred. Something is always more than nothing.
fn moved(old: Option<i64>, new: Option<i64>, percent: u64) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return old.is_some() != new.is_some() };
    let is_to_or_from_zero = (old == 0) != (new == 0);
    is_to_or_from_zero
        || old.abs_diff(new).saturating_mul(100) > old.unsigned_abs().saturating_mul(percent)
}

#[cfg(test)]
mod tests {
    use batchpipe_api::status::{DrainingStatus, Phase, SideStatus};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;
    use crate::observe::testing::moment;

    fn status() -> BatchPipelineStatus {
        BatchPipelineStatus {
            observed_generation: Some(1),
            phase: Some(Phase::Running),
            conditions: vec![Condition {
                type_: "Ready".to_owned(),
                status: "True".to_owned(),
                reason: "AsDesired".to_owned(),
                message: "fine".to_owned(),
                observed_generation: Some(1),
                last_transition_time: Time(moment(0)),
            }],
            scaling: Some(ScalingStatus { desired_replicas: 2, reason: "lag".to_owned() }),
            data: Some(DataStatus {
                records_per_second: Some(1000),
                lag_records: Some(0),
                dead_letters: Some(0),
                ratio: Some("6.8x".to_owned()),
                observed_at: Some(Time(moment(0))),
                ..DataStatus::default()
            }),
            ..BatchPipelineStatus::default()
        }
    }

    fn after(change: impl FnOnce(&mut BatchPipelineStatus)) -> Difference {
        let mut new = status();
        change(&mut new);
        differs_visibly(Some(&status()), &new)
    }

    fn after_data(change: impl FnOnce(&mut DataStatus)) -> Difference {
        after(|status| change(status.data.as_mut().unwrap()))
    }

    #[test]
    fn the_first_status_is_written() {
        assert_eq!(differs_visibly(None, &status()), Difference::Yes);
    }

    #[test]
    fn a_new_observation_of_the_same_is_no_difference() {
        assert_eq!(after_data(|data| data.observed_at = Some(Time(moment(99)))), Difference::None);
        assert_eq!(after_data(|data| data.records_per_second = Some(1050)), Difference::None);
    }

    #[test]
    fn numbers_that_moved_may_wait() {
        assert_eq!(
            after_data(|data| data.records_per_second = Some(1051)),
            Difference::NumbersOnly
        );
        assert_eq!(after_data(|data| data.lag_records = Some(1)), Difference::NumbersOnly);
        assert_eq!(after_data(|data| data.dead_letters = Some(1)), Difference::NumbersOnly);
        assert_eq!(after_data(|data| data.lag_records = None), Difference::NumbersOnly);
        assert_eq!(after(|status| status.data = None), Difference::NumbersOnly);
    }

    #[test]
    fn a_number_that_is_known_at_last_is_written_at_once() {
        let mut unknown = status();
        unknown.data = None;
        assert_eq!(differs_visibly(Some(&unknown), &status()), Difference::Yes);
        unknown.data = Some(DataStatus { ratio: None, ..status().data.unwrap() });
        assert_eq!(differs_visibly(Some(&unknown), &status()), Difference::Yes);
    }

    #[test]
    fn words_may_wait_and_what_they_are_about_may_not() {
        assert_eq!(
            after(|it| it.conditions[0].message = "other".to_owned()),
            Difference::NumbersOnly
        );
        assert_eq!(after(|it| it.conditions[0].reason = "Paused".to_owned()), Difference::Yes);
        let scaled =
            |desired_replicas| Some(ScalingStatus { desired_replicas, reason: "x".to_owned() });
        assert_eq!(after(|it| it.scaling = scaled(2)), Difference::NumbersOnly);
        assert_eq!(after(|it| it.scaling = scaled(3)), Difference::Yes);
    }

    #[test]
    fn what_is_true_or_has_to_be_remembered_is_written_at_once() {
        assert_eq!(after(|it| it.phase = Some(Phase::Degraded)), Difference::Yes);
        assert_eq!(after(|it| it.observed_generation = Some(2)), Difference::Yes);
        assert_eq!(after(|it| it.draining = Some(DrainingStatus::default())), Difference::Yes);
        assert_eq!(after(|it| it.consumer = Some(SideStatus::default())), Difference::Yes);
    }
}
