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

pub mod apply;
pub mod build;
pub mod conflict;
pub mod decide;
pub mod observe;
pub mod pipeline;
pub mod resolve;
pub mod settings;
pub mod status;
