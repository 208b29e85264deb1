//! One fact each about draining.

use batchpipe_api::{
    pipeline::BatchPipeline,
    report::{Report, Role},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    decide::{Decision, Memory, decide},
    observe::{
        Observed, ObservedPod,
        testing::{
            consumer_pod, deployment, lag, moment, pod, report, reporting, said, settled, stall,
        },
    },
};

fn object(sides: &Value) -> BatchPipeline {
    let mut object = json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
        "metadata": {"name": "telemetry", "generation": 4},
        "spec": {"state": "Drained", "kafka": {"bootstrapServers": "kafka:9093"}},
    });
    let spec = object["spec"].as_object_mut().unwrap();
    spec.extend(sides.as_object().unwrap().clone());
    batchpipe_api::validate::check_value(object).unwrap()
}

fn both() -> BatchPipeline {
    object(&json!({
        "producer": {"source": {"generator": {}}}, "consumer": {"replicas": 2, "sink": {"stdout": {}}},
    }))
}

fn only_consumer() -> BatchPipeline {
    object(&json!({"consumer": {"sink": {"stdout": {}}}}))
}

/// The producer is gone; these are the consumer's pods, asked at that second.
fn consumers(pods: Vec<ObservedPod>, second: i64) -> Observed {
    let mut observed = Observed { consumer: settled(pods), ..Observed::default() };
    observed.producer.deployment = Some(deployment(0));
    for pod in &mut observed.consumer.pods {
        pod.asked_at = Some(moment(second));
    }
    observed
}

/// A process that has written the status which the object has.
fn spoken() -> Memory {
    Memory { has_spoken: true, ..Memory::default() }
}

fn at(second: i64, object: &BatchPipeline, observed: &Observed) -> Decision {
    decide(&DecideInput { object, observed, memory: &spoken(), now: moment(second) })
}

/// The same by a process that has just begun.
fn found(second: i64, object: &BatchPipeline, observed: &Observed) -> Decision {
    decide(&DecideInput { object, observed, memory: &Memory::default(), now: moment(second) })
}

/// Decides and writes the status as the operator would.
fn pass(second: i64, object: &mut BatchPipeline, observed: &Observed) -> Decision {
    let decision = at(second, object, observed);
    object.status = Some(BatchPipelineStatus {
        observed_generation: object.metadata.generation,
        phase: Some(if decision.is_drained() { Phase::Drained } else { Phase::Draining }),
        draining: decision.draining().cloned(),
        ..BatchPipelineStatus::default()
    });
    decision
}

#[test]
fn the_consumers_stay_while_a_producer_pod_exists_even_one_that_is_ending() {
    let mut observed = consumers(vec![consumer_pod("c", vec![lag(0, 5, 5)])], 100);
    observed.producer.pods = vec![ObservedPod { is_terminating: true, ..pod("p") }];
    let decision = at(100, &both(), &observed);
    assert_eq!((decision.replicas.producer, decision.replicas.consumer), (0, 2));
    assert_eq!(decision.draining(), Some(&DrainingStatus::default()));
    assert_eq!(decision.waits_for(), Some("producer pod p to end"));
}

#[test]
fn a_pod_that_an_earlier_deployment_left_behind_is_waited_for() {
    let mut observed = consumers(vec![consumer_pod("c", vec![lag(0, 5, 5)])], 100);
    observed.producer.deployment = None;
    observed.producer.strays = vec!["p-old".to_owned()];
    assert_eq!(at(100, &both(), &observed).draining().unwrap().since, None);
}

#[test]
fn a_deployment_that_has_not_heard_of_its_end_may_still_make_a_pod() {
    let mut observed = consumers(vec![consumer_pod("c", vec![lag(0, 5, 5)])], 100);
    observed.producer.deployment.as_mut().unwrap().is_current = false;
    assert_eq!(at(100, &both(), &observed).draining().unwrap().since, None);
}

#[test]
fn all_is_drained_when_every_partition_was_seen_at_its_end_after_the_last_producer() {
    let mut object = both();
    let worked_off =
        || vec![consumer_pod("a", vec![lag(0, 5, 5)]), consumer_pod("b", vec![lag(1, 7, 7)])];
    let early = pass(100, &mut object, &consumers(worked_off(), 99));
    assert_eq!(early.draining().cloned().unwrap().since, Some(Time(moment(100))));
    assert_eq!(early.waits_for(), Some("a consumer pod to report on partitions 0, 1"));
    assert_eq!(early.replicas.consumer, 2);
    let late = pass(110, &mut object, &consumers(worked_off(), 104));
    assert!(late.is_drained());
    assert_eq!(late.draining().unwrap().since, Some(Time(moment(100))));
}

