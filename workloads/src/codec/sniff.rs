//! Telling a codec by the first bytes: the rule for messages without a `content-encoding` header.

use batchpipe_api::codec::Codec;

use super::{lz4, snappy, zstd};

/// First bytes of a gzip member, with its only compression method.
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b, 0x08];

/// The codec that the value's first bytes speak of; [`Codec::None`] when they match no format.
///
/// JSON text is never taken for something else: see the test.
pub fn sniff(value: &[u8]) -> Codec {
    if value.starts_with(zstd::MAGIC) {
        Codec::Zstd
    } else if value.starts_with(GZIP_MAGIC) {
        Codec::Gzip
    } else if value.starts_with(lz4::MAGIC) {
        Codec::Lz4
    } else if value.starts_with(snappy::STREAM_IDENTIFIER) {
        Codec::Snappy
    } else if is_zlib(value) {
        Codec::Zlib
    } else {
        Codec::None
    }
}

/// RFC 1950: method 8, a window of at most 32 KiB, and a header that is a multiple of 31.
fn is_zlib(value: &[u8]) -> bool {
    let [method, flags, ..] = *value else { return false };
    let header = u16::from_be_bytes([method, flags]);
    // The number 80 and its like also pass for a header; its flags would then be an ASCII character.
    let is_number = method == b'8' && flags.is_ascii();
    method & 0x0f == 8 && method >> 4 <= 7 && header % 31 == 0 && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_start_of_a_json_text_is_taken_for_a_codec() {
        let starts = b" \t\r\n{[\"-0123456789tfn";
        for first in starts {
            // After a number's first digit, JSON goes on in ASCII; within a string it may not.
            let last = if *first == b'"' { 255 } else { 127 };
            for second in 0..=last {
                assert_eq!(sniff(&[*first, second, b'0', b'0']), Codec::None, "{first} {second}");
            }
        }
    }

    #[test]
    fn every_usual_zlib_header_is_known() {
        for header in [[0x78, 0x01], [0x78, 0x5e], [0x78, 0x9c], [0x78, 0xda], [0x58, 0x85]] {
            assert_eq!(sniff(&header), Codec::Zlib, "{header:x?}");
        }
        assert_eq!(sniff(&[0x78]), Codec::None);
    }
}
