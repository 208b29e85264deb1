//! What tests against the broker have in common: the command as a child process, pipelines as files, topics
//! read and written without any code of ours, and lines that are counted.

pub(crate) mod command;
pub(crate) mod lines;
pub(crate) mod pipeline;
pub(crate) mod segments;
pub(crate) mod topic;

use batchpipe_testbed::{Kafka, shared_kafka};

/// The broker that all tests share.
pub(crate) fn broker() -> &'static Kafka {
    shared_kafka().unwrap()
}
