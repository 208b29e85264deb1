//! A message of librdkafka as the decoder wants it; nothing is copied.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _};

use crate::decode::{Headers, Message};

/// The value and the headers that matter.
pub fn view<'a>(message: &'a BorrowedMessage<'_>) -> Message<'a> {
    let mut matter = Headers::default();
    for header in headers(message) {
        matter.add(header.key, header.value);
    }
    Message { value: message.payload(), headers: matter }
}

/// The headers of a message, without those whose name is not UTF-8: rdkafka panics at them, and neither we nor
/// anybody who reads our dead letters has a use for them.
pub fn headers<'a>(message: &'a BorrowedMessage<'_>) -> impl Iterator<Item = Header<'a, &'a [u8]>> {
    message.headers().into_iter().flat_map(|all| {
        (0..all.count())
            .filter_map(move |index| catch_unwind(AssertUnwindSafe(|| all.get(index))).ok())
    })
}

/// Whether the records of a message have to be looked at to know that they are records: the checksum of an
/// envelope proves that they are what its producer took for records.
pub fn is_unproved(message: &Message<'_>) -> bool {
    !matches!(message.headers.envelope(), Ok(Some(_)))
}
