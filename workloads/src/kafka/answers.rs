//! Asking brokers for the offsets of partitions.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};

use super::{bounded::Bounded, client::Cluster, resume::Committed};

/// Whether nobody answered, as opposed to an answer that says no.
pub(crate) fn is_silence(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::Resolve
        )
    )
}

/// How long an answer may take.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Where logs begin or end, as far as brokers know it.
pub(crate) fn ask_offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    which: Offset,
) -> KafkaResult<BTreeMap<i32, i64>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, which)?;
    }
    Ok(known(&client.offsets_for_times(list, REQUEST_TIMEOUT)?, topic))
}

/// Where a partition's log ends, with what belongs to transactions that are open: consumers are told the end before those. A
/// client of its own asks, because what is told is a setting of the client. None when there is no answer.
pub(crate) fn ask_log_end(cluster: &Cluster, topic: &str, partition: i32) -> Option<i64> {
    let mut settings = cluster.access().ok()?.reader_config(0);
    settings.set("isolation.level", "read_uncommitted");
    let client = Bounded::create(&settings).ok()?;
    ask_offsets(&client, topic, &[partition], Offset::End).ok()?.get(&partition).copied()
}

/// What the client's group has, where it has anything.
pub(crate) fn ask_committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
) -> KafkaResult<BTreeMap<i32, Committed>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    committed(&client.committed_offsets(list, REQUEST_TIMEOUT)?, topic)
}

/// The offsets of an answer that are known.
fn known(list: &TopicPartitionList, topic: &str) -> BTreeMap<i32, i64> {
    let elements = list.elements_for_topic(topic);
    elements
        .iter()
        .filter(|element| element.error().is_ok())
        .filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), offset)),
            _ => None,
        })
        .collect()
}

/// What the group has, where it has anything. A partition of which that is not said is not one of which it has nothing.
fn committed(list: &TopicPartitionList, topic: &str) -> KafkaResult<BTreeMap<i32, Committed>> {
    let mut found = BTreeMap::new();
    for element in list.elements_for_topic(topic) {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            found.insert(element.partition(), Committed::read(offset, element.metadata()));
        }
    }
    Ok(found)
}
