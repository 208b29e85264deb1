//! One fact each about scaling; the last ones let a simulated world run.

use batchpipe_api::units::Timespan;

use super::{need::thousands, *};
use crate::{
    decide::simulation::{Step, World},
    observe::{
        ObservedPod,
        testing::{consumer_pod, lag, moment, pod, said, settled, stall},
    },
};

fn asked(current: i32, load: Option<Load>) -> Scale {
    Scale {
        limits: Scaling { min_replicas: 1, max_replicas: 8, target_lag: Timespan::from_secs(30) },
        current,
        load,
        partitions: Some(6),
        assumed_partitions: 6,
    }
}

fn behind(seconds: f64, records: f64, pods: i32) -> Load {
    Load {
        lag_records: records,
        lag_seconds: seconds,
        delivered_per_second: 2500.0 * f64::from(pods),
        busy_per_second: Some(2500.0),
        pods,
        at: moment(0),
    }
}

fn decide(scale_: &Scale) -> (i32, String) {
    let (pods, why, _) = scale(scale_, &ScalingMemory::default(), moment(0));
    (pods, why)
}

#[test]
fn a_lag_over_the_target_is_met_with_the_pods_that_work_it_off_in_time() {
    let (pods, why) = decide(&asked(2, Some(behind(120.0, 150_000.0, 2))));
    assert_eq!(pods, 4);
    assert_eq!(
        why,
        "lag 120 s over the target of 30 s: 2 pods deliver 5,000 records/s, 4 are needed"
    );
}

#[test]
fn why_there_are_more_is_said_while_the_new_pods_say_nothing_yet() {
    let load = behind(120.0, 150_000.0, 2);
    let (_, why, memory) = scale(&asked(2, Some(load)), &ScalingMemory::default(), moment(0));
    let said = |seconds| scale(&asked(4, None), &memory, moment(seconds)).1;
    assert_eq!(said(59), why);
    assert_eq!(said(60), "lag or rates are unknown, the number is kept");
}

#[test]
fn there_are_never_more_pods_than_partitions_or_than_allowed() {
    let load = behind(900.0, 9e9, 2);
    assert_eq!(decide(&asked(2, Some(load))).0, 6);
    assert_eq!(decide(&Scale { partitions: None, ..asked(2, Some(load)) }).0, 8);
    let (pods, why) = decide(&asked(6, Some(load)));
    assert_eq!(pods, 6);
    assert!(why.ends_with("6 are the most that may be"), "{why}");
}

#[test]
fn what_is_unknown_changes_nothing_but_limits_hold() {
    assert_eq!(decide(&asked(4, None)).0, 4);
    assert_eq!(decide(&asked(0, None)).0, 1);
    assert_eq!(decide(&asked(50, None)).0, 6);
}

#[test]
fn a_minimum_above_the_partitions_is_not_reached_whether_they_are_known_or_not() {
    let mut scale = asked(6, None);
    scale.limits.min_replicas = 8;
    assert_eq!(decide(&scale).0, 6);
    assert_eq!(decide(&Scale { partitions: None, ..scale }).0, 6);
}

#[test]
fn more_pods_do_not_help_when_the_sink_takes_nothing() {
    let load = Load { busy_per_second: None, delivered_per_second: 0.0, ..behind(300.0, 1e6, 2) };
    let (pods, why) = decide(&asked(2, Some(load)));
    assert_eq!(pods, 2);
    assert!(why.contains("more would not help"), "{why}");
}

#[test]
fn a_lag_that_is_being_worked_off_asks_for_nothing() {
    let (pods, why) = decide(&asked(4, Some(behind(40.0, 100.0, 4))));
    assert_eq!(pods, 4);
    assert_eq!(why, "lag over the target of 30 s is being worked off");
}

#[test]
fn the_same_measurement_is_learned_once() {
    let scale_ = asked(2, Some(behind(10.0, 1000.0, 2)));
    let (_, _, once) = scale(&scale_, &ScalingMemory::default(), moment(0));
    let (_, _, twice) = scale(&scale_, &once, moment(1));
    assert_eq!(once, twice);
}

