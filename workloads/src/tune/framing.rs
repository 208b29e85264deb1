//! What Kafka adds to a message: its record format, version 2, counted and written. Pure.
//!
//! See "Record Batch" in Kafka's protocol documentation.

/// The head of a record batch, which holds one message or several.
pub(super) const BATCH_HEAD: u64 = 61;

/// Bytes of a message that has a record batch to itself: the most that it can need.
pub(super) fn alone(value: u64, headers: &[(&str, &[u8])]) -> u64 {
    BATCH_HEAD + record(0, value, headers)
}

/// Bytes of a message without key inside of a record batch, sent within the same millisecond as the first one.
pub(super) fn record(offset: u64, value: u64, headers: &[(&str, &[u8])]) -> u64 {
    let body = body(offset, value, headers);
    varint(body) + body
}

/// The same without the length that stands before it.
fn body(offset: u64, value: u64, headers: &[(&str, &[u8])]) -> u64 {
    // Attributes, no time since the batch's first record, no key.
    let fixed = 3;
    let each = headers.iter().map(|(name, value)| text(name.len()) + text(value.len()));
    let headers = varint(headers.len() as u64) + each.sum::<u64>();
    fixed + varint(offset) + varint(value) + value + headers
}

fn text(bytes: usize) -> u64 {
    varint(bytes as u64) + bytes as u64
}

/// Bytes of a number that is not negative; half of the code is for those that are.
fn varint(number: u64) -> u64 {
    let bits = u64::from(u64::BITS - (number << 1).leading_zeros()).max(1);
    bits.div_ceil(7)
}

/// Appends a message without key and headers, as it stands in a record batch.
pub(super) fn write(offset: u64, value: &[u8], out: &mut Vec<u8>) {
    write_varint(body(offset, value.len() as u64, &[]), out);
    out.extend_from_slice(&[0, 0]); // attributes, time
    write_varint(offset, out);
    out.push(1); // no key: -1
    write_varint(value.len() as u64, out);
    out.extend_from_slice(value);
    out.push(0); // no headers
}

fn write_varint(number: u64, out: &mut Vec<u8>) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(low_bits(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_bits(rest));
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).expect("seven bits fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_is_counted() {
        for (offset, value) in [(0, 0), (0, 1), (63, 10), (64, 54), (65, 60), (9_999, 16_000)] {
            let mut out = Vec::new();
            write(offset, &vec![b'x'; value], &mut out);
            assert_eq!(out.len() as u64, record(offset, value as u64, &[]), "{offset} {value}");
        }
    }

    #[test]
    fn a_small_message_is_written_as_kafka_writes_it() {
        let mut out = Vec::new();
        write(1, b"{}", &mut out);
        // Length 8, attributes, time, offset 1, no key, value of 2 bytes, no headers; numbers doubled (zigzag).
        assert_eq!(out, [16, 0, 0, 2, 1, 4, b'{', b'}', 0]);
    }

    #[test]
    fn headers_and_the_head_of_the_batch_are_counted() {
        // 3 fixed, offset, length and value, number of headers, then one of 1 + 2 and 1 + 3 bytes; and its length.
        assert_eq!(record(0, 5, &[("ab", b"xyz")]), 3 + 1 + 1 + 5 + 1 + 3 + 4 + 1);
        assert_eq!(alone(5, &[]), 61 + 12);
    }

    #[test]
    fn numbers_grow_every_seven_bits() {
        for (number, bytes) in [(0, 1), (63, 1), (64, 2), (8_191, 2), (8_192, 3), (1 << 20, 4)] {
            assert_eq!(varint(number), bytes, "{number}");
        }
    }
}
