//! What other producers write, good and bad, by the thousand: exactly the good records are delivered, everything
//! else is kept with its reason, and one process gets through all of it within its memory.

mod cases;
mod good;

use batchpipe_workloads::budget::{Budget, cgroup_limit};
use serde_json::Value;

use self::{
    cases::{Case, Letter},
    good::Good,
};
use crate::kit::{
    broker,
    command::{batchpipe, run},
    lines::assert_same_text,
    pipeline::{Pipeline, delivered},
    topic,
};

const PARTITIONS: u32 = 3;
/// What a process may need beside its budget, in KiB.
const ALLOWANCE_KIB: u64 = 32 * 1024;

/// What a topic holds after a partition's cases have been written, each at the offset of its index.
fn cases(partition: i32, bombs: &[Case]) -> Vec<Case> {
    let mut good = Good::new(partition);
    let mut cases = Vec::new();
    for (number, special) in cases::special(&mut good).into_iter().enumerate() {
        // Good traffic of all codecs between any two of them.
        cases.extend((0..12).map(|step| good.case(number * 12 + step)));
        cases.push(special);
    }
    for bomb in bombs {
        cases.extend((0..50).map(|step| good.case(step)));
        cases.push(bomb.clone());
        cases.extend((0..50).map(|step| good.case(step)));
    }
    cases
}

fn letters(partition: i32, cases: &[Case], topic: &str) -> Vec<(String, Letter)> {
    (0_i64..)
        .zip(cases)
        .flat_map(|(offset, case)| case.letters.iter().map(move |letter| (offset, letter)))
        .map(|(offset, letter)| {
            let mut origin = format!(
                "reason={};topic={topic};partition={partition};offset={offset}",
                letter.reason
            );
            if let Some(index) = letter.index {
                origin = format!("{origin};index={index}");
            }
            if let Some(size) = letter.truncated {
                origin = format!("{origin};truncated=1;size={size}");
            }
            (origin, letter.clone())
        })
        .collect()
}

/// Fails unless the dead-letter topic holds these letters, each with its bytes and headers.
fn assert_letters(topic: &str, mut expected: Vec<(String, Letter)>) {
    let found = topic::read(&format!("{topic}.dlq"));
    let mut found: Vec<_> = found
        .into_iter()
        .map(|message| (message.header("batchpipe-dlq").unwrap().to_owned(), message))
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    let origins = |list: Vec<&String>| list.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        origins(found.iter().map(|(origin, _)| origin).collect()),
        origins(expected.iter().map(|(origin, _)| origin).collect())
    );
    for ((origin, message), (_, letter)) in found.iter().zip(&expected) {
        let value = message.value.as_deref().unwrap();
        match letter.truncated {
            None => assert!(value == letter.value, "{origin}: the value was altered"),
            Some(_) => assert!(letter.value.starts_with(value) && !value.is_empty(), "{origin}"),
        }
        let original = &message.headers[..message.headers.len() - 1];
        assert!(original == letter.headers, "{origin}: the headers were altered");
    }
}

#[test]
fn whatever_others_write_exactly_the_good_records_arrive() {
    let topic = "foreign";
    broker().create_topic(topic, PARTITIONS, &[("max.message.bytes", "8000000")]).unwrap();
    let partitions: Vec<i32> = (0..PARTITIONS.cast_signed()).collect();
    let bombs = cases::bombs();
    let all: Vec<Vec<Case>> =
        partitions.iter().map(|partition| cases(*partition, &bombs)).collect();
    for (partition, cases) in partitions.iter().zip(&all) {
        let messages: Vec<_> = cases.iter().map(|case| case.message(*partition)).collect();
        topic::write(topic, &messages);
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut pipeline = Pipeline::new(topic).into_folder(&out);
    pipeline.partitions = PARTITIONS;
    let path = pipeline.write(folder.path());
    let ended =
        run(batchpipe(&["consume", "--json", "--until-caught-up", "-f", path.to_str().unwrap()]));

    for (found, cases) in delivered(&out, topic, PARTITIONS).iter().zip(&all) {
        let expected: Vec<u8> = cases.iter().flat_map(|case| case.delivered.clone()).collect();
        assert_same_text(found, &expected);
    }
    let expected: Vec<_> = partitions
        .iter()
        .zip(&all)
        .flat_map(|(partition, cases)| letters(*partition, cases, topic))
        .collect();
    assert_counts(&ended.report(), &all);
    assert_letters(topic, expected);
    let budget = Budget::limit_for(cgroup_limit()) as u64 / 1024;
    let peak = ended.peak_kib;
    assert!(peak <= budget + ALLOWANCE_KIB, "{peak} KiB used, the budget is {budget} KiB");
    // Everything was committed: the next run finds nothing to do.
    let again =
        run(batchpipe(&["consume", "--json", "--until-caught-up", "-f", path.to_str().unwrap()]));
    assert_eq!(again.report()["accepted"], 0);
}

fn assert_counts(report: &Value, all: &[Vec<Case>]) {
    let cases = || all.iter().flatten();
    let good: usize =
        cases().map(|case| case.delivered.split(|byte| *byte == b'\n').count() - 1).sum();
    let bad: u64 = cases().flat_map(|case| &case.letters).map(|letter| letter.records).sum();
    assert_eq!([&report["delivered"], &report["deadLettered"]], [good as u64, bad], "{report}");
    assert_eq!([&report["accepted"], &report["inFlight"]], [good as u64 + bad, 0], "{report}");
    assert_eq!(report["released"], 0, "{report}");
}