/// As when the newest pod was asked a moment later than the others: what came in meanwhile is no growth of a second.
#[test]
fn growth_is_not_measured_over_a_moment() {
    let first = behind(60.0, 10_000.0, 2);
    let (_, _, memory) = scale(&asked(2, Some(first)), &ScalingMemory::default(), moment(0));
    let later = Load { at: moment(1), lag_records: 20_000.0, ..first };
    assert_eq!(scale(&asked(2, Some(later)), &memory, moment(1)).2.last, memory.last);
    let later = Load { at: moment(10), ..later };
    let learned = scale(&asked(2, Some(later)), &memory, moment(10)).2.last.unwrap();
    assert!((learned.growth - 1000.0).abs() < 1e-9, "{learned:?}");
}

#[test]
fn the_load_is_unknown_when_a_pod_or_a_partition_says_nothing() {
    let pods = vec![consumer_pod("a", vec![lag(0, 1, 5)]), consumer_pod("b", vec![lag(1, 5, 5)])];
    let found = load(&settled(pods.clone())).unwrap();
    assert_eq!((found.lag_records, found.lag_seconds, found.pods), (40.0, 7.0, 2));
    let mut silent = pods.clone();
    silent[0].report = None;
    assert_eq!(load(&settled(silent)), None);
    let mut pending = pods.clone();
    pending.push(ObservedPod { is_ready: false, ..pod("c") });
    assert_eq!(load(&settled(pending)), Some(found), "a pod that cannot start holds up nothing");
    let mut unassigned = pods;
    said(&mut unassigned[1]).lag.clear();
    assert_eq!(load(&settled(unassigned)), None);
}

#[test]
fn only_pods_that_are_behind_by_their_own_fault_show_what_a_pod_can_do() {
    let mut pods =
        vec![consumer_pod("a", vec![lag(0, 1, 5)]), consumer_pod("b", vec![lag(1, 5, 5)])];
    for (pod, rate) in pods.iter_mut().zip([900.0, 10.0]) {
        said(pod).rates.records_per_second = rate;
    }
    assert_eq!(load(&settled(pods.clone())).unwrap().busy_per_second, Some(900.0));
    said(&mut pods[0]).stalled.push(stall("SinkUnavailable", "http://sink", 9));
    assert_eq!(load(&settled(pods)).unwrap().busy_per_second, None);
}

#[test]
fn rates_are_written_with_their_thousands_apart() {
    let texts = [0.4, 999.0, 1000.0, 1_234_567.0].map(thousands);
    assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
}

/// How often the number changed its direction.
fn turns(steps: &[Step]) -> usize {
    let changes: Vec<_> = steps
        .windows(2)
        .map(|pair| (pair[1].pods - pair[0].pods).signum())
        .filter(|it| *it != 0)
        .collect();
    changes.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// A generator of numbers in [0, 1), the same in every run.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from(u32::try_from(state >> 40).unwrap()) / f64::from(1_u32 << 24)
    }
}

#[test]
fn any_load_that_some_number_of_pods_can_do_is_met_and_then_kept_without_flapping() {
    for seed in 0..200_u64 {
        let mut random = random(seed);
        let capacity = 100.0 + 5000.0 * random();
        let mut world = World::new(asked(1 + i32::try_from(seed % 6).unwrap(), None), capacity, 6);
        world.lag = capacity * 2000.0 * random() * random();
        let load = capacity * 5.0 * random();
        let steps = world.run(7200, |_| load * (0.9 + 0.2 * random()));
        assert!(steps.iter().all(|step| (1..=6).contains(&step.pods)), "seed {seed}");
        assert!(world.lag < 30.0 * load.max(1.0), "seed {seed}: a lag of {} stays", world.lag);
        assert!(
            turns(&steps) <= 2,
            "seed {seed}: {:?}",
            steps.iter().map(|it| it.pods).collect::<Vec<_>>()
        );
        let late = &steps[steps.len() / 2..];
        assert_eq!(turns(late), 0, "seed {seed}: still looking for the number after an hour");
    }
}

