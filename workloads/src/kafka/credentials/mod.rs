//! Credentials: from what a pipeline asks for and the files of its Secrets to librdkafka's settings.
//!
//! Contents are read when a client is made, and once a second by a thread of their own, which notices that they
//! changed. They go to librdkafka and nowhere else: not into logs, errors or reports.

mod secret;
mod wanted;
mod watch;

use std::{path::PathBuf, sync::Arc};

use batchpipe_api::spec::kafka::{Sasl, Tls};
use rdkafka::ClientConfig;

use self::{wanted::Wanted, watch::Vault};
use crate::secrets::SecretError;

/// How a client of the cluster identifies itself, and how it knows the brokers. The default is neither.
#[derive(Clone, Debug, Default)]
pub struct Credentials(Option<Arc<Vault>>);

/// What was read of the files at one moment, as librdkafka's settings.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Rises whenever other contents were found.
    pub(super) revision: u64,
    settings: Option<Arc<secret::Settings>>,
}

impl Credentials {
    /// What the pipeline asks for, with its Secrets in folders of `root`.
    pub fn new(tls: Option<&Tls>, sasl: Option<&Sasl>, root: PathBuf) -> Self {
        let wanted = Wanted::new(tls, sasl);
        Self(wanted.map(|wanted| Arc::new(Vault::new(wanted, root))))
    }

    /// Reads the files now.
    pub fn open(&self) -> Result<Opened, SecretError> {
        let Some(vault) = &self.0 else { return Ok(Opened::default()) };
        let (revision, settings) = vault.open()?;
        Ok(Opened { revision, settings: Some(settings) })
    }

    /// The newest contents that were found; costs nothing.
    pub(super) fn revision(&self) -> u64 {
        self.0.as_ref().map_or(0, |vault| vault.revision())
    }
}

impl Opened {
    /// Puts the credentials into a client's settings.
    pub fn apply(&self, config: &mut ClientConfig) {
        for (key, value) in self.settings.iter().flat_map(|settings| settings.iter()) {
            config.set(key, value);
        }
    }
}
