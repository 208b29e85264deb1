//! The files' newest contents, and the thread that looks at them once a second.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{secret::Settings, wanted::Wanted};
use crate::secrets::{self, SecretError};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What a pipeline asks for, and what was found last.
#[derive(Debug)]
pub(super) struct Vault {
    wanted: Wanted,
    root: PathBuf,
    revision: AtomicU64,
    found: Mutex<Found>,
    started: Once,
}

#[derive(Debug, Default)]
struct Found {
    settings: Option<Arc<Settings>>,
    /// Why the files could not be read since.
    problem: Option<SecretError>,
}

impl Vault {
    pub(super) fn new(wanted: Wanted, root: PathBuf) -> Self {
        let (revision, found) = (AtomicU64::new(0), Mutex::default());
        Self { wanted, root, revision, found, started: Once::new() }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Reads the files now, and has them looked at from now on.
    pub(super) fn open(self: &Arc<Self>) -> Result<(u64, Arc<Settings>), SecretError> {
        self.started.call_once(|| watch(Arc::downgrade(self)));
        self.look()
    }

    fn look(&self) -> Result<(u64, Arc<Settings>), SecretError> {
        // Held while reading: of two readers the later one must not be overwritten by the earlier.
        let mut found = self.lock();
        let settings = match secrets::read(&self.root, &self.wanted.files()) {
            Ok(contents) => self.wanted.settings(&contents),
            Err(problem) => return self.keep(&mut found, problem),
        };
        found.problem = None;
        match &found.settings {
            Some(known) if **known == settings => Ok((self.revision(), Arc::clone(known))),
            _ => {
                let settings = Arc::new(settings);
                found.settings = Some(Arc::clone(&settings));
                Ok((self.revision.fetch_add(1, Ordering::AcqRel) + 1, settings))
            }
        }
    }

    /// What was read before goes on to serve, if there is any: files may vanish for a moment while they are replaced
    /// by hand, and a broker that no longer knows them says so.
    fn keep(
        &self,
        found: &mut Found,
        problem: SecretError,
    ) -> Result<(u64, Arc<Settings>), SecretError> {
        let is_news = found.problem.as_ref() != Some(&problem);
        found.problem = Some(problem.clone());
        let known = found.settings.clone().ok_or(problem)?;
        if let Some(problem) = found.problem.as_ref().filter(|_| is_news) {
            tracing::warn!("{problem}; going on with what was read before");
        }
        Ok((self.revision(), known))
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until nobody is interested any more.
fn watch(vault: Weak<Vault>) {
    std::thread::Builder::new()
        .name("credentials".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(PERIOD);
                let Some(vault) = vault.upgrade() else { return };
                let _ = vault.look(); // it has said why
            }
        })
        .expect("the system can start a thread");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use batchpipe_api::spec::{
        kafka::{Sasl, SaslMechanism},
        secret::SecretKey,
    };

    use super::*;

    fn vault(root: PathBuf) -> Arc<Vault> {
        let password = SecretKey { secret: "me".into(), key: "password".into() };
        let sasl = Sasl { mechanism: SaslMechanism::Plain, username: "user".into(), password };
        Arc::new(Vault::new(Wanted::new(None, Some(&sasl)).unwrap(), root))
    }

    #[test]
    fn the_revision_rises_with_other_contents_only() {
        let root = tempfile::tempdir().unwrap();
        let vault = vault(root.path().to_owned());
        assert!(vault.look().is_err());
        assert_eq!(vault.revision(), 0);
        let path = root.path().join("me/password");
        fs::create_dir(root.path().join("me")).unwrap();
        for (password, revision) in [("one", 1), ("one", 1), ("two", 2), ("one", 3)] {
            fs::write(&path, password).unwrap();
            assert_eq!(vault.look().unwrap().0, revision, "{password}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(vault.look().unwrap().0, 3, "what was read before still serves");
    }

    #[test]
    fn a_change_is_noticed_without_being_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let vault = vault(root.path().to_owned());
        assert!(vault.open().is_err());
        fs::create_dir(root.path().join("me")).unwrap();
        fs::write(root.path().join("me/password"), "secret").unwrap();
        let begun = std::time::Instant::now();
        while vault.revision() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!format!("{vault:?}").contains("\"secret\""));
    }
}
