//! The records that everything is measured with: files of `batchpipe`'s own profiles, in the page cache.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use batchpipe_workloads::source::generator::{ProfileName, generate};

use crate::{
    bare::{self, Sealed},
    pipeline::Records,
};

/// How often the records are sent in a row where time counts and not only CPU: that of starting varies by a second.
pub(crate) const LAPS: u64 = 5;

/// Records of one profile.
pub(crate) struct Data {
    pub(crate) profile: ProfileName,
    pub(crate) records: u64,
    /// One record a line.
    pub(crate) file: PathBuf,
    /// Several times the same.
    laps: PathBuf,
    /// The file's content.
    pub(crate) text: Vec<u8>,
    /// The same, joined as batches.
    pub(crate) batches: Vec<Vec<u8>>,
    /// The same, compressed.
    pub(crate) sealed: Vec<Sealed>,
}

/// The lines of a text, joined as batches.
pub(crate) fn batches(text: &[u8], per_batch: usize) -> Vec<Vec<u8>> {
    let lines: Vec<_> = text[..text.len() - 1].split(|byte| *byte == b'\n').collect();
    lines.chunks(per_batch).map(|lines| lines.join(&b'\n')).collect()
}

impl Data {
    /// Makes the records and writes them down in a folder.
    pub(crate) fn new(
        folder: &Path,
        profile: ProfileName,
        records: u64,
        per_batch: usize,
    ) -> Result<Self> {
        let mut text = Vec::new();
        generate(profile, 1, records, &mut text);
        let file = folder.join(format!("{}.ndjson", profile.name()));
        let write = || File::create(&file)?.write_all(&text);
        write().with_context(|| format!("cannot write {}", file.display()))?;
        let batches = batches(&text, per_batch);
        let mut sealed = Vec::new();
        let keep = |value: &[u8], crc| sealed.push(Sealed { value: value.to_vec(), crc });
        bare::produce_text(&text, per_batch, keep)?;
        let laps = file.with_extension("laps.ndjson");
        let data = Self { profile, records, file, laps, text, batches, sealed };
        data.warm()?;
        Ok(data)
    }

    /// A file with all of them several times, made at the first call.
    pub(crate) fn again(&self) -> Result<Records<'_>> {
        if !self.laps.exists() {
            let write = || {
                let mut file = File::create(&self.laps)?;
                (0..LAPS).try_for_each(|_| file.write_all(&self.text))
            };
            write().with_context(|| format!("cannot write {}", self.laps.display()))?;
        }
        Ok(Records { file: &self.laps, count: self.records * LAPS })
    }

    /// A file of the first records only, made at the first call; the whole one when it has no more.
    pub(crate) fn head(&self, records: u64) -> Result<PathBuf> {
        if records >= self.records {
            return Ok(self.file.clone());
        }
        let file = self.file.with_extension(format!("{records}.ndjson"));
        if !file.exists() {
            let lines = usize::try_from(records).context("too many records")?;
            let end = memchr::memchr_iter(b'\n', &self.text).nth(lines - 1);
            let text = &self.text[..=end.context("too few records")?];
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(file)
    }

    /// Reads the file once, so that it is in the page cache.
    fn warm(&self) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        let mut file = File::open(&self.file).context("cannot open the records")?;
        while file.read(&mut buffer).context("cannot read the records")? > 0 {}
        Ok(())
    }
}
