//! librdkafka's calls for many messages at once, which its Rust client does not offer: `rd_kafka_produce_batch` and
//! `rd_kafka_consume_batch_queue`.
//!
//! For measuring what a client in C could do. The only unsafe code of the workspace; nothing that is shipped has it.

mod consume;
mod produce;

pub use consume::Reader;
pub use produce::Sender;
