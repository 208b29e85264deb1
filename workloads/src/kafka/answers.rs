//! What brokers answer when they are asked for offsets. Pure.

use std::collections::BTreeMap;

use rdkafka::{
    Offset, TopicPartitionList,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::resume::Committed;

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

/// The offsets of an answer that are known.
pub(crate) fn known(list: &TopicPartitionList, topic: &str) -> BTreeMap<i32, i64> {
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

/// What the group has, where it has anything.
pub(crate) fn committed(list: &TopicPartitionList, topic: &str) -> BTreeMap<i32, Committed> {
    let offsets = known(list, topic);
    let elements = list.elements_for_topic(topic);
    let with_id = elements.iter().filter_map(|element| {
        let offset = *offsets.get(&element.partition())?;
        Some((element.partition(), Committed { offset, topic_id: element.metadata().to_owned() }))
    });
    with_id.collect()
}
