//! How the sink identifies itself and whom it trusts: read from the files of Secrets, again when they may have changed.
//!
//! Contents go into requests and nowhere else: not into logs, errors or reports.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use batchpipe_api::spec::sink::{HttpFormat, HttpSink as Spec};
use http::HeaderValue;
use rustls::ClientConfig;

use super::{HttpError, target::Target, tls};
use crate::secrets::{self, SecretError, SecretFile};

/// How long what was read is used without another look.
const PERIOD: Duration = Duration::from_secs(1);

/// What is presented to the receiver.
enum Login {
    Nothing,
    /// The scheme, and the token's file.
    Token(&'static str, SecretFile),
    /// The user, and the password's file.
    Password(String, SecretFile),
}

/// Credentials and trust, as they are in files.
pub(super) struct Access {
    login: Login,
    ca: Option<SecretFile>,
    /// Used when no authority is named.
    trust: Arc<ClientConfig>,
    root: PathBuf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    presented: Option<Presented>,
    read_at: Option<Instant>,
    /// The authority's certificates that `presented` trusts.
    authority: Option<String>,
    /// Why the files could not be read since.
    problem: Option<SecretError>,
}

/// What a request needs.
#[derive(Clone)]
pub(super) struct Presented {
    pub(super) authorization: Option<HeaderValue>,
    pub(super) trust: Arc<ClientConfig>,
}

impl Access {
    /// What the spec asks for, with its Secrets in folders of `root`.
    pub(super) fn new(spec: &Spec, target: &Target, root: PathBuf) -> Result<Self, HttpError> {
        let scheme = if spec.format == HttpFormat::SplunkHec { "Splunk" } else { "Bearer" };
        let file = |secret: &str, key: &str| SecretFile::new(secret, key);
        let login = match (&spec.bearer_token, &spec.basic) {
            (Some(token), _) => Login::Token(scheme, file(&token.secret, &token.key)),
            (None, Some(basic)) => {
                let password = file(&basic.password.secret, &basic.password.key);
                Login::Password(basic.username.clone(), password)
            }
            (None, None) => Login::Nothing,
        };
        let ca = spec.tls.as_ref().map(|tls| file(&tls.ca.secret, &tls.ca.key));
        let trust = if target.is_encrypted() && ca.is_none() {
            tls::trusting_system().ok_or(HttpError::NoAuthorities)?
        } else {
            tls::trusting_nobody()
        };
        Ok(Self { login, ca, trust, root, known: Mutex::default() })
    }

    /// What the next request presents. Files are looked at once a second at most, and what was read before goes on to
    /// serve when they cannot be read: they may vanish for a moment while they are replaced by hand.
    pub(super) fn present(&self, now: Instant) -> Result<Presented, SecretError> {
        let mut known = self.lock();
        if let Some(presented) = &known.presented
            && known.read_at.is_some_and(|at| now.saturating_duration_since(at) < PERIOD)
        {
            return Ok(presented.clone());
        }
        known.read_at = Some(now);
        match self.read(&mut known) {
            Ok(presented) => {
                known.problem = None;
                known.presented = Some(presented.clone());
                Ok(presented)
            }
            Err(problem) => keep(&mut known, problem),
        }
    }

    /// The receiver refused what was presented: the next request looks at the files again.
    pub(super) fn doubt(&self) {
        self.lock().read_at = None;
    }

    fn read(&self, known: &mut Known) -> Result<Presented, SecretError> {
        let file = match &self.login {
            Login::Nothing => None,
            Login::Token(_, file) | Login::Password(_, file) => Some(file),
        };
        let files: Vec<_> = file.into_iter().chain(&self.ca).cloned().collect();
        let contents = secrets::read(&self.root, &files)?;
        let authorization = match &self.login {
            Login::Nothing => None,
            Login::Token(scheme, file) => {
                Some(header(format!("{scheme} {}", contents[file]), file)?)
            }
            Login::Password(user, file) => {
                let login = STANDARD.encode(format!("{user}:{}", contents[file]));
                Some(header(format!("Basic {login}"), file)?)
            }
        };
        let trust = match &self.ca {
            None => Arc::clone(&self.trust),
            Some(file) => authority(&contents[file], file, known)?,
        };
        Ok(Presented { authorization, trust })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Trust in these certificates; the same as before when they have not changed, so that connections are kept.
fn authority(
    pem: &str,
    file: &SecretFile,
    known: &mut Known,
) -> Result<Arc<ClientConfig>, SecretError> {
    if let Some(presented) = &known.presented
        && known.authority.as_deref() == Some(pem)
    {
        return Ok(Arc::clone(&presented.trust));
    }
    let trust =
        tls::trusting(pem).ok_or_else(|| SecretError::NoCertificate { file: file.clone() })?;
    known.authority = Some(pem.to_owned());
    Ok(trust)
}

/// Goes on with what was read before, if anything was, and says so once.
fn keep(known: &mut Known, problem: SecretError) -> Result<Presented, SecretError> {
    let Some(presented) = known.presented.clone() else { return Err(problem) };
    if known.problem.as_ref() != Some(&problem) {
        tracing::warn!("sink http: {problem}; going on with what was read before");
        known.problem = Some(problem);
    }
    Ok(presented)
}

fn header(text: String, file: &SecretFile) -> Result<HeaderValue, SecretError> {
    let value = HeaderValue::try_from(text);
    let mut value = value.map_err(|_| SecretError::NotText { file: file.clone() })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Access").finish_non_exhaustive()
    }
}