#[test]
fn the_consumer_is_stopped_only_after_the_status_says_that_all_is_drained() {
    let mut object = both();
    let worked_off = || consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200);
    let seen = pass(100, &mut object, &worked_off());
    assert_eq!((seen.is_drained(), seen.replicas.consumer), (true, 2));
    let noted = pass(101, &mut object, &worked_off());
    assert_eq!((noted.is_drained(), noted.replicas.consumer), (true, 0));
    assert_eq!(noted.waits_for(), None);
}

#[test]
fn what_was_measured_long_before_the_report_does_not_count() {
    let mut object = both();
    let mut pod = consumer_pod("a", vec![lag(0, 5, 5)]);
    said(&mut pod).begun_at_ms += 30_000; // the brokers answered 30 s ago for the last time
    pass(100, &mut object, &consumers(vec![pod.clone()], 100));
    assert!(!pass(120, &mut object, &consumers(vec![pod], 120)).is_drained());
}

#[test]
fn delivered_is_not_enough_it_has_to_be_committed() {
    let mut object = both();
    let mut uncommitted = lag(0, 5, 5);
    for committed in [None, Some(4)] {
        uncommitted.committed = committed;
        let observed = consumers(vec![consumer_pod("a", vec![uncommitted])], 200);
        let decision = pass(100, &mut object, &observed);
        assert_eq!(decision.waits_for(), Some("the consumer to work off partition 0"));
    }
}

#[test]
fn a_partition_that_nobody_speaks_of_is_not_done() {
    let mut object = both();
    let mut pod = consumer_pod("a", vec![lag(0, 5, 5)]);
    said(&mut pod).partitions = Some(3);
    let decision = pass(100, &mut object, &consumers(vec![pod], 200));
    assert_eq!(decision.waits_for(), Some("a consumer pod to report on partitions 1, 2"));
}

#[test]
fn without_any_report_nothing_is_known() {
    let mut object = both();
    let decision = pass(100, &mut object, &consumers(vec![pod("a")], 200));
    assert!(!decision.is_drained());
    assert!(decision.waits_for().unwrap().contains("how many partitions"));
}

#[test]
fn a_partition_that_never_had_a_message_is_done() {
    let mut object = both();
    let empty = PartitionLag { position: None, committed: None, ..lag(0, 0, 0) };
    assert!(
        pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![empty])], 200)).is_drained()
    );
}

#[test]
fn a_partition_without_position_in_a_log_with_messages_is_not_done() {
    let mut object = both();
    let unread = PartitionLag { position: None, committed: None, ..lag(0, 0, 9) };
    assert!(
        !pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![unread])], 200))
            .is_drained()
    );
}

#[test]
fn at_least_one_consumer_drains_also_where_none_ran() {
    let object = object(&json!({
        "producer": {"source": {"generator": {}}}, "consumer": {"replicas": 0, "sink": {"stdout": {}}},
    }));
    assert_eq!(at(100, &object, &Observed::default()).replicas.consumer, 1);
}

#[test]
fn without_a_consumer_of_ours_the_last_producer_pod_is_the_end() {
    let object = object(&json!({"producer": {"source": {"generator": {}}}}));
    let producer = settled(vec![reporting("p", report(Role::Producer))]);
    let mut observed = Observed { producer, ..Observed::default() };
    assert!(!at(100, &object, &observed).is_drained());
    observed.producer = settled(Vec::new());
    assert!(at(100, &object, &observed).is_drained());
}

#[test]
fn without_a_producer_of_ours_the_ends_at_the_beginning_count() {
    let mut object = only_consumer();
    let first =
        pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 3, 5)])], 104));
    assert_eq!(first.draining().unwrap().ends["0"], 5);
    let second =
        pass(110, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 4, 8)])], 110));
    assert!(!second.is_drained());
    let third =
        pass(120, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 6, 12)])], 120));
    assert!(third.is_drained(), "others go on to write, but 5 was the end: {third:?}");
}

