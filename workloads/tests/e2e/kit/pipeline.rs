//! Pipelines as users write them: YAML files in a folder of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What differs from one pipeline to the next; values are YAML.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    /// Name of the pipeline, its topic and its group.
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) batch: &'static str,
    pub(crate) compression: String,
    pub(crate) source: String,
    /// `producer.key`.
    pub(crate) key: Option<&'static str>,
    pub(crate) sink: String,
    pub(crate) limits: &'static str,
}

impl Pipeline {
    /// A pipeline from standard input to standard output through six partitions.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            partitions: 6,
            batch: "{maxRecords: 500, linger: 20ms}",
            compression: "{codec: zstd}".to_owned(),
            source: "{stdin: {}}".to_owned(),
            key: None,
            sink: "{stdout: {}}".to_owned(),
            limits: "{}",
        }
    }

    /// Takes the records that are in this file.
    pub(crate) fn from_file(mut self, path: &Path) -> Self {
        self.source =
            format!("{{file: {{path: {:?}, follow: false}}}}", path.display().to_string());
        self
    }

    /// Takes records from this file, and goes on waiting for more.
    pub(crate) fn following(mut self, path: &Path) -> Self {
        self.source = format!("{{file: {{path: {:?}, follow: true}}}}", path.display().to_string());
        self
    }

    /// Puts records into this folder, in large files.
    pub(crate) fn into_folder(mut self, path: &Path) -> Self {
        let path = path.display().to_string();
        self.sink = format!("{{file: {{path: {path:?}, roll: {{maxBytes: 16Mi, interval: 5s}}}}}}");
        self
    }

    /// Writes it into a folder; returns the file.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let Self { name, partitions, batch, compression, source, sink, limits, .. } = self;
        let key = self.key.map_or_else(String::new, |key| format!("    key: {key}\n"));
        let text = format!(
            "apiVersion: batchpipe.dev/v1alpha1\nkind: BatchPipeline\nmetadata: {{name: {name}}}\nspec:\n  \
             kafka: {{bootstrapServers: \"kafka:9093\"}}\n  topic: {{partitions: {partitions}}}\n  \
             batch: {batch}\n  compression: {compression}\n  producer:\n    source: {source}\n{key}  \
             consumer:\n    sink: {sink}\n    limits: {limits}\n"
        );
        let path = folder.join(format!("{name}.yaml"));
        fs::write(&path, text).unwrap();
        path
    }
}

/// The complete files of a file sink by partition, joined in the order of their offsets.
pub(crate) fn delivered(folder: &Path, topic: &str, partitions: u32) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension() == Some("ndjson".as_ref())).collect();
    files.sort();
    let of_partition = |partition| {
        let start = format!("{topic}-{partition}-");
        let is_ours =
            |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&start);
        files.iter().filter(is_ours).flat_map(|path| fs::read(path).unwrap()).collect()
    };
    (0..partitions).map(of_partition).collect()
}