#[test]
fn a_burst_is_met_at_once_and_its_pods_go_only_after_five_quiet_minutes() {
    let mut world = World::new(asked(1, None), 1000.0, 6);
    world.run(600, |_| 500.0);
    let burst = world.run(120, |_| 3000.0);
    let up = burst.iter().find(|step| step.pods > 1).expect("a burst asks for more");
    assert!(up.reason.contains("over the target of 30 s"), "{}", up.reason);
    let after = world.run(1800, |_| 500.0);
    let end = burst.last().unwrap().second;
    let down =
        after.windows(2).find(|pair| pair[1].pods < pair[0].pods).map(|pair| &pair[1]).unwrap();
    assert!(down.second - end >= 300, "{} after {end}", down.second);
    assert_eq!(after.last().unwrap().pods, 1);
}

#[test]
fn a_backlog_is_worked_off_and_the_number_comes_back() {
    let mut world = World::new(asked(1, None), 1000.0, 6);
    world.lag = 300_000.0;
    let steps = world.run(3600, |_| 700.0);
    assert_eq!(steps.iter().map(|step| step.pods).max(), Some(6));
    assert_eq!(steps.last().unwrap().pods, 1);
    assert!(turns(&steps) <= 1);
}

#[test]
fn where_room_is_limited_pods_that_cannot_start_do_not_freeze_the_number() {
    let mut world = World::new(asked(1, None), 1000.0, 6);
    world.room = 3;
    let burst = world.run(600, |_| 4000.0);
    assert_eq!(burst.last().unwrap().pods, 6, "{:?}", burst.last());
    let after = world.run(7200, |_| 500.0);
    assert!(world.lag < 30.0 * 500.0, "a lag of {} stays", world.lag);
    assert_eq!(after.last().unwrap().pods, 1, "{:?}", after.last());
}

#[test]
fn a_time_without_looking_is_no_quiet_time() {
    let quiet = |second: i64| {
        let at = moment(second);
        let load = Load {
            lag_records: 0.0,
            lag_seconds: 0.0,
            busy_per_second: None,
            at,
            ..behind(0.0, 0.0, 4)
        };
        Scale { current: 4, ..asked(4, Some(Load { delivered_per_second: 100.0, ..load })) }
    };
    let (_, _, mut memory) = scale(&quiet(0), &ScalingMemory::default(), moment(0));
    let (pods, why, learned) = scale(&quiet(600), &memory, moment(600));
    assert_eq!(pods, 4, "{why}");
    memory = learned;
    for second in (610..900).step_by(10) {
        let (pods, why, learned) = scale(&quiet(second), &memory, moment(second));
        assert_eq!(pods, 4, "{second}: {why}");
        memory = learned;
    }
    assert_eq!(scale(&quiet(900), &memory, moment(900)).0, 3);
}

#[test]
fn a_clock_that_was_set_back_stops_nothing_for_longer_than_a_change_settles() {
    let at = |second, pods| Load { at: moment(second), ..behind(120.0, 150_000.0, pods) };
    let first = asked(2, Some(at(3600, 2)));
    let (pods, _, memory) = scale(&first, &ScalingMemory::default(), moment(3600));
    assert_eq!(pods, 4);
    // An hour back: still as if it had just been changed, and measured anew.
    let (pods, _, memory) = scale(&asked(4, Some(at(0, 4))), &memory, moment(0));
    assert_eq!((pods, memory.last.unwrap().at), (4, moment(0)));
    let worse = Load { lag_records: 900_000.0, ..at(60, 4) };
    assert_eq!(scale(&asked(4, Some(worse)), &memory, moment(60)).0, 6);
}

#[test]
fn quiet_minutes_that_lie_ahead_do_not_count() {
    let quiet = |second| Load {
        lag_seconds: 0.0,
        lag_records: 0.0,
        delivered_per_second: 1.0,
        busy_per_second: None,
        pods: 4,
        at: moment(second),
    };
    let mut memory = scale(&asked(4, Some(quiet(3600))), &ScalingMemory::default(), moment(3600)).2;
    let mut pods = 4;
    for step in 0..=31 {
        let second = step * 10;
        (pods, _, memory) = scale(&asked(4, Some(quiet(second))), &memory, moment(second));
        if pods < 4 {
            break;
        }
    }
    assert!(pods < 4, "five minutes after the clock was set back");
}
