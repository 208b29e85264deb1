//! Secrets as files, replaced as Kubernetes replaces them: all keys at once, by one link.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

/// A folder of Secrets.
pub(crate) struct Secrets {
    root: TempDir,
    versions: AtomicU32,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), versions: AtomicU32::new(0) }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.root.path().to_owned()
    }

    /// Makes a Secret of these keys, or replaces it.
    pub(crate) fn put(&self, name: &str, keys: &[(&str, &str)]) {
        let version = format!("..version-{}", self.versions.fetch_add(1, Ordering::Relaxed));
        let folder = self.root.path().join(name);
        fs::create_dir_all(folder.join(&version)).unwrap();
        for (key, content) in keys {
            fs::write(folder.join(&version).join(key), content).unwrap();
            let _ = symlink(Path::new("..data").join(key), folder.join(key)); // there since the first time
        }
        let aside = folder.join("..data_tmp");
        symlink(version, &aside).unwrap();
        let before = fs::read_link(folder.join("..data"));
        fs::rename(aside, folder.join("..data")).unwrap();
        if let Ok(before) = before {
            fs::remove_dir_all(folder.join(before)).unwrap();
        }
    }

    /// The same, from files.
    pub(crate) fn put_files(&self, name: &str, keys: &[(&str, &Path)]) {
        let contents: Vec<_> =
            keys.iter().map(|(key, path)| (*key, fs::read_to_string(path).unwrap())).collect();
        let keys: Vec<_> = contents.iter().map(|(key, text)| (*key, text.as_str())).collect();
        self.put(name, &keys);
    }
}
