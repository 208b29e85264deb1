//! From a message to a record: a value is one record and becomes one line; what cannot be a line is a reject. Pure.

use std::sync::Arc;

use batchpipe_api::reason::Reason;

use super::super::{Block, Oversize};
use crate::{
    budget::Charge,
    chunk::{self, Place, Reject, Rules},
    key::KeyHash,
};

/// A message that was copied out of librdkafka: one that is held pins the whole buffer that it came in.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) partition: i32,
    pub(super) tenure: u64,
    pub(super) offset: i64,
    /// The hash of its key, if it has one and it matters.
    pub(super) hash: Option<KeyHash>,
    /// Its value, or its start when `size` is larger.
    pub(super) value: Option<Box<[u8]>>,
    /// Size of the whole value in bytes.
    pub(super) size: usize,
    /// The topic that it is in, if nothing of it can be read.
    pub(super) unreadable_in: Option<Arc<str>>,
    /// The memory that it holds; none in tests.
    #[expect(dead_code, reason = "held for its memory, given back with the message")]
    pub(super) charge: Option<Charge>,
}

/// What a message was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// No record.
    Tombstone,
    /// A record, or one that cannot be sent.
    Record,
    /// A record in which line breaks became spaces.
    Replaced,
}

/// Puts the message's record, which may have `most` bytes, into the block. With a key that stands in the record, the message's own does not matter.
pub(super) fn put(message: &mut Message, rules: &Rules, most: usize, block: &mut Block) -> Put {
    if let Some(topic) = message.unreadable_in.take() {
        let place = Place { topic, partition: message.partition, offset: message.offset };
        let (bytes, reason) = (Vec::new(), Reason::Corrupt);
        block.rejects.push(Reject { bytes, size: 0, reason, place: Some(place) });
        return Put::Record;
    }
    let Some(value) = message.value.take() else { return Put::Tombstone };
    if message.size > most {
        let (prefix, bytes) = (value.into_vec(), message.size as u64);
        block.oversize.push(Oversize { prefix, bytes });
        return Put::Record;
    }
    if value.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        return Put::Tombstone;
    }
    let is_one_line = memchr::memchr(b'\n', &value).is_none();
    if !is_one_line && let Err(reason) = check(&value, rules) {
        let size = value.len() as u64;
        block.rejects.push(Reject { bytes: value.into_vec(), size, reason, place: None });
        return Put::Record;
    }
    let from = block.text.len();
    block.text.extend_from_slice(&value);
    block.text[from..].iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    block.text.push(b'\n');
    if rules.key.is_none() {
        block.hashes.push(message.hash);
    }
    if is_one_line { Put::Record } else { Put::Replaced }
}

/// Whether the line breaks of a value can be made spaces: JSON allows none within a string, and between tokens a space
/// means the same.
fn check(value: &[u8], rules: &Rules) -> Result<(), Reason> {
    if !rules.validate {
        return Err(Reason::Newline);
    }
    chunk::check(value, false, rules).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Pointer;

    const MOST: usize = 1000;

    fn message(value: Option<&[u8]>, key: Option<&[u8]>) -> Message {
        Message {
            partition: 0,
            tenure: 1,
            offset: 0,
            hash: key.map(KeyHash::of),
            size: value.map_or(0, <[u8]>::len),
            unreadable_in: None,
            value: value.map(Box::from),
            charge: None,
        }
    }

    fn json() -> Rules {
        Rules { validate: true, key: None }
    }

    fn run(value: Option<&[u8]>, rules: &Rules) -> (Put, Block) {
        let mut block = Block::default();
        (put(&mut message(value, None), rules, MOST, &mut block), block)
    }

    #[test]
    fn a_value_is_a_line_byte_for_byte() {
        let (put, block) = run(Some(b"{\"a\" : 1.50}\r"), &json());
        assert_eq!((put, block.text.as_slice()), (Put::Record, &b"{\"a\" : 1.50}\r\n"[..]));
        assert_eq!(block.hashes, [None]);
    }

    #[test]
    fn what_holds_nothing_is_a_tombstone() {
        for value in [None, Some(&b""[..]), Some(b" \t\r\n\n")] {
            for validate in [true, false] {
                let (put, block) = run(value, &Rules { validate, key: None });
                assert_eq!((put, block.is_empty()), (Put::Tombstone, true), "{value:?}");
            }
        }
    }

    #[test]
    fn line_breaks_between_tokens_become_spaces() {
        let (put, block) = run(Some(b"{\n\"a\":\r\n1}\n"), &json());
        assert_eq!((put, block.text.as_slice()), (Put::Replaced, &b"{ \"a\":\r 1} \n"[..]));
    }

    #[test]
    fn what_has_line_breaks_and_is_no_json_is_rejected_as_it_was() {
        for (validate, reason) in [(true, Reason::InvalidJson), (false, Reason::Newline)] {
            let (put, block) = run(Some(b"{\"a\n\":1}"), &Rules { validate, key: None });
            assert_eq!((put, block.text.len()), (Put::Record, 0));
            let expected = Reject { bytes: b"{\"a\n\":1}".to_vec(), size: 8, reason, place: None };
            assert_eq!(block.rejects, [expected]);
        }
    }

    #[test]
    fn what_nobody_can_read_is_a_reject_without_content() {
        let mut message = Message {
            unreadable_in: Some("raw".into()),
            partition: 2,
            offset: 7,
            ..message(None, None)
        };
        let mut block = Block::default();
        assert_eq!(put(&mut message, &json(), MOST, &mut block), Put::Record);
        let place = Some(Place { topic: "raw".into(), partition: 2, offset: 7 });
        let expected = Reject { bytes: vec![], size: 0, reason: Reason::Corrupt, place };
        assert_eq!(block.rejects, [expected]);
    }

    #[test]
    fn what_is_too_large_is_rejected_with_its_size() {
        let mut block = Block::default();
        let mut message = message(Some(b"{\"big"), Some(b"k"));
        message.size = 5_000_000;
        assert_eq!(put(&mut message, &json(), MOST, &mut block), Put::Record);
        assert_eq!(block.oversize, [Oversize { prefix: b"{\"big".to_vec(), bytes: 5_000_000 }]);
        assert!(block.hashes.is_empty());
        // One that is not much larger was kept as a whole.
        let long = vec![b'1'; MOST + 1];
        assert_eq!(run(Some(&long), &json()).1.oversize[0].bytes, 1001);
        assert_eq!(run(Some(&long[1..]), &json()).1.text.len(), 1001);
    }

    #[test]
    fn every_line_has_the_hash_of_its_message_unless_the_key_stands_in_the_record() {
        let mut block = Block::default();
        for (value, key) in
            [(&b"1"[..], Some(&b"a"[..])), (b"", Some(b"b")), (b"[\n", Some(b"c")), (b"2", None)]
        {
            put(&mut message(Some(value), key), &json(), MOST, &mut block);
        }
        assert_eq!(block.hashes, [Some(KeyHash::of(b"a")), None]);
        let keyed = Rules { validate: true, key: Some(Pointer::parse("/k").unwrap()) };
        let mut block = Block::default();
        put(&mut message(Some(b"{}"), Some(b"a")), &keyed, MOST, &mut block);
        assert_eq!((block.text.as_slice(), block.hashes.len()), (&b"{}\n"[..], 0));
    }
}
