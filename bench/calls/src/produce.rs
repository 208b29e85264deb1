//! Sending many messages with one call.

use std::{ffi::CString, ptr};

use rdkafka::{
    error::RDKafkaErrorCode,
    producer::{BaseProducer, Producer as _, ProducerContext},
    util::IntoOpaque as _,
};
use rdkafka_sys as sys;

/// `RD_KAFKA_PARTITION_UA`, which has no binding: the partitioner chooses.
const ANY_PARTITION: i32 = -1;

/// Sends to one topic of a producer, which its partitioner spreads over the partitions.
pub struct Sender<'a, C>
where
    C: ProducerContext<DeliveryOpaque = ()> + 'static,
{
    /// Held because the topic is a part of it.
    _producer: &'a BaseProducer<C>,
    topic: *mut sys::rd_kafka_topic_t,
    messages: Vec<sys::rd_kafka_message_t>,
}

impl<'a, C> Sender<'a, C>
where
    C: ProducerContext<DeliveryOpaque = ()> + 'static,
{
    /// A sender for a topic; none when librdkafka refuses its name.
    pub fn new(producer: &'a BaseProducer<C>, topic: &str) -> Option<Self> {
        let name = CString::new(topic).ok()?;
        let client = producer.client().native_ptr();
        // SAFETY: the client lives, the name ends with a zero, and no configuration means the default one.
        let topic = unsafe { sys::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
        (!topic.is_null()).then_some(Self { _producer: producer, topic, messages: Vec::new() })
    }

    /// Hands over copies of records until the producer's queue is full; returns how many it took.
    pub fn send(&mut self, records: &[&[u8]]) -> Result<usize, RDKafkaErrorCode> {
        self.messages.clear();
        self.messages.extend(records.iter().map(|record| message(record)));
        let count = i32::try_from(self.messages.len()).unwrap_or(i32::MAX);
        // SAFETY: topic and messages live, there are `count` of these, and the flag has their payloads copied.
        let taken = unsafe {
            sys::rd_kafka_produce_batch(
                self.topic,
                ANY_PARTITION,
                sys::RD_KAFKA_MSG_F_COPY,
                self.messages.as_mut_ptr(),
                count,
            )
        };
        // Once the queue is full the rest is refused; what is refused for another reason is an error.
        let full = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL;
        let none = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        let failed = self.messages.iter().find(|it| it.err != none && it.err != full);
        failed.map_or(Ok(usize::try_from(taken).unwrap_or(0)), |it| Err(it.err.into()))
    }
}

impl<C> Drop for Sender<'_, C>
where
    C: ProducerContext<DeliveryOpaque = ()> + 'static,
{
    fn drop(&mut self) {
        // SAFETY: it was made by us and is used no more; the client keeps what it still needs.
        unsafe { sys::rd_kafka_topic_destroy(self.topic) }
    }
}

/// A message without a key, which librdkafka only reads.
fn message(record: &[u8]) -> sys::rd_kafka_message_t {
    sys::rd_kafka_message_t {
        err: sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: ANY_PARTITION,
        payload: record.as_ptr().cast_mut().cast(),
        len: record.len(),
        key: ptr::null_mut(),
        key_len: 0,
        offset: 0,
        _private: ().into_ptr(),
    }
}
