//! Everything that talks to Kafka: settings, topics, and sending without loss.

pub mod awaiting;
pub mod client;
pub mod log;
pub mod message;
pub mod outbox;
pub mod reader;
pub mod topics;
