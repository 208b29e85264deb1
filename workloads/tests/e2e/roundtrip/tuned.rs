//! What `batchpipe tune` recommends, run against a real broker: the topic is as small as it says.

use std::fs;

use batchpipe_workloads::source::generator::{ProfileName, generate};
use serde_json::Value;

use crate::kit::{
    command::{batchpipe, run},
    pipeline::Pipeline,
    segments::log_bytes,
};

const RECORDS: u32 = 40_000;

#[test]
fn the_topic_has_the_bytes_that_tune_promises() {
    let mut records = Vec::new();
    generate(ProfileName::Logs, 7, RECORDS.into(), &mut records);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs.ndjson");
    fs::write(&file, records).unwrap();
    // At such a rate the recommended linger is so long that no batch of this run is closed by it.
    let options = ["--json", "--rounds", "1", "--rate", "50", "--max-linger", "1m"];
    let codecs = ["--codec", "zstd", "--codec", "lz4", "--codec", "none"];
    let file_name = [file.to_str().unwrap()];
    let args = [&["tune"], &file_name[..], &options, &codecs].concat();
    let tuned: Value = serde_json::from_slice(&run(batchpipe(&args)).stdout).unwrap();
    let recommendation = &tuned["recommendation"];

    let mut pipeline = Pipeline::new("tuned").of_file(&file);
    pipeline.batch = recommendation["spec"]["batch"].to_string().leak();
    pipeline.compression = recommendation["spec"]["compression"].to_string();
    let path = pipeline.write(folder.path());
    let report = run(batchpipe(&["produce", "--json", "-f", path.to_str().unwrap()])).report();
    assert_eq!(report["delivered"], RECORDS, "{report}");

    let figure = |value: &Value| value.as_f64().unwrap();
    let ratio = figure(&report["rawBytes"]) / figure(&report["wireBytes"]);
    let promised = figure(&recommendation["valueRatio"]);
    assert!((0.99..1.01).contains(&(ratio / promised)), "{ratio} is not {promised}");
    // Kafka's client may put messages together, which saves a little; sequence numbers begin anew in each partition.
    let bytes = f64::from(u32::try_from(log_bytes("tuned")).unwrap()) / f64::from(RECORDS);
    let promised = figure(&recommendation["bytesPerRecord"]);
    assert!((0.95..1.001).contains(&(bytes / promised)), "{bytes} is not {promised}");
}
