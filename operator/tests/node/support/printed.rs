//! What consumers printed, read from the node's own files: the tests' own count of what was delivered.
//!
//! A file is opened as soon as it is there, so it can be read to its end when its pod and its name are gone.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

const POLL: Duration = Duration::from_millis(50);
/// How much is read at once.
const BLOCK: usize = 1 << 20;

/// The files of all containers, by device number and inode.
type Files = Arc<Mutex<BTreeMap<u64, Log>>>;

/// What a container printed.
struct Log {
    /// The folder's name, which begins with the pod's namespace and name.
    pod: String,
    file: File,
}

/// What containers of pods printed and print.
pub(crate) struct Printed(Files);

/// Records that consumers printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// All of them.
    pub(crate) lines: u64,
    /// Each counted once.
    pub(crate) distinct: u64,
}

impl Printed {
    /// Watches the folder of pods' logs until the process ends.
    pub(crate) fn watch(folder: PathBuf) -> Self {
        let files = Files::default();
        let kept = Arc::clone(&files);
        thread::spawn(move || {
            loop {
                look(&folder, &kept);
                thread::sleep(POLL);
            }
        });
        Self(files)
    }

    /// Whether a pipeline's consumers have printed anything.
    pub(crate) fn is_begun(&self, pipeline: &str) -> bool {
        self.count(pipeline).lines > 0
    }

    /// What a pipeline's consumers have printed so far.
    pub(crate) fn count(&self, pipeline: &str) -> Count {
        let prefix = format!("{}_{pipeline}-consumer-", super::NAMESPACE);
        let mut records: HashMap<Vec<u8>, u64> = HashMap::new();
        for log in self.0.lock().unwrap().values().filter(|log| log.pod.starts_with(&prefix)) {
            for line in read(&log.file).split(|byte| *byte == b'\n') {
                if let Some(record) = record(line) {
                    *records.entry(record.to_vec()).or_default() += 1;
                }
            }
        }
        Count { lines: records.values().sum(), distinct: records.len() as u64 }
    }
}

/// A line of a log is `TIME stdout F TEXT`; other streams have the program's own log.
fn record(line: &[u8]) -> Option<&[u8]> {
    let mut parts = line.splitn(4, |byte| *byte == b' ').skip(1);
    let is_whole_record = parts.next()? == b"stdout" && parts.next()? == b"F";
    parts.next().filter(|_| is_whole_record)
}

fn look(folder: &Path, files: &Files) {
    // What vanishes meanwhile was of a pod that printed nothing since the last look.
    for pod in entries(folder) {
        let name = pod.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for path in entries(&pod).iter().flat_map(|container| entries(container)) {
            let Ok(file) = File::open(&path) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            let log = Log { pod: name.clone(), file };
            files.lock().unwrap().entry(metadata.ino()).or_insert(log);
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|it| it.path())).collect()
}

fn read(file: &File) -> Vec<u8> {
    let (mut text, mut block) = (Vec::new(), vec![0; BLOCK]);
    loop {
        let length = file.read_at(&mut block, text.len() as u64).unwrap();
        if length == 0 {
            return text;
        }
        text.extend_from_slice(&block[..length]);
    }
}
