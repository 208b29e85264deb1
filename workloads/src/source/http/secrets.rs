//! The token and the certificate of the HTTP source: files of Secrets, read at the start and once a second since.
//!
//! What was read before serves on while the files cannot be read or used. Contents go nowhere else: not into logs,
//! errors or reports.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use batchpipe_api::conditions::reasons;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use subtle::ConstantTimeEq;

use crate::{
    admin::Side,
    secrets::{self, SecretError, SecretFile},
};

/// What waits when the source waits for its Secrets.
const PART: &str = "secrets of the source";

/// Which files are needed, and where they are.
#[derive(Clone, Debug, Default)]
pub struct SecretOptions {
    /// The folder with a folder for each Secret.
    pub root: PathBuf,
    /// The token that clients must present.
    pub token: Option<SecretFile>,
    /// The certificate and its key.
    pub certificate: Option<(SecretFile, SecretFile)>,
}

/// Why a certificate cannot be used. No message tells of contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SecretsError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] SecretError),
    /// It is no certificate.
    #[error("{0} holds no certificate in PEM; correct the Secret")]
    Certificate(SecretFile),
    /// It is no key.
    #[error("{0} holds no private key in PEM, without a pass phrase; correct the Secret")]
    Key(SecretFile),
    /// They do not belong together.
    #[error("{0} is not the key of {1}; correct the Secret")]
    Pair(SecretFile, SecretFile),
}

/// Whether a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It may.
    Granted,
    /// It may not.
    Refused,
    /// Nobody can tell yet.
    Unknown,
}

/// What was read of the files.
pub(super) struct Secrets {
    options: SecretOptions,
    side: Arc<Side>,
    token: RwLock<Option<String>>,
    certificate: RwLock<Option<Arc<CertifiedKey>>>,
    /// What was said last about what is wrong.
    said: Mutex<Option<String>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secrets").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the files.
    pub(super) fn open(options: SecretOptions, side: Arc<Side>) -> Arc<Self> {
        let (token, certificate) = (RwLock::default(), RwLock::default());
        let secrets = Self { options, side, token, certificate, said: Mutex::default() };
        secrets.look();
        Arc::new(secrets)
    }

    /// Whether the source serves HTTPS.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.options.certificate.is_some()
    }

    /// Reads the files again, and says what is wrong with them when that is news.
    pub(super) fn look(&self) {
        let problems = [self.look_for_token(), self.look_for_certificate()];
        let problems: Vec<_> = problems.iter().filter_map(|it| it.as_ref().err()).collect();
        let words: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let words = Some(words.join("; ")).filter(|words| !words.is_empty());
        let missing = words.as_ref().filter(|_| self.is_incomplete());
        match missing {
            Some(words) => _ = self.side.stalled_at(PART, reasons::SECRET_MISSING, words),
            None => _ = self.side.clear_stalled_at(PART),
        }
        let mut said = lock(&self.said);
        if let Some(words) = words.as_ref().filter(|words| said.as_ref() != Some(*words)) {
            let consequence = if missing.is_some() {
                "nobody can send records until it is mended"
            } else {
                "going on with what was read before"
            };
            tracing::warn!("{words}; {consequence}");
        }
        *said = words;
    }

    /// Whether something was never read.
    fn is_incomplete(&self) -> bool {
        let lacks_token = self.options.token.is_some() && read(&self.token).is_none();
        lacks_token || self.is_encrypted() && read(&self.certificate).is_none()
    }

    fn look_for_token(&self) -> Result<(), SecretsError> {
        let Some(file) = &self.options.token else { return Ok(()) };
        let token = secrets::read(&self.options.root, std::slice::from_ref(file))?.remove(file);
        if *read(&self.token) != token {
            *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
            tracing::info!("the token that clients must present was read from {file}");
        }
        Ok(())
    }

    fn look_for_certificate(&self) -> Result<(), SecretsError> {
        let Some((certificate, key)) = &self.options.certificate else { return Ok(()) };
        let files = [certificate.clone(), key.clone()];
        let contents = secrets::read(&self.options.root, &files)?;
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(contents[certificate].as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| SecretsError::Certificate(certificate.clone()))?;
        let der = PrivateKeyDer::from_pem_slice(contents[key].as_bytes())
            .map_err(|_| SecretsError::Key(key.clone()))?;
        if read(&self.certificate).as_ref().is_some_and(|known| known.cert == chain) {
            return Ok(());
        }
        // Also checks that they belong together.
        let pair = CertifiedKey::from_der(chain, der, &ring::default_provider())
            .map_err(|_| SecretsError::Pair(key.clone(), certificate.clone()))?;
        *self.certificate.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(pair));
        tracing::info!("the certificate was read from {certificate}");
        Ok(())
    }

    /// Whether a client with this token, if any, may send.
    pub(super) fn access(&self, presented: Option<&[u8]>) -> Access {
        if self.options.token.is_none() {
            return Access::Granted;
        }
        let token = read(&self.token);
        match (token.as_ref(), presented) {
            (None, _) => Access::Unknown,
            (Some(token), Some(presented)) if bool::from(token.as_bytes().ct_eq(presented)) => {
                Access::Granted
            }
            _ => Access::Refused,
        }
    }
}

