//! The demo: a broker inside of the process, and a verdict that its exit code repeats.

use serde_json::Value;

use crate::program::{batchpipe, run};

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
