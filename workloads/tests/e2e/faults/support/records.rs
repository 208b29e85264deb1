//! Records that are known one by one: each has a number, and its bytes follow from it.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use batchpipe_workloads::source::{
    Block, Read, Source,
    generator::{GeneratorOptions, GeneratorSource, ProfileName},
};

/// Checksums of all records of an input, by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records(Vec<u32>);

/// The checksum of a record of which only the number is known.
const ANY: u32 = 0;

impl Records {
    /// Writes `total` records to a file, one a line.
    pub(crate) fn write(path: &Path, total: usize) -> Self {
        let mut records = Self::default();
        records.append(&mut BufWriter::new(File::create(path).unwrap()), total);
        records
    }

    /// Writes `more` records behind those that were written before.
    pub(crate) fn append(&mut self, file: &mut impl Write, more: usize) {
        for number in self.0.len()..self.0.len() + more {
            // Hard to compress, as real measurements are.
            let noise = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let line =
                format!(r#"{{"seq":{number},"noise":"{noise:016x}","text":"record {number}"}}"#);
            self.0.push(crc32c::crc32c(line.as_bytes()));
            writeln!(file, "{line}").unwrap();
        }
        file.flush().unwrap();
    }

    /// The records of the generator's profile `seed`, which are the same in every run.
    pub(crate) fn of_seed(total: usize) -> Self {
        let mut source = GeneratorSource::new(GeneratorOptions {
            profile: ProfileName::from_name("seed").unwrap(),
            seed: 0,
            limit: total as u64,
            records_per_second: 0,
            start_ms: 0,
            gate: None,
        });
        let mut records = Self::default();
        let mut block = Block::default();
        while let Read::Lines(_) = source.read(&mut block, Duration::from_secs(1)).unwrap() {
            let lines = block.text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            records.0.extend(lines.map(crc32c::crc32c));
            block.text.clear();
        }
        assert_eq!(records.0.len(), total);
        records
    }

    /// Records of which only the numbers are known.
    pub(crate) fn numbered(total: usize) -> Self {
        Self(vec![ANY; total])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether these are the bytes of this record.
    pub(super) fn has(&self, number: usize, line: &[u8]) -> bool {
        self.0.get(number).is_some_and(|sum| *sum == ANY || *sum == crc32c::crc32c(line))
    }
}
