//! Dead letters: what could not be processed, as messages for the dead-letter topic.
//!
//! A dead letter keeps the original bytes and headers and adds one header that says why it is there and where it
//! came from. Pure; sending is the outbox's work.

use std::borrow::Cow;

use batchpipe_api::envelope;

use crate::{
    dead_letter_header::DeadLetterHeader,
    kafka::outbox::{Message, MessageHeader},
};

/// Something that could not be processed.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The record, or the whole message's value; or its start, when `size` is larger.
    pub value: Vec<u8>,
    /// Size of the whole in bytes.
    pub size: u64,
    /// The original message's headers; none for a single record.
    pub headers: Vec<MessageHeader>,
    /// Why, and where from.
    pub origin: DeadLetterHeader,
}

/// What a dead letter's sender wants back.
#[derive(Clone, Debug)]
pub struct Token<T> {
    /// Why, and where from.
    pub origin: DeadLetterHeader,
    /// Size of the whole in bytes.
    pub size: u64,
    /// The sender's own.
    pub inner: T,
}

impl DeadLetter {
    /// The message for the dead-letter topic.
    pub fn into_message<T>(self, timestamp_ms: i64, inner: T) -> Message<Token<T>> {
        let Self { value, size, mut headers, mut origin } = self;
        if size > value.len() as u64 {
            origin.truncated = Some(size);
        }
        headers.push(header(&origin));
        let token = Token { origin, size, inner };
        Message { key: None, value: value.into_boxed_slice(), headers, timestamp_ms, token }
    }
}

/// A dead letter that the broker refused for its size, cut in half; it says so and how large it was. When
/// nothing is left to cut, the original headers go too: the origin is what counts. The error gives back a letter
/// of which nothing can be cut any more.
#[expect(clippy::result_large_err, reason = "rare, and moved once")]
pub fn shorten<T>(mut message: Message<Token<T>>) -> Result<Message<Token<T>>, Message<Token<T>>> {
    if message.value.is_empty() {
        if message.headers.len() == 1 {
            return Err(message);
        }
        message.headers.clear();
    } else {
        message.headers.pop();
        let half = message.value.len() / 2;
        message.value = Box::from(&message.value[..half]);
        message.token.origin.truncated = Some(message.token.size);
    }
    message.headers.push(header(&message.token.origin));
    Ok(message)
}

fn header(origin: &DeadLetterHeader) -> MessageHeader {
    MessageHeader {
        name: Cow::Borrowed(envelope::DEAD_LETTER),
        value: Some(Cow::Owned(origin.to_string().into_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::reason::Reason;

    use super::*;

    fn letter(value: &[u8], size: u64) -> DeadLetter {
        let origin = DeadLetterHeader::new(Reason::Corrupt, "topic", 3, 7);
        let original = MessageHeader { name: Cow::Borrowed("x"), value: None };
        DeadLetter { value: value.to_vec(), size, headers: vec![original], origin }
    }

    fn text<T>(message: &Message<T>) -> String {
        let value = message.headers.last().unwrap().value.as_ref().unwrap();
        String::from_utf8(value.to_vec()).unwrap()
    }

    #[test]
    fn bytes_and_headers_are_kept() {
        let message = letter(b"bytes", 5).into_message(1, ());
        assert_eq!((&*message.value, message.headers[0].name.as_ref()), (b"bytes".as_slice(), "x"));
        assert_eq!(text(&message), "reason=corrupt;topic=topic;partition=3;offset=7");
    }

    #[test]
    fn what_is_cut_says_how_large_it_was() {
        let message = letter(b"by", 5).into_message(1, ());
        assert!(text(&message).ends_with(";truncated=1;size=5"));
        let mut message = shorten(letter(b"bytes", 5).into_message(1, ())).unwrap();
        assert_eq!(&*message.value, b"by");
        assert!(text(&message).ends_with(";truncated=1;size=5"));
        for _ in 0..3 {
            message = shorten(message).unwrap();
        }
        assert!(shorten(message.clone()).is_err(), "nothing is left to cut");
        assert_eq!((message.value.len(), message.headers.len()), (0, 1));
        assert!(text(&message).ends_with(";truncated=1;size=5"));
    }
}
