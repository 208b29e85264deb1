//! The origin's own programs understand each other over the testbed's broker, so they may judge ours.

use std::{path::Path, process::Command};

use batchpipe_testbed::{kafka, python};

#[test]
fn the_origins_consumer_prints_what_its_producer_wrote() {
    let kafka = kafka().unwrap();
    kafka.create_topic("demo-topic", 3, &[]).unwrap();
    let python = python().unwrap();
    let run = |script: &str, args: &[&str]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads/tests/interop");
        let mut command = Command::new(&python);
        command.arg(folder.join(script)).args(args).env("KAFKA_BROKER", kafka.bootstrap_servers());
        command.output().unwrap()
    };
    let produced = run("origin_producer.py", &["--records", "250"]);
    assert!(produced.status.success(), "{produced:?}");
    assert_eq!(kafka.end_offsets("demo-topic").unwrap().iter().sum::<i64>(), 3);
    let consumed = run("origin_consumer.py", &["--records", "250"]);
    assert!(consumed.status.success(), "{consumed:?}");
    let printed = String::from_utf8(consumed.stdout).unwrap();
    let mut names: Vec<_> = printed
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].to_string())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 250);
    let idle = run("origin_consumer.py", &["--records", "1", "--idle", "1"]);
    assert_eq!(idle.status.code(), Some(1));
}
