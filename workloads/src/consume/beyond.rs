//! Whether a partition holds a message from an offset on. The ends of transactions take offsets too, and no committed
//! offset ever passes one that nothing follows.

use std::time::{Duration, Instant};

use rdkafka::{
    Offset, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use crate::kafka::{client::Cluster, topics::QuietContext};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one poll waits.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// The largest message that is expected, in bytes; a larger one counts as a message too.
const LARGEST: usize = 1024 * 1024;

/// True only when the brokers have said so: nothing but the end is there.
pub(super) fn holds_nothing(cluster: &Cluster, topic: &str, partition: i32, from: i64) -> bool {
    ask(cluster, topic, partition, from).unwrap_or_else(|problem| {
        tracing::debug!(
            partition,
            from,
            "cannot look behind what the group has committed: {problem}"
        );
        false
    })
}

fn ask(cluster: &Cluster, topic: &str, partition: i32, from: i64) -> Result<bool, String> {
    let access = cluster.access().map_err(|error| error.to_string())?;
    let mut settings = access.reader_config(LARGEST);
    settings.set("enable.partition.eof", "true");
    let client: BaseConsumer<QuietContext> =
        BaseConsumer::from_config_and_context(&settings, QuietContext::default())
            .map_err(|error| error.to_string())?;
    let mut list = TopicPartitionList::new();
    let assigned = list
        .add_partition_offset(topic, partition, Offset::Offset(from))
        .and_then(|()| client.assign(&list));
    assigned.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match client.poll(POLL_WAIT) {
            Some(Ok(_)) => return Ok(false),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(true),
            Some(Err(error)) => return Err(error.to_string()),
            None => {}
        }
    }
    Err("no answer in time".to_owned())
}
