//! Everything that talks to Kafka: settings, credentials, topics, and sending without loss.

pub mod access;
pub(crate) mod answers;
pub mod awaiting;
pub(crate) mod bounded;
pub mod client;
pub(crate) mod commits;
pub mod credentials;
pub(crate) mod damage;
pub(crate) mod fetching;
pub mod gap;
pub mod group_offsets;
pub(crate) mod jump;
pub(crate) mod leap;
pub(crate) mod leaving;
pub mod log;
pub(crate) mod membership;
pub mod message;
pub mod outbox;
pub(crate) mod probe;
pub mod reader;
pub(crate) mod refusal;
pub mod renewal;
pub(crate) mod resume;
#[cfg(test)]
pub(crate) mod stand_in;
pub(crate) mod standing;
pub(crate) mod stranded;
pub(crate) mod suspicion;
pub(crate) mod topic_id;
pub mod topics;
pub mod waiting;
