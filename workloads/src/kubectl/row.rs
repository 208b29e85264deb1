//! A pipeline as the API server has it, as far as it is shown: its name and its status. A spec that this version cannot read
//! hides nothing.

use batchpipe_api::status::BatchPipelineStatus;
use serde::Deserialize;

/// What `kubectl get` prints of several objects.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
}

/// A pipeline.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    /// Which one.
    #[serde(rename = "metadata")]
    pub key: Key,
    /// What the operator says of it.
    pub status: BatchPipelineStatus,
}

/// Which pipeline.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(default)]
pub struct Key {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}
