//! What users write below `spec`: one file for each block.
//!
//! Each field carries its bounds, its default and the rules about itself; rules about several blocks are in
//! [`crate::pipeline`]. Field documentation is text for users: it becomes `kubectl explain`.

pub mod batch;
pub mod compression;
pub mod consumer;
pub mod kafka;
pub mod options;
pub mod pod;
mod pod_schema;
pub mod producer;
pub mod secret;
pub mod sink;
pub mod source;
pub mod topic;

pub(crate) mod patterns;
mod rules;
