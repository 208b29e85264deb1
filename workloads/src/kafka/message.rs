//! A message of librdkafka as the decoder wants it; nothing is copied.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use crate::decode::{Headers, Message};

/// The value and the headers that matter.
pub fn view<'a>(message: &'a BorrowedMessage<'_>) -> Message<'a> {
    let mut headers = Headers::default();
    if let Some(all) = message.headers() {
        for index in 0..all.count() {
            // rdkafka panics at a name that is not UTF-8; none of ours is such a name.
            if let Ok(header) = catch_unwind(AssertUnwindSafe(|| all.get(index))) {
                headers.add(header.key, header.value);
            }
        }
    }
    Message { value: message.payload(), headers }
}

/// Whether the records of a message have to be looked at to know that they are records: the checksum of an
/// envelope proves that they are what its producer took for records.
pub fn is_unproved(message: &Message<'_>) -> bool {
    !matches!(message.headers.envelope(), Ok(Some(_)))
}
