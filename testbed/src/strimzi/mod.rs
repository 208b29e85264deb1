//! Strimzi, which runs Kafka on Kubernetes: its kinds alone, as it publishes them, or its operators, compiled from its
//! sources.

mod crds;
mod install;
mod java;
mod manifests;
mod sources;

pub use crds::strimzi_crds;
pub use sources::Strimzi;
