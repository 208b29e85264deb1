//! The folder of things that are built once: who is first builds, the others wait and reuse.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::{Result, error::Context};

/// Names what a finished folder was built from.
const STAMP: &str = "built-from";

/// The cache folder: `BATCHPIPE_CACHE`, else `~/.cache/batchpipe`.
fn root() -> PathBuf {
    match (env::var_os("BATCHPIPE_CACHE"), env::var_os("HOME")) {
        (Some(folder), _) => folder.into(),
        (None, Some(home)) => Path::new(&home).join(".cache/batchpipe"),
        (None, None) => env::temp_dir().join("batchpipe-cache"),
    }
}

/// The folder `name`, made by `build` unless it is there and was built from the same `stamp`.
///
/// `build` gets an empty folder aside, which takes the name only when it succeeded: a reader never sees half
/// a folder. A lock makes other processes wait instead of building it too.
pub(crate) fn once(
    name: &str,
    stamp: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    once_in(&root(), name, stamp, build)
}

fn once_in(
    root: &Path,
    name: &str,
    stamp: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let finished = root.join(name);
    if is_built(&finished, stamp) {
        return Ok(finished);
    }
    fs::create_dir_all(root).context("create", root)?;
    let _held = lock(&root.join(format!("{name}.lock")))?;
    if is_built(&finished, stamp) {
        return Ok(finished);
    }
    let aside = root.join(format!("{name}.partial"));
    remove(&aside)?;
    fs::create_dir_all(&aside).context("create", &aside)?;
    build(&aside)?;
    let stamped = aside.join(STAMP);
    fs::write(&stamped, stamp).context("write", &stamped)?;
    remove(&finished)?;
    fs::rename(&aside, &finished).context("rename to", &finished)?;
    Ok(finished)
}

fn is_built(folder: &Path, stamp: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp)
}

/// An exclusive lock, held until the file is closed, also by the end of the process.
fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).context("create", path)?;
    flock(&file, FlockOperation::LockExclusive).context("lock", path)?;
    Ok(file)
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() { fs::remove_dir_all(folder).context("remove", folder) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        thread,
    };

    use super::*;
    use crate::Error;

    fn write(folder: &Path, text: &str) -> Result<()> {
        fs::write(folder.join("content"), text).context("write", folder)
    }

    #[test]
    fn a_folder_is_built_once_however_many_ask_at_the_same_time() {
        let root = tempfile::tempdir().unwrap();
        let builds = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let folder = once_in(root.path(), "thing", "1", |aside| {
                        builds.fetch_add(1, Ordering::Relaxed);
                        write(aside, "whole")
                    });
                    assert_eq!(
                        fs::read_to_string(folder.unwrap().join("content")).unwrap(),
                        "whole"
                    );
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }

    #[test]
    fn a_new_recipe_replaces_what_the_old_one_built() {
        let root = tempfile::tempdir().unwrap();
        once_in(root.path(), "thing", "1", |aside| write(aside, "old")).unwrap();
        let folder = once_in(root.path(), "thing", "2", |aside| write(aside, "new")).unwrap();
        assert_eq!(fs::read_to_string(folder.join("content")).unwrap(), "new");
    }

    #[test]
    fn a_failed_build_leaves_no_folder_of_that_name() {
        let root = tempfile::tempdir().unwrap();
        let failed = once_in(root.path(), "thing", "1", |aside| {
            write(aside, "half")?;
            Err(Error::State { name: "thing", found: "broken", wanted: "whole" })
        });
        assert!(failed.is_err());
        assert!(!root.path().join("thing").exists());
    }
}
