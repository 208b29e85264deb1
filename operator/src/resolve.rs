//! resolve: from `spec.kafka` to an address and credentials. The only reading of foreign objects (Strimzi's).

use batchpipe_api::spec::kafka::{Sasl, Tls};

/// Where Kafka is and how to be let in; what the pods are told.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedKafka {
    /// `host:port,...`
    pub bootstrap_servers: String,
    /// Encryption; absent: none.
    pub tls: Option<Tls>,
    /// Login; absent: none.
    pub sasl: Option<Sasl>,
    /// What tells one cluster from another when claims are compared: the Strimzi cluster's name, or the sorted
    /// set of bootstrap addresses.
    pub cluster: String,
}

/// Why Kafka is not known. It may become known without a change of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// A reason of [`batchpipe_api::conditions::reasons`].
    pub reason: &'static str,
    /// Which object, what was found in it, what to do.
    pub message: String,
}
