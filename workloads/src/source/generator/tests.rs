//! What all profiles have in common, and the generator's pace on a clock of its own.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;

use super::*;

const RECORDS: u64 = 10_000;
const SECOND: Duration = Duration::from_secs(1);

fn text(profile: ProfileName, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    generate(profile, seed, RECORDS, &mut out);
    out
}

fn options(records_per_second: u64, limit: u64) -> GeneratorOptions {
    let profile = ProfileName::Ticks;
    GeneratorOptions { profile, seed: 1, limit, records_per_second, start_ms: 0, gate: None }
}

/// A clock that moves only when somebody sleeps.
#[derive(Clone, Default)]
struct Sleeper(Arc<Mutex<Duration>>);

impl Time for Sleeper {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, period: Duration) {
        *self.0.lock().unwrap() += period;
    }
}

#[test]
fn the_same_seed_gives_the_same_records() {
    for profile in ProfileName::ALL {
        assert!(text(profile, 7) == text(profile, 7), "{profile:?}");
        assert!(text(profile, 7) != text(profile, 8), "{profile:?}");
    }
}

#[test]
fn every_record_is_json_and_numbered_without_holes() {
    for profile in ProfileName::ALL {
        let text = String::from_utf8(text(profile, 1)).unwrap();
        let field = if profile == ProfileName::Seed { "id" } else { "seq" };
        let mut lines = 0;
        for (line, expected) in text.lines().zip(0_u64..) {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record[field], expected, "{line}");
            assert!(line.len() < text::MAX_RECORD_BYTES);
            // How many records the demo lets be on their way rests on this.
            assert!(line.len() < 400, "{profile:?}: {line}");
            lines += 1;
        }
        assert_eq!(lines, RECORDS);
    }
}

#[test]
fn records_have_the_sizes_that_the_documents_name() {
    for (profile, low, high) in [
        (ProfileName::Seed, 60, 66),
        (ProfileName::Telemetry, 229, 239),
        (ProfileName::Ticks, 105, 118),
        (ProfileName::Vitals, 170, 190),
        (ProfileName::Logs, 200, 300),
    ] {
        let mean = text(profile, 1).len() as u64 / RECORDS - 1;
        assert!((low..=high).contains(&mean), "{profile:?} has {mean} bytes");
    }
}

#[test]
fn a_seed_record_looks_like_the_origins() {
    let mut out = Vec::new();
    generate(ProfileName::Seed, 3, 124, &mut out);
    let text = String::from_utf8(out).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("{\"id\": 123, \"value\": 0."), "{last}");
    assert!(last.ends_with(", \"name\": \"name-123\"}"), "{last}");
}

#[test]
fn telemetry_comes_from_many_devices_and_drifts_slowly() {
    let text = String::from_utf8(text(ProfileName::Telemetry, 1)).unwrap();
    let mut last = HashMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let device = record.pointer("/device/id").unwrap().as_str().unwrap().to_owned();
        let now = record["temperature"].as_f64().unwrap();
        if let Some(before) = last.insert(device, now) {
            assert!((now - before).abs() < 0.2);
        }
    }
    assert!(last.len() > 100);
}

#[test]
fn log_lines_differ_in_size() {
    let text = String::from_utf8(text(ProfileName::Logs, 1)).unwrap();
    let sizes: BTreeSet<usize> = text.lines().map(str::len).collect();
    let (smallest, largest) = (*sizes.first().unwrap(), *sizes.last().unwrap());
    assert!(largest - smallest > 60, "{smallest} to {largest}");
}

#[test]
fn as_fast_as_possible_fills_blocks_until_the_limit() {
    let mut source = GeneratorSource::new(options(0, RECORDS));
    let (mut text, mut block, mut blocks) = (Vec::new(), Block::default(), 0);
    while let Read::Lines(position) = source.read(&mut block, Duration::ZERO).unwrap() {
        text.append(&mut block.text);
        blocks += 1;
        let lines = memchr::memchr_iter(b'\n', &text).count() as u64;
        assert_eq!(position, Position(lines));
    }
    assert_eq!(memchr::memchr_iter(b'\n', &text).count() as u64, RECORDS);
    assert_eq!(blocks, text.len().div_ceil(BLOCK_BYTES));
}

#[test]
fn a_rate_is_kept_in_small_steps() {
    let time = Sleeper::default();
    let mut source = GeneratorSource::with_time(options(5000, 10_000), Box::new(time.clone()));
    let mut block = Block::default();
    while let Read::Lines(_) = source.read(&mut block, SECOND).unwrap() {
        assert!(memchr::memchr_iter(b'\n', &block.text).count() <= 10);
        block.clear();
    }
    let expected = 2 * SECOND;
    assert!(time.now() <= expected && time.now() + Duration::from_millis(5) > expected);
}

#[test]
fn a_slow_generator_is_idle_between_records() {
    let time = Sleeper::default();
    let mut source = GeneratorSource::with_time(options(1, 0), Box::new(time));
    let mut block = Block::default();
    assert_eq!(source.read(&mut block, SECOND / 2).unwrap(), Read::Lines(Position(1)));
    block.clear();
    assert_eq!(source.read(&mut block, SECOND / 2).unwrap(), Read::Idle);
    assert_eq!(source.read(&mut block, SECOND).unwrap(), Read::Lines(Position(2)));
}

#[test]
fn a_closed_gate_holds_the_generator_back() {
    let open = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&open);
    let gate: Gate = Arc::new(move || seen.load(Ordering::Relaxed));
    let options = GeneratorOptions { gate: Some(gate), ..options(0, 1) };
    let mut source = GeneratorSource::with_time(options, Box::new(Sleeper::default()));
    let mut block = Block::default();
    assert_eq!(source.read(&mut block, SECOND).unwrap(), Read::Idle);
    open.store(true, Ordering::Relaxed);
    assert_eq!(source.read(&mut block, SECOND).unwrap(), Read::Lines(Position(1)));
    assert_eq!(source.read(&mut block, SECOND).unwrap(), Read::End);
}

#[test]
fn names_are_read_back() {
    for profile in ProfileName::ALL {
        assert_eq!(ProfileName::from_name(profile.name()), Some(profile));
    }
    assert_eq!(ProfileName::from_name("Telemetry"), None);
}

/// Not a test of speed, only a number to look at; run it in release mode with `--nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_records_per_second() {
    for profile in ProfileName::ALL {
        let mut source = GeneratorSource::new(GeneratorOptions { profile, ..options(0, 0) });
        let (mut block, mut bytes, started) = (Block::default(), 0, Instant::now());
        while started.elapsed() < SECOND {
            source.read(&mut block, Duration::ZERO).unwrap();
            bytes += block.text.len() as u64;
            block.clear();
        }
        let rate = u128::from(source.made) * 1000 / started.elapsed().as_millis();
        println!("{profile:?}: {rate} records/s, {} bytes each", bytes / source.made);
    }
}
