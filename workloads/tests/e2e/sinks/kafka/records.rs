//! Records with keys, and what is to become of them.

use std::{collections::BTreeMap, fs};

use batchpipe_testbed::Kafka;
use batchpipe_workloads::key::KeyHash;
use serde_json::json;

use crate::{
    faults::support::Scene,
    kit::topic::{Raw, read},
};

/// How many devices there are.
const DEVICES: usize = 97;

/// The numbered records; every 100th has no key.
pub(super) fn lines(total: usize) -> Vec<String> {
    let line = |number: usize| {
        let noise = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let device = number % DEVICES;
        if number % 100 == 99 {
            format!(r#"{{"seq":{number},"noise":"{noise:016x}" }}"#)
        } else {
            format!(r#"{{"seq":{number},"device":"d{device}\u00e9","noise":"{noise:016x}"}}"#)
        }
    };
    (0..total).map(line).collect()
}

/// The key of the record with this number, as the sink has to write it.
fn key(number: usize) -> Option<Vec<u8>> {
    (number % 100 != 99).then(|| format!("d{}\u{e9}", number % DEVICES).into_bytes())
}

/// A pipeline whose batches are in the topic already, with all records of a device in one partition; its sink is the
/// topic `NAME.records`, which is not made.
pub(super) fn scene(kafka: &Kafka, name: &str, lines: &[String]) -> (Scene, String) {
    let mut scene = Scene::new(kafka, name);
    let target = format!("{name}.records");
    fs::write(scene.input(), lines.join("\n") + "\n").unwrap();
    scene.spec["producer"]["key"] = "/device".into();
    scene.spec["consumer"]["sink"] = json!({"kafka": {"topic": target, "key": "/device"}});
    scene.produce_all().well();
    (scene, target)
}

/// What a topic of records holds.
pub(super) struct Held {
    /// How often each record is there.
    counts: Vec<u32>,
    /// The numbers by key, in the order of their partition.
    by_key: BTreeMap<Vec<u8>, Vec<usize>>,
}

impl Held {
    /// Reads a topic; fails for bytes, keys, headers and partitions that are not as they should be.
    pub(super) fn read(topic: &str, lines: &[String], partitions: u32, has_keys: bool) -> Self {
        let mut held = Self { counts: vec![0; lines.len()], by_key: BTreeMap::new() };
        for Raw { partition, key: found, value, headers, .. } in read(topic) {
            let value = String::from_utf8(value.unwrap()).unwrap();
            let digits = value.trim_start_matches(r#"{"seq":"#).split(',').next().unwrap();
            let number: usize = digits.parse().unwrap();
            assert_eq!(value, lines[number]);
            assert_eq!(found, key(number).filter(|_| has_keys), "{value}");
            assert_eq!(headers, []);
            held.counts[number] += 1;
            if let Some(key) = found {
                assert_eq!(partition, KeyHash::of(&key).partition(partitions).cast_signed());
                held.by_key.entry(key).or_default().push(number);
            }
        }
        held
    }

    pub(super) fn lost(&self) -> Vec<usize> {
        (0..self.counts.len()).filter(|number| self.counts[*number] == 0).collect()
    }

    pub(super) fn duplicates(&self) -> u32 {
        self.counts.iter().map(|count| count.saturating_sub(1)).sum()
    }

    /// Fails unless each record is there once, and those of a key in order.
    pub(super) fn check_exact(&self, test: &str) {
        let (lost, duplicates) = (self.lost().len(), self.duplicates());
        println!("{test}: {} records, {lost} lost, {duplicates} duplicated", self.counts.len());
        assert_eq!((lost, duplicates), (0, 0), "{test}");
        for (key, numbers) in &self.by_key {
            assert!(numbers.is_sorted(), "{test}: order of {}", String::from_utf8_lossy(key));
        }
    }
}
