//! A file system of a size that a test chooses: it fills up, and becomes read-only, for real.
//!
//! It is a tmpfs in a mount namespace of its own, so that nothing else sees it, and goes with the process that holds it.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::geteuid;

/// Mounts it, says so, and stays until nobody writes to its input any more, which is when the test has ended.
const HOLD: &str =
    r#"mount -t tmpfs -o size="$2" tmpfs "$1" && chmod 777 "$1" && echo mounted && exec cat"#;

/// A file system that only processes that enter its namespace see under its path.
pub(crate) struct SmallDisk {
    holder: Child,
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of this size, as `tmpfs` takes it, over a folder, which is created.
    pub(crate) fn mount(folder: &Path, size: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["sh", "-c", HOLD, "hold"]).arg(folder).arg(size);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n", "no file system could be mounted in a namespace");
        Self { holder, folder: folder.to_owned() }
    }

    /// What to put before a command that is to see it.
    pub(crate) fn entrance(&self) -> Vec<OsString> {
        let holder = self.holder.id().to_string();
        let mut words = vec!["nsenter", "--target", &holder, "--mount"];
        if !geteuid().is_root() {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.into_iter().chain(["--"]).map(OsString::from).collect()
    }

    /// Where this process finds its folder.
    pub(crate) fn seen_from_here(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.folder.strip_prefix("/").unwrap())
    }

    /// Changes its options: `size=64m`, `ro`, `rw`.
    pub(crate) fn remount(&self, option: &str) {
        let entrance = self.entrance();
        let mut command = Command::new(&entrance[0]);
        command.args(&entrance[1..]).args(["mount", "-o", &format!("remount,{option}")]);
        let status = command.arg(&self.folder).status().unwrap();
        assert!(status.success(), "remount with {option}: {status}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill(); // it may have ended
        let _ = self.holder.wait();
    }
}
