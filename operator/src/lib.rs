//! The operator: makes what a `BatchPipeline` asks for, watches it, and says how it is.
//!
//! One reconciliation, a file each, data flowing one way:
//!
//! ```text
//! resolve   reads Strimzi's objects                        -> ResolvedKafka
//! validate  spec + ResolvedKafka -> what can be carried out -> Pipeline        (pure; pipeline.rs)
//! observe   Deployments and pods of the caches, pods' /status -> Observed
//! decide    spec + Observed -> how many pods of each side   -> Decision        (pure)
//! build     Pipeline + Replicas -> objects                  -> Resources       (pure)
//! apply     the only writer of children                     -> Applied
//! status    all of the above -> conditions, phase, numbers  -> BatchPipelineStatus (pure)
//! ```

pub mod admin;
pub mod apply;
pub mod args;
mod backoff;
pub mod build;
pub mod caches;
mod clean;
pub mod client;
pub mod conflict;
pub mod context;
pub mod controller;
pub mod decide;
pub mod error;
pub mod events;
mod fingerprint;
pub mod lease;
pub mod metrics;
pub mod observe;
pub mod pipeline;
pub mod readable;
pub mod resolve;
pub mod run;
pub mod settings;
pub mod status;
pub mod telemetry;
