//! References to Secrets in the pipeline's own namespace. There is no field for a namespace: a pipeline cannot reach
//! into another one.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::patterns;

/// One key of a Secret in the same namespace. It is mounted as a file and never read by the operator.
#[derive(
    KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub secret: String,
    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_KEY))]
    pub key: String,
}

/// A certificate authority: one key of a Secret in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CaKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub secret: String,
    /// Key in the Secret that holds the PEM certificates; default ca.crt.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_KEY))]
    pub key: String,
}

/// A certificate with its private key in a Secret in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CertificateKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::OBJECT_NAME))]
    pub secret: String,
    /// Key in the Secret that holds the PEM certificate; default tls.crt.
    #[serde(default = "certificate_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_KEY))]
    pub certificate_key: String,
    /// Key in the Secret that holds the PEM private key; default tls.key.
    #[serde(default = "private_key_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_KEY))]
    pub private_key_key: String,
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}

fn certificate_key() -> String {
    "tls.crt".to_owned()
}

fn private_key_key() -> String {
    "tls.key".to_owned()
}
