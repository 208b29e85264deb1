//! The proof: which records arrived, by their own numbers and bytes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    sink::{Delivery, Durable, Sink, WriteError, Writer, tenure::Tenure},
    source::{
        Block, Read, Source,
        generator::{GeneratorOptions, GeneratorSource},
    },
};

/// What arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Records, each time that they arrived.
    pub(super) records: u64,
    /// Different numbers among them.
    pub(super) distinct: u64,
    /// Records without a number.
    pub(super) strangers: u64,
    /// The sum of the checksums of all records; the order does not matter.
    pub(super) checksum: u64,
    /// A bit for each number that was seen.
    seen: Vec<u64>,
}

impl Found {
    fn add(&mut self, record: &[u8]) {
        self.records += 1;
        self.checksum = self.checksum.wrapping_add(u64::from(crc32c::crc32c(record)));
        let Some(number) = number(record) else {
            self.strangers += 1;
            return;
        };
        let (word, bit) = (number / 64, 1_u64 << (number % 64));
        if self.seen.len() <= word {
            self.seen.resize((word + 1).next_power_of_two(), 0);
        }
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.distinct += 1;
        }
    }
}

/// The number of a record: what follows its first colon.
fn number(record: &[u8]) -> Option<usize> {
    let start = memchr::memchr(b':', record)? + 1;
    let digits = record[start..].trim_ascii_start();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// A sink that keeps nothing but the proof.
#[derive(Debug, Default)]
pub(super) struct VerifySink(Arc<Mutex<Found>>);

impl VerifySink {
    pub(super) fn found(&self) -> Found {
        lock(&self.0).clone()
    }
}

impl Sink for VerifySink {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn open(&self, _: &str, _: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        Ok(Box::new(VerifyWriter(Arc::clone(&self.0))))
    }
}

struct VerifyWriter(Arc<Mutex<Found>>);

impl Writer for VerifyWriter {
    fn write(&mut self, delivery: &Delivery<'_>, _: Instant) -> Result<Durable, WriteError> {
        let mut found = lock(&self.0);
        for run in delivery.runs {
            delivery.text[run.clone()]
                .split(|byte| *byte == b'\n')
                .for_each(|record| found.add(record));
        }
        Ok(Durable::All)
    }
}

fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) records: u64,
    pub(super) checksum: u64,
}

impl Expected {
    /// The first `records` records of a generator, made once more.
    pub(super) fn of(options: GeneratorOptions, records: u64) -> Self {
        let mut expected = Self { records, checksum: 0 };
        if records == 0 {
            return expected;
        }
        let mut source = GeneratorSource::new(GeneratorOptions { limit: records, ..options });
        let mut block = Block::default();
        while let Ok(Read::Lines(_) | Read::Idle) = source.read(&mut block, Duration::ZERO) {
            let text = block.text.strip_suffix(b"\n").unwrap_or(&block.text);
            for record in text.split(|byte| *byte == b'\n') {
                expected.checksum =
                    expected.checksum.wrapping_add(u64::from(crc32c::crc32c(record)));
            }
            block.clear();
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::generator::ProfileName;

    fn options(profile: ProfileName) -> GeneratorOptions {
        GeneratorOptions {
            profile,
            seed: 1,
            limit: 100,
            records_per_second: 0,
            start_ms: 0,
            gate: None,
        }
    }

    fn records(profile: ProfileName) -> Vec<Vec<u8>> {
        let mut block = Block::default();
        GeneratorSource::new(options(profile)).read(&mut block, Duration::ZERO).unwrap();
        block.text.trim_ascii_end().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn found(records: &[Vec<u8>]) -> Found {
        let mut found = Found::default();
        for record in records {
            found.add(record);
        }
        found
    }

    #[test]
    fn all_records_of_every_profile_are_found_in_any_order() {
        for profile in ProfileName::ALL {
            let mut records = records(profile);
            records.reverse();
            let (found, expected) = (found(&records), Expected::of(options(profile), 100));
            assert_eq!(
                (found.records, found.distinct, found.strangers),
                (100, 100, 0),
                "{profile:?}"
            );
            assert_eq!(found.checksum, expected.checksum);
        }
    }

    #[test]
    fn a_lost_a_doubled_and_an_altered_record_are_told() {
        let good = records(ProfileName::Telemetry);
        let expected = Expected::of(options(ProfileName::Telemetry), 100);
        assert_eq!(found(&good[1..]).distinct, 99);
        let doubled = [good.clone(), good[..1].to_vec()].concat();
        assert_eq!((found(&doubled).records, found(&doubled).distinct), (101, 100));
        let mut altered = good;
        *altered[5].last_mut().unwrap() = b' ';
        assert_ne!(found(&altered).checksum, expected.checksum);
        assert_eq!(found(&[b"nonsense".to_vec()]).strangers, 1);
    }
}
