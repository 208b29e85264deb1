//! Which topic of which cluster: the arguments of the commands that read one without a pipeline.

use batchpipe_api::units::ByteSize;

use crate::{
    config::{check_brokers, check_topic},
    decode::Limits,
    kafka::client::Cluster,
};

/// The most records that a valid pipeline may put into a batch.
const MAX_BATCH_RECORDS: u32 = 10_000_000;

/// A topic and its cluster.
#[derive(clap::Args, Debug)]
pub(super) struct Target {
    /// Addresses of brokers: host:port, separated by commas
    #[arg(short, long, value_name = "HOST:PORT,...", env = "KAFKA_BROKER", value_parser = check_brokers)]
    brokers: String,
    /// The topic of batches
    #[arg(short, long, env = "KAFKA_TOPIC", value_parser = check_topic)]
    pub(super) topic: String,
    /// Largest batch that is read, after decompression; larger ones count as unreadable
    #[arg(long, value_name = "BYTES", default_value = "64Mi")]
    max_batch_bytes: ByteSize,
}

impl Target {
    /// How to reach the cluster.
    pub(super) fn cluster(&self) -> Cluster {
        Cluster { bootstrap_servers: self.brokers.clone(), ..Cluster::default() }
    }

    /// What a batch may be after decompression.
    pub(super) fn limits(&self) -> Limits {
        Limits { max_bytes: self.max_batch_bytes.as_usize(), max_records: MAX_BATCH_RECORDS }
    }
}