#[test]
fn others_may_go_on_to_write_to_the_topic_of_a_pipeline_with_both_sides() {
    let mut object = both();
    let first =
        pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 3, 5)])], 104));
    assert_eq!(first.draining().unwrap().ends["0"], 5);
    let second =
        pass(110, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 4, 8)])], 110));
    assert_eq!(second.waits_for(), Some("the consumer to work off partition 0"));
    let third =
        pass(120, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 5, 12)])], 120));
    assert!(third.is_drained(), "{third:?}");
}

#[test]
fn an_end_that_was_measured_before_the_last_producer_was_gone_is_none() {
    let mut object = both();
    let early =
        pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 3, 5)])], 102));
    assert!(early.draining().unwrap().ends.is_empty(), "{early:?}");
    let noted =
        pass(104, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 3, 5)])], 104));
    assert_eq!(noted.draining().unwrap().ends["0"], 5);
    // A producer was seen after that, whatever was written since.
    let memory = Memory { producer_seen_at: Some(moment(150)), ..spoken() };
    let observed = consumers(vec![consumer_pod("a", vec![lag(0, 5, 9)])], 151);
    let input =
        DecideInput { object: &object, observed: &observed, memory: &memory, now: moment(151) };
    let again = decide(&input);
    assert_eq!(
        again.draining().unwrap(),
        &DrainingStatus { since: Some(Time(moment(150))), ..DrainingStatus::default() }
    );
}

#[test]
fn a_topic_that_was_made_again_while_draining_is_drained_at_its_new_end() {
    let mut object = both();
    pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 3, 500)])], 104));
    let again = consumers(vec![consumer_pod("a", vec![lag(0, 7, 7)])], 110);
    assert!(pass(110, &mut object, &again).is_drained());
}

/// A consumer that has waited so many seconds for this.
fn stalled(reason: &str, what: &str, seconds: i64) -> ObservedPod {
    let stalled = vec![stall(reason, what, seconds)];
    reporting("a", Report { stalled, ..report(Role::Consumer) })
}

#[test]
fn a_topic_that_does_not_exist_has_nothing_left() {
    let missing = "topic telemetry does not exist yet; the producer creates it when it starts";
    let with = |pods: Vec<ObservedPod>| {
        let mut object = both();
        pass(100, &mut object, &consumers(pods.clone(), 100));
        pass(110, &mut object, &consumers(pods, 110)).is_drained()
    };
    assert!(with(vec![stalled("TopicMissing", missing, 30)]));
    assert!(!with(vec![stalled("TopicMissing", missing, 29)]), "brokers may have just begun");
    let unusable = "topic telemetry cannot be used: LeaderNotAvailable";
    assert!(!with(vec![stalled("TopicMissing", unusable, 99)]), "it is there");
    assert!(!with(vec![stalled("TopicMissing", "topic other does not exist", 99)]));
    assert!(!with(vec![stalled("TopicMissing", missing, 99), pod("b")]), "who knows what b sees");
    assert!(!with(Vec::new()));
}

#[test]
fn a_topic_that_was_missing_while_a_producer_was_there_may_exist_by_now() {
    let missing = "topic telemetry does not exist yet; the producer creates it when it starts";
    let observed = consumers(vec![stalled("TopicMissing", missing, 99)], 102);
    assert!(!pass(100, &mut both(), &observed).is_drained());
}

#[test]
fn what_is_drained_stays_drained_without_any_pod() {
    let mut object = both();
    let done = pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200));
    let later = pass(300, &mut object, &consumers(Vec::new(), 300));
    assert_eq!((later.is_drained(), later.draining()), (true, done.draining()));
    object.metadata.generation = Some(5);
    assert!(
        pass(400, &mut object, &consumers(Vec::new(), 400)).is_drained(),
        "another field was changed"
    );
}

#[test]
fn a_new_leader_believes_that_all_is_drained_where_the_consumers_were_stopped() {
    let mut object = both();
    let worked_off = consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200);
    let ended = pass(100, &mut object, &worked_off);
    let later = found(300, &object, &consumers(Vec::new(), 300));
    assert_eq!((later.replicas.consumer, later.draining()), (0, ended.draining()));
    assert_eq!(later.waits_for(), None);
}

