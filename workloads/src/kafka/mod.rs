//! Everything that talks to Kafka: settings, credentials, topics, and sending without loss.

pub mod access;
pub(crate) mod answers;
pub mod awaiting;
pub mod client;
pub mod credentials;
pub mod group_offsets;
pub mod log;
pub(crate) mod membership;
pub mod message;
pub mod outbox;
pub mod reader;
pub(crate) mod refusal;
pub mod renewal;
pub(crate) mod resume;
pub(crate) mod topic_id;
pub mod topics;
pub mod waiting;