impl ResolvesServerCert for Secrets {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        read(&self.certificate).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(value: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    value.read().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use batchpipe_api::report::Role;

    use super::*;
    use crate::ledger::Ledger;

    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("mine")).unwrap();
            Self(root)
        }

        fn put(&self, key: &str, content: &str) {
            fs::write(self.0.path().join("mine").join(key), content).unwrap();
        }

        fn open(&self, has_token: bool, has_certificate: bool) -> (Arc<Secrets>, Arc<Side>) {
            let side = Side::new(Role::Producer, Arc::new(Ledger::new()));
            let file = |key: &str| SecretFile::new("mine", key);
            let options = SecretOptions {
                root: self.0.path().to_owned(),
                token: has_token.then(|| file("token")),
                certificate: has_certificate.then(|| (file("tls.crt"), file("tls.key"))),
            };
            (Secrets::open(options, Arc::clone(&side)), side)
        }
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn without_a_token_everybody_may_send() {
        let (secrets, side) = Files::new().open(false, false);
        assert_eq!(secrets.access(None), Access::Granted);
        assert_eq!(secrets.access(Some(b"x")), Access::Granted);
        assert!(side.waiting_for().is_empty());
    }

    #[test]
    fn a_token_is_compared_as_a_whole_and_taken_up_when_it_changes() {
        let files = Files::new();
        files.put("token", "right\n");
        let (secrets, _) = files.open(true, false);
        assert_eq!(secrets.access(Some(b"right")), Access::Granted);
        for wrong in [None, Some(&b""[..]), Some(b"righ"), Some(b"rights"), Some(b"wrong")] {
            assert_eq!(secrets.access(wrong), Access::Refused, "{wrong:?}");
        }
        files.put("token", "other");
        secrets.look();
        assert_eq!(secrets.access(Some(b"right")), Access::Refused);
        assert_eq!(secrets.access(Some(b"other")), Access::Granted);
        fs::remove_file(files.0.path().join("mine/token")).unwrap();
        secrets.look();
        assert_eq!(secrets.access(Some(b"other")), Access::Granted, "it serves on");
    }

    #[test]
    fn a_token_that_is_missing_is_waited_for_and_said() {
        let files = Files::new();
        let (secrets, side) = files.open(true, false);
        assert_eq!(secrets.access(Some(b"x")), Access::Unknown);
        assert_eq!(side.waiting_for()[0].reason, reasons::SECRET_MISSING);
        assert!(side.waiting_for()[0].what.contains("mine/token"));
        files.put("token", "x");
        secrets.look();
        assert_eq!(secrets.access(Some(b"x")), Access::Granted);
        assert!(side.waiting_for().is_empty());
    }

    #[test]
    fn a_certificate_is_taken_up_when_it_changes_and_kept_when_the_new_one_is_bad() {
        let files = Files::new();
        let (first, second) = (pair(), pair());
        let (secrets, side) = files.open(false, true);
        assert_eq!(side.waiting_for()[0].reason, reasons::SECRET_MISSING);
        let present =
            |secrets: &Secrets| read(&secrets.certificate).clone().map(|it| it.cert.clone());
        let put = |certificate: &str, key: &str| {
            files.put("tls.crt", certificate);
            files.put("tls.key", key);
            secrets.look();
        };
        put(&first.0, &second.1);
        assert_eq!(present(&secrets), None);
        assert!(
            side.waiting_for()[0].what.contains("is not the key of"),
            "{:?}",
            side.waiting_for()
        );
        put(&first.0, &first.1);
        let served = present(&secrets);
        assert!(served.is_some() && side.waiting_for().is_empty());
        put(&second.0, "nonsense");
        assert_eq!(present(&secrets), served);
        put("nonsense", &second.1);
        assert_eq!(present(&secrets), served);
        put(&second.0, &second.1);
        assert_ne!(present(&secrets), served);
    }

    #[test]
    fn nothing_that_is_secret_is_printed() {
        let files = Files::new();
        files.put("token", "hunter2");
        let (secrets, _) = files.open(true, false);
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
