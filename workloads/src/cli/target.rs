//! Which topic of which cluster: the arguments of the commands that read one without a group.

use std::path::PathBuf;

use batchpipe_api::units::ByteSize;

use super::shared::given;
use crate::{
    config::{self, ConfigError, ReadingSetup},
    decode::Limits,
};

/// The most records that a valid pipeline may put into a batch.
const MAX_BATCH_RECORDS: u32 = 10_000_000;

/// A topic and its cluster.
#[derive(clap::Args, Debug)]
pub(super) struct Target {
    /// Addresses of brokers: host:port, separated by commas
    #[arg(short, long, value_name = "HOST:PORT,...", env = "KAFKA_BROKER")]
    brokers: Option<String>,
    /// The topic of batches, or of dead letters
    #[arg(short, long, env = "KAFKA_TOPIC")]
    topic: Option<String>,
    /// File with a `BatchPipeline` (its first document), - for standard input; `BATCHPIPE_PIPELINE` may hold the text
    /// instead. It says where Kafka is, with TLS and SASL, and which topic, where nothing else does
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Largest batch that is read, after decompression; larger ones count as unreadable
    #[arg(long, value_name = "BYTES", default_value = "64Mi")]
    max_batch_bytes: ByteSize,
}

impl Target {
    /// How to reach the cluster, and which topic.
    pub(super) fn find(&self) -> Result<ReadingSetup, ConfigError> {
        let (brokers, topic) = (given(self.brokers.as_ref()), given(self.topic.as_ref()));
        config::reading(self.file.as_deref(), brokers, topic)
    }

    /// What a batch may be after decompression.
    pub(super) fn limits(&self) -> Limits {
        Limits { max_bytes: self.max_batch_bytes.as_usize(), max_records: MAX_BATCH_RECORDS }
    }
}
