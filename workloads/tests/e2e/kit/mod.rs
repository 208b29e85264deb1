//! What tests against the broker have in common: the command as a child process, pipelines as files, topics
//! read and written without any code of ours, and lines that are counted.

pub(crate) mod command;
pub(crate) mod lines;
pub(crate) mod pipeline;
pub(crate) mod segments;
pub(crate) mod topic;

use std::sync::{Mutex, MutexGuard, PoisonError};

use batchpipe_testbed::{Kafka, shared_kafka};

/// The broker that all tests share.
pub(crate) fn broker() -> &'static Kafka {
    shared_kafka().unwrap()
}

/// The group of `examples/seed.yaml`, for one test at a time: the broker lets no member join that shares no
/// assignor with those that are there, and the origin's consumer and ours share none.
pub(crate) fn demo_group() -> MutexGuard<'static, ()> {
    static MEMBERS: Mutex<()> = Mutex::new(());
    MEMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}
