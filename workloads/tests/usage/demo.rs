//! The demo: a broker inside of the process, and a verdict that its exit code repeats.

use serde_json::Value;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{PATIENCE, Program, batchpipe, run};

#[test]
fn whatever_is_made_arrives_once_and_the_verdict_says_so() {
    for (profile, codec) in [("telemetry", "zstd"), ("seed", "zlib"), ("logs", "none")] {
        let args = ["demo", "--records", "40000", "--profile", profile, "--codec", codec, "--json"];
        let ended = run(&mut batchpipe(&args));
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let verdict: Value = serde_json::from_str(&ended.stdout).unwrap();
        for (field, expected) in [
            ("recordsProduced", 40_000),
            ("recordsDelivered", 40_000),
            ("lost", 0),
            ("duplicated", 0),
        ] {
            assert_eq!(verdict[field], expected, "{profile} {codec}: {field} in {verdict}");
        }
        let (raw, wire) = (verdict["rawBytes"].as_u64().unwrap(), verdict["wireBytes"].as_u64());
        assert!(raw > 40_000 * 40 && wire.unwrap() > 0, "{verdict}");
    }
}

#[test]
fn a_demo_that_is_stopped_before_its_end_is_no_success() {
    let args = ["demo", "--records", "900000000"];
    let demo = Program::start(batchpipe(&args).env("BATCHPIPE_LOG", "info"));
    demo.says("partitions are assigned", PATIENCE);
    kill_process(Pid::from_child(&demo.child), Signal::INT).unwrap();
    let ended = demo.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    // It depends on the moment whether anything was made.
    let said = ended.stdout + &ended.stderr;
    assert!(said.contains("stopped"), "{said}");
}
