//! Everything that talks to Kafka: settings, credentials, topics, and sending without loss.

pub mod access;
pub mod awaiting;
pub mod client;
pub mod credentials;
pub mod group_offsets;
pub mod log;
pub mod message;
pub mod outbox;
pub mod reader;
pub mod renewal;
pub mod topics;
pub mod waiting;
