//! Reading many messages with one call.

use std::{ptr, slice, time::Duration};

use rdkafka::{
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::RDKafkaErrorCode,
};
use rdkafka_sys as sys;

/// Reads what a consumer was assigned. Not for one that subscribes: nobody answers its rebalances here.
pub struct Reader<'a, C: ConsumerContext + 'static> {
    /// Held because the queue is a part of it.
    _consumer: &'a BaseConsumer<C>,
    queue: *mut sys::rd_kafka_queue_t,
    messages: Vec<*mut sys::rd_kafka_message_t>,
}

impl<'a, C: ConsumerContext + 'static> Reader<'a, C> {
    /// A reader that takes up to `most` messages at once; none when the consumer has no queue.
    pub fn new(consumer: &'a BaseConsumer<C>, most: usize) -> Option<Self> {
        // SAFETY: the client lives, and is a consumer.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        let messages = vec![ptr::null_mut(); most];
        (!queue.is_null()).then_some(Self { _consumer: consumer, queue, messages })
    }

    /// Waits for messages, hands each payload over, and returns how many there were.
    pub fn read(
        &mut self,
        patience: Duration,
        mut each: impl FnMut(&[u8]),
    ) -> Result<usize, RDKafkaErrorCode> {
        let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        let room = self.messages.len();
        // SAFETY: the queue lives, and there is room for so many pointers.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.queue,
                patience,
                self.messages.as_mut_ptr(),
                room,
            )
        };
        let mut result = Ok(usize::try_from(count).unwrap_or(0));
        for message in &self.messages[..*result.as_ref().unwrap_or(&0)] {
            // SAFETY: librdkafka gave us this message, and it is destroyed once, below.
            let read = unsafe { &**message };
            if read.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                result = Err(read.err.into());
            } else if read.payload.is_null() {
                each(&[]);
            } else {
                // SAFETY: the payload has this length and lives until the message is destroyed.
                each(unsafe { slice::from_raw_parts(read.payload.cast(), read.len) });
            }
            // SAFETY: as above; nothing of it is used afterwards.
            unsafe { sys::rd_kafka_message_destroy(*message) }
        }
        result
    }
}

impl<C: ConsumerContext + 'static> Drop for Reader<'_, C> {
    fn drop(&mut self) {
        // SAFETY: it was given to us and is used no more; the client keeps its own reference.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) }
    }
}
