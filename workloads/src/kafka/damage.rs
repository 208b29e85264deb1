//! What librdkafka says of a record batch that it cannot read. Pure.
//!
//! Its error codes do not tell: `BadMessage` is also that a broker's answer is not Kafka's. Its words do, and they say where
//! the batch begins; rust-rdkafka hands them to `ClientContext::error` and returns the code.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// A record batch that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The offset of its first message, as it says itself. Behind something else that is damaged this may be anything.
    pub(crate) base: i64,
    /// What is wrong with it, for people.
    pub(crate) why: &'static str,
}

impl Damage {
    /// The damage that an error is about; none when it is about something else.
    pub(crate) fn of(error: &KafkaError, reason: &str) -> Option<Self> {
        let KafkaError::Global(code) = error else { return None };
        let (begins, before, why) = match code {
            Code::BadMessage => {
                ("Message", "offset ", "it does not match the checksum that it was stored with")
            }
            Code::BadCompression | Code::NotImplemented if reason.starts_with("Decompression") => (
                "Decompression",
                "of message at ",
                "what Kafka's own compression holds is damaged, or larger than may be received",
            ),
            Code::NotImplemented => ("Unsupported Message", "offset ", "its format is not known"),
            Code::MessageSizeTooLarge => {
                ("Message", "offset ", "it is larger than may be received")
            }
            _ => return None,
        };
        let said = reason.strip_prefix(begins)?;
        let (_, from) = said.split_once(before)?;
        let digits = from.find(|it: char| !it.is_ascii_digit() && it != '-').unwrap_or(from.len());
        Some(Self { base: from[..digits].parse().ok()?, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(code: Code, reason: &str) -> Option<i64> {
        Damage::of(&KafkaError::Global(code), reason).map(|damage| damage.base)
    }

    /// The words of librdkafka 2.12.1, `rdkafka_msgset_reader.c`.
    #[test]
    fn what_cannot_be_read_says_where_it_begins() {
        let said = "MessageSet at offset 387 (423 bytes) failed CRC32C check (original 0x1 != calculated 0x2)";
        assert_eq!(base(Code::BadMessage, said), Some(387));
        let said =
            "Message at offset 7 (423 bytes) failed CRC32 check (original 0x1 != calculated 0x2)";
        assert_eq!(base(Code::BadMessage, said), Some(7));
        let said = "Decompression (codec 0x4) of message at 12 of 999 bytes failed: Local: Invalid compressed data";
        assert_eq!(base(Code::BadCompression, said), Some(12));
        assert_eq!(base(Code::NotImplemented, said), Some(12));
        let said = "Unsupported Message(Set) MagicByte 3 at offset 2333831552097939061";
        assert_eq!(base(Code::NotImplemented, said), Some(2_333_831_552_097_939_061));
        let said = "Message at offset 5 might be too large to fetch, try increasing receive.message.max.bytes";
        assert_eq!(base(Code::MessageSizeTooLarge, said), Some(5));
    }

    #[test]
    fn what_is_about_a_connection_or_a_group_is_no_damage() {
        let said = "h:80/bootstrap: Receive failed: Invalid response size 1213486160 (0..1000): increase \
                    receive.message.max.bytes (after 0ms in state APIVERSION_QUERY)";
        assert_eq!(base(Code::BadMessage, said), None);
        assert_eq!(base(Code::BrokerTransportFailure, "MessageSet at offset 3"), None);
        assert_eq!(base(Code::NotImplemented, "the broker is too old"), None);
        assert_eq!(base(Code::MessageSizeTooLarge, "Produce of 5 bytes at offset 3"), None);
    }
}