#[test]
fn a_new_leader_asks_the_consumers_as_long_as_they_run_whatever_the_status_says() {
    let mut object = both();
    pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200));
    let behind = consumers(vec![consumer_pod("a", vec![lag(0, 50, 100)])], 310);
    let forged = found(300, &object, &behind);
    assert_eq!((forged.is_drained(), forged.replicas.consumer), (false, 2));
    assert_eq!(forged.draining().unwrap().ends["0"], 100);
    // Who came after a crash right after that was written finds it out again.
    let at_its_end = consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 310);
    assert!(found(300, &object, &at_its_end).is_drained());
    // There is nobody who could say.
    let mut nothing = consumers(Vec::new(), 300);
    nothing.consumer.deployment = None;
    assert!(!found(300, &object, &nothing).is_drained());
}

#[test]
fn a_new_leader_measures_the_ends_itself() {
    let mut object = both();
    pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 3, 5)])], 104));
    assert_eq!(object.status.as_ref().unwrap().draining.as_ref().unwrap().ends["0"], 5);
    let observed = consumers(vec![consumer_pod("a", vec![lag(0, 6, 9)])], 110);
    assert!(at(110, &object, &observed).is_drained());
    let decision = found(110, &object, &observed);
    assert_eq!(decision.draining().unwrap().since, Some(Time(moment(110))));
    assert!(!decision.is_drained());
}

#[test]
fn what_ran_again_unnoticed_is_drained_again() {
    let mut object = both();
    pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200));
    object.metadata.generation = Some(6);
    let running = consumers(vec![consumer_pod("a", vec![lag(0, 5, 9)])], 300);
    assert!(!at(300, &object, &running).is_drained());
}

#[test]
fn running_again_forgets_the_draining() {
    let mut object = both();
    pass(100, &mut object, &consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200));
    object.spec.state = batchpipe_api::pipeline::DesiredState::Running;
    let decision = pass(300, &mut object, &consumers(Vec::new(), 300));
    assert_eq!((decision.draining(), decision.is_drained()), (None, false));
    assert_eq!((decision.replicas.producer, decision.replicas.consumer), (1, 2));
}

#[test]
fn a_producer_that_we_saw_after_what_was_written_counts() {
    let mut object = both();
    pass(100, &mut object, &consumers(Vec::new(), 100));
    let memory = Memory { producer_seen_at: Some(moment(150)), ..spoken() };
    let observed = consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 152);
    let input =
        DecideInput { object: &object, observed: &observed, memory: &memory, now: moment(152) };
    assert!(!decide(&input).is_drained());
}

#[test]
fn a_beginning_that_lies_ahead_is_now_and_is_noted_so() {
    let mut object = both();
    let worked_off = |second| consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], second);
    pass(3700, &mut object, &worked_off(3699));
    // The next leader's clock is an hour behind.
    let second = pass(100, &mut object, &worked_off(99));
    assert_eq!(second.draining().unwrap().since, Some(Time(moment(100))));
    let third = pass(110, &mut object, &worked_off(105));
    assert_eq!(third.draining().unwrap().since, Some(Time(moment(100))));
    assert!(third.is_drained());
}

#[test]
fn a_clock_that_was_set_back_does_not_put_the_end_off() {
    let mut object = both();
    let observed = |second| consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], second);
    let mut memory = Memory { producer_seen_at: Some(moment(3700)), ..spoken() };
    let mut drained = Vec::new();
    for second in [100, 110] {
        let observed = observed(second - 2);
        let now = moment(second);
        let decision =
            decide(&DecideInput { object: &object, observed: &observed, memory: &memory, now });
        object.status = Some(BatchPipelineStatus {
            observed_generation: object.metadata.generation,
            draining: decision.draining().cloned(),
            ..BatchPipelineStatus::default()
        });
        drained.push(decision.is_drained());
        memory = decision.memory;
    }
    assert_eq!(drained, [false, true]);
}

#[test]
fn a_producer_that_cannot_be_seen_may_still_run() {
    let mut observed = consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 200);
    observed.producer.deployment = None;
    assert!(at(100, &both(), &observed).is_drained(), "there is none");
    observed.producer.is_hidden = true;
    assert!(!at(100, &both(), &observed).is_drained());
}

#[test]
fn a_pod_that_only_the_deployment_still_counts_is_waited_for() {
    let mut observed = consumers(vec![consumer_pod("a", vec![lag(0, 5, 5)])], 100);
    observed.producer.deployment.as_mut().unwrap().terminating_replicas = 1;
    let decision = at(200, &both(), &observed);
    assert_eq!(decision.waits_for(), Some("the producer's Deployment to stop its pods"));
}
