//! Files of records for the points of curves, each made when it is first asked for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use batchpipe_workloads::source::generator::{ProfileName, generate};

/// What records look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Those of the profile seed, about 64 bytes.
    Seed,
    /// Arrays of so many records of the profile telemetry; with one, the records themselves.
    Telemetry { parts: u64 },
    /// Records of the profile telemetry with one of so many keys.
    Keyed { keys: u64 },
}

impl Content {
    pub(crate) const TELEMETRY: Self = Self::Telemetry { parts: 1 };
    /// Where the key is in a record.
    pub(crate) const KEY: &'static str = "/key";

    fn name(self) -> String {
        match self {
            Self::Seed => "seed".to_owned(),
            Self::Telemetry { parts } => format!("telemetry-{parts}"),
            Self::Keyed { keys } => format!("keyed-{keys}"),
        }
    }
}

/// A file, in the page cache because it was just written.
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    pub(crate) records: u64,
}

/// Where files are made, and how many records of common size each holds.
pub(crate) struct Files<'a> {
    folder: &'a Path,
    records: u64,
}

impl<'a> Files<'a> {
    pub(crate) const fn new(folder: &'a Path, records: u64) -> Self {
        Self { folder, records }
    }

    /// The file with such records.
    pub(crate) fn get(&self, content: Content) -> Result<Input> {
        let file = self.folder.join(format!("curve-{}.ndjson", content.name()));
        let records = match content {
            Content::Telemetry { parts } => self.records.div_ceil(parts),
            Content::Seed | Content::Keyed { .. } => self.records,
        };
        if !file.exists() {
            let text = text(content, records);
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(Input { file, records })
    }
}

fn text(content: Content, records: u64) -> Vec<u8> {
    let generated = |profile, records| {
        let mut text = Vec::new();
        generate(profile, 1, records, &mut text);
        text
    };
    match content {
        Content::Seed => generated(ProfileName::Seed, records),
        Content::Telemetry { parts: 1 } => generated(ProfileName::Telemetry, records),
        Content::Telemetry { parts } => {
            let text = generated(ProfileName::Telemetry, records * parts);
            let lines: Vec<_> = lines(&text).collect();
            let parts = usize::try_from(parts).unwrap_or(usize::MAX);
            let arrays =
                lines.chunks(parts).map(|part| [b"[", &*part.join(&b','), b"]\n"].concat());
            arrays.flatten().collect()
        }
        Content::Keyed { keys } => {
            let text = generated(ProfileName::Telemetry, records);
            let keyed = |(number, line)| keyed(scattered(number) % keys, line);
            (0..).zip(lines(&text)).flat_map(keyed).collect()
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n')
}

/// An object with a key before its other fields, and a line end.
fn keyed(key: u64, object: &[u8]) -> Vec<u8> {
    let fields = object.strip_prefix(b"{").unwrap_or(object);
    [format!("{{\"key\":{key},").as_bytes(), fields, b"\n"].concat()
}

/// Numbers in no order (the finaliser of `SplitMix64`), the same in each run.
const fn scattered(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn records(content: Content, count: u64) -> Vec<Value> {
        let text = text(content, count);
        lines(&text).map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn large_records_are_arrays_of_small_ones() {
        let found = records(Content::Telemetry { parts: 4 }, 3);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|record| record.as_array().unwrap().len() == 4));
    }

    #[test]
    fn there_are_as_many_keys_as_wanted() {
        let found = records(Content::Keyed { keys: 7 }, 200);
        let keys: BTreeSet<_> =
            found.iter().map(|it| it.pointer(Content::KEY).unwrap().as_u64()).collect();
        assert_eq!((found.len(), keys.len()), (200, 7));
    }
}
