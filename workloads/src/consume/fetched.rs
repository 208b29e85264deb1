//! A message that was copied out of librdkafka: a message that is held pins the whole fetch buffer it came in.

use std::{borrow::Cow, sync::Arc};

use rdkafka::message::{BorrowedMessage, Header, Message as _};

use crate::{
    budget::{Budget, Charge},
    dead_letter_header,
    decode::{Headers, Message},
    kafka::{self, outbox::MessageHeader},
    source::OVERSIZE_PREFIX,
};

/// What a message costs beside its bytes, roughly, in bytes.
const MESSAGE_COST: usize = 256;

/// One message, owned.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) offset: i64,
    /// Milliseconds since the epoch; 0 when the message has none.
    pub(super) timestamp_ms: i64,
    /// The value, or its start when `size` is larger.
    pub(super) value: Option<Box<[u8]>>,
    /// Size of the whole value in bytes.
    pub(super) size: usize,
    /// Whether nothing of it can be read, so that there is only its offset.
    pub(super) is_unreadable: bool,
    pub(super) headers: Vec<MessageHeader>,
    #[expect(dead_code, reason = "held for its memory, given back with the message")]
    charge: Charge,
}

/// What tells a message from another one that says it has the same offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    timestamp_ms: i64,
    size: usize,
    checksum: u32,
}

impl Fetched {
    /// Copies a message. Of a value that is larger than `most` bytes only the start is kept: Kafka's own
    /// compression can hide any size in a small request.
    pub(super) fn copy(message: &BorrowedMessage<'_>, most: usize, queue: &Arc<Budget>) -> Self {
        let whole = message.payload();
        let size = whole.map_or(0, <[u8]>::len);
        let kept = if size > most { OVERSIZE_PREFIX.min(size) } else { size };
        let value: Option<Box<[u8]>> = whole.map(|whole| Box::from(&whole[..kept]));
        let headers: Vec<_> = kafka::message::headers(message).map(|header| own(&header)).collect();
        let bytes = value.as_ref().map_or(0, |value| value.len())
            + headers
                .iter()
                .map(|header| header.name.len() + header.value.as_ref().map_or(0, |v| v.len()) + 64)
                .sum::<usize>();
        Self {
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            value,
            size,
            is_unreadable: false,
            headers,
            charge: queue.charge_now(bytes + MESSAGE_COST),
        }
    }

    /// A message with this value and nothing else.
    #[cfg(test)]
    pub(super) fn of(offset: i64, value: &[u8], queue: &Arc<Budget>) -> Self {
        let whole = Self::unreadable(offset, queue);
        Self { value: Some(Box::from(value)), size: value.len(), is_unreadable: false, ..whole }
    }

    /// A message of which nothing but its offset is known.
    pub(super) fn unreadable(offset: i64, queue: &Arc<Budget>) -> Self {
        let charge = queue.charge_now(MESSAGE_COST);
        let headers = Vec::new();
        Self { offset, timestamp_ms: 0, value: None, size: 0, is_unreadable: true, headers, charge }
    }

    /// What tells it from others; none when it cannot be read.
    pub(super) fn identity(&self) -> Option<Identity> {
        let checksum = crc32c::crc32c(self.value.as_deref().unwrap_or_default());
        let identity = Identity { timestamp_ms: self.timestamp_ms, size: self.size, checksum };
        (!self.is_unreadable).then_some(identity)
    }

    /// Whether only the start of the value was kept.
    pub(super) fn is_cut(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.len() < self.size)
    }

    /// How often it was sent back from a dead-letter topic.
    pub(super) fn attempts(&self) -> u32 {
        let headers = self.headers.iter();
        dead_letter_header::attempts(headers.map(|it| (it.name.as_ref(), it.value.as_deref())))
    }

    /// The message as the decoder wants it.
    pub(super) fn view(&self) -> Message<'_> {
        let mut headers = Headers::default();
        for header in &self.headers {
            headers.add(&header.name, header.value.as_deref());
        }
        Message { value: self.value.as_deref(), headers }
    }
}

fn own(header: &Header<'_, &[u8]>) -> MessageHeader {
    MessageHeader {
        name: Cow::Owned(header.key.to_owned()),
        value: header.value.map(|value| Cow::Owned(value.to_vec())),
    }
}
