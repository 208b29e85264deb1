//! The number of consumers: by hand, by a `HorizontalPodAutoscaler`, and by the pipeline's own lag.

use serde_json::json;

use crate::support::{Manifest, Pipeline, Pod, Side, bed, number, wait_for};

fn await_consumers(pipeline: &Pipeline, count: i64) {
    wait_for(&format!("{count} consumers"), || {
        let pods = pipeline.pods(Side::Consumer);
        let are_ready = pods.iter().all(Pod::is_ready);
        let is_said = number(&pipeline.get()["status"]["consumer"]["readyReplicas"]) == count;
        (i64::try_from(pods.len()) == Ok(count) && are_ready && is_said).then_some(())
    });
    pipeline.await_ready();
}

#[test]
fn consumers_are_scaled_up_and_down_under_load_by_kubectl() {
    let Some(bed) = bed() else { return };
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("scaled")) else { return };
    for count in [4, 1] {
        let replicas = format!("--replicas={count}");
        bed.kubectl(&["scale", "bp", "scaled", &replicas]);
        await_consumers(&pipeline, count);
        wait_for("every consumer to have partitions", || {
            let reports = pipeline.pods(Side::Consumer);
            let shares: Option<Vec<usize>> =
                reports.iter().map(|pod| pod.report().map(|it| it.lag.len())).collect();
            let shares = shares?;
            (shares.iter().all(|share| *share > 0) && shares.iter().sum::<usize>() == 4)
                .then_some(())
        });
        pipeline.await_more();
    }
    pipeline.finish();
}

/// Without a metrics server the autoscaler knows no load; that there are fewer pods than its minimum it knows.
#[test]
fn an_autoscaler_reads_and_writes_the_scale_of_the_pipeline() {
    let Some(bed) = bed() else { return };
    let Some(pipeline) = Pipeline::flowing(&Manifest::new("autoscaled")) else { return };
    bed.kubectl(&["autoscale", "bp/autoscaled", "--min=2", "--max=3", "--cpu=50%"]);
    await_consumers(&pipeline, 2);
    let autoscaler = wait_for("the autoscaler to know the pods", || {
        let found = bed.find("hpa/autoscaled")?;
        (found["status"]["currentReplicas"] == 2).then_some(found)
    });
    println!("{:#}", autoscaler["status"]);
    assert_eq!(pipeline.get()["spec"]["consumer"]["replicas"], 2);
    bed.kubectl(&["delete", "hpa", "autoscaled"]);
    pipeline.finish();
}

#[test]
fn a_backlog_brings_more_consumers_and_the_status_says_why() {
    let Some(bed) = bed() else { return };
    let manifest = Manifest::new("behind")
        // Many times what a fiftieth of a core can take, on any machine.
        .with("/producer/source/generator/recordsPerSecond", 5000)
        .with("/batch", json!({"maxRecords": 1}))
        .with("/consumer/replicas", 0)
        .with("/consumer/sink", json!({"blackhole": {}}))
        .with("/consumer/pod/resources/limits/cpu", "20m");
    let pipeline = Pipeline::apply(bed, &manifest);
    pipeline.await_ready();
    wait_for("a backlog", || {
        let ends = bed.stage.kafka().end_offsets("behind");
        ends.is_ok_and(|ends| ends.iter().sum::<i64>() > 40_000).then_some(())
    });
    pipeline.patch(&json!({"consumer": {"scaling": {"maxReplicas": 3, "targetLag": "5s"}}}));
    let scaling = wait_for("more consumers", || {
        let object = pipeline.get();
        let scaling = object["status"]["scaling"].clone();
        (scaling["desiredReplicas"].as_i64()? > 1).then_some(scaling)
    });
    println!("behind: {scaling}");
    assert!(scaling["reason"].as_str().unwrap().contains("over the target of 5 s"), "{scaling}");
    wait_for("the pods", || (pipeline.pods(Side::Consumer).len() > 1).then_some(()));
    let lag = wait_for("a lag", || pipeline.get()["status"]["data"]["lagRecords"].as_i64());
    assert!(lag > 1000, "{lag}");
    // The backlog is worked off with what the machine has.
    let resources = json!({"limits": {"cpu": "2"}});
    pipeline.patch(&json!({"consumer": {"pod": {"resources": resources}}}));
    pipeline.drain();
    let audit = pipeline.audit(bed.stage.kafka());
    println!("behind: {audit:?}");
}
