//! Which partitions hold no message from an offset on. The ends of transactions take offsets too, and no committed offset
//! ever passes one that nothing follows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError,
};

use crate::kafka::{bounded::Bounded, client::Cluster, probe::is_final};

/// How long the answers may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one poll waits.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// The largest message that is expected, in bytes; a larger one counts as a message too.
const LARGEST: usize = 1024 * 1024;

/// Those of which the brokers have said that nothing but the end follows; what they have said by then, if it is over before.
pub(super) fn without_messages(
    cluster: &Cluster,
    topic: &str,
    from: &BTreeMap<i32, i64>,
    is_over: impl Fn() -> bool,
) -> BTreeSet<i32> {
    let mut empty = BTreeSet::new();
    if !from.is_empty()
        && let Err(problem) = ask(cluster, topic, from, is_over, &mut empty)
    {
        tracing::debug!("cannot look behind what the group has committed: {problem}");
    }
    empty
}

fn ask(
    cluster: &Cluster,
    topic: &str,
    from: &BTreeMap<i32, i64>,
    is_over: impl Fn() -> bool,
    empty: &mut BTreeSet<i32>,
) -> Result<(), String> {
    let access = cluster.access().map_err(|error| error.to_string())?;
    let mut settings = access.reader_config(LARGEST);
    settings.set("enable.partition.eof", "true");
    let words = |error: KafkaError| error.to_string();
    let client = Bounded::create(&settings).map_err(words)?;
    let mut list = TopicPartitionList::new();
    for (partition, offset) in from {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).map_err(words)?;
    }
    client.assign(&list).map_err(words)?;
    let (begun, mut open) = (Instant::now(), from.clone());
    while !open.is_empty() && begun.elapsed() < PATIENCE && !is_over() {
        match client.poll(POLL_WAIT) {
            Some(Ok(message)) => _ = open.remove(&message.partition()),
            // The end is also told behind messages.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                empty.extend(open.remove(&partition).map(|_| partition));
            }
            // Behind what cannot be read the end is told as if it were not there.
            Some(Err(error))
                if is_final(&error) || client.context().remark().take_damage().is_some() =>
            {
                return Err(words(error));
            }
            Some(Err(_)) | None => {} // about a group that is not ours, or one broker of several
        }
    }
    if open.is_empty() { Ok(()) } else { Err("no answer in time".to_owned()) }
}
