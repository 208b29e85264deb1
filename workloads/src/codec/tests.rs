//! Round trips, limits and damage, for every codec alike.

use super::*;

const LIMIT: usize = 1024 * 1024;
const COMPRESSING: [Codec; 5] = [Codec::Zstd, Codec::Gzip, Codec::Zlib, Codec::Lz4, Codec::Snappy];

/// Records as a sensor would send them, about `bytes` in all.
fn text(bytes: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut state = 7_u64;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let line =
            format!("{{\"id\":{},\"value\":{},\"name\":\"sensor\"}}\n", text.len(), state >> 50);
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(bytes);
    text
}

fn encode(codec: Codec, raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(Encoder::new(codec, None).unwrap().encode(raw, &mut out), codec);
    out
}

fn decode(codec: Codec, value: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    let result = Decoder::new().decode(codec, value, limit, &mut out);
    assert!(out.capacity() <= limit + 1, "{codec}: {} bytes of memory", out.capacity());
    result.map(|()| out)
}

#[test]
fn what_was_encoded_comes_back_with_the_same_contexts_every_time() {
    // Around the sizes of LZ4 blocks, snappy chunks and zstd blocks.
    let sizes = [100, 70_000, 65_535, 65_536, 65_537, 131_072, 131_073, 262_145, 1_000_000, 300];
    for codec in COMPRESSING {
        let mut encoder = Encoder::new(codec, None).unwrap();
        let mut decoder = Decoder::new();
        let (mut value, mut back) = (Vec::new(), Vec::new());
        for size in sizes {
            let raw = text(size);
            assert_eq!(encoder.encode(&raw, &mut value), codec);
            assert!(value.len() < raw.len());
            assert_eq!(sniff(&value), codec);
            decoder.decode(codec, &value, raw.len(), &mut back).unwrap();
            assert!(back == raw, "{codec}, {size} bytes");
        }
    }
}

#[test]
fn every_level_makes_something_that_is_read_back() {
    let raw = text(20_000);
    for codec in COMPRESSING {
        let Some((lowest, highest)) = codec.levels() else { continue };
        for level in lowest..=highest {
            let mut value = Vec::new();
            assert_eq!(Encoder::new(codec, Some(level)).unwrap().encode(&raw, &mut value), codec);
            assert_eq!(decode(codec, &value, LIMIT).as_ref(), Ok(&raw), "{codec} {level}");
        }
    }
}

#[test]
fn a_level_out_of_range_is_refused_with_the_range() {
    let error = Encoder::new(Codec::Zstd, Some(20)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "compression.level is 20, but zstd takes 1 to 19; choose one of them"
    );
    assert!(Encoder::new(Codec::Gzip, Some(0)).is_err());
    assert!(Encoder::new(Codec::Lz4, Some(1)).is_err());
}

#[test]
fn what_does_not_shrink_is_sent_as_it_is() {
    for codec in Codec::ALL {
        let mut encoder = Encoder::new(codec, None).unwrap();
        let mut out = b"old".to_vec();
        for raw in [&b""[..], b"1", b"{\"a\":1}"] {
            assert_eq!(encoder.encode(raw, &mut out), Codec::None, "{codec}");
            assert_eq!(out, raw);
        }
        // A refusal leaves nothing behind in the context.
        let raw = text(5000);
        let used = encoder.encode(&raw, &mut out);
        assert_eq!(used, codec);
        assert_eq!(decode(used, &out, LIMIT).as_ref(), Ok(&raw));
    }
}

#[test]
fn our_zstd_frames_carry_their_size_and_no_checksum() {
    let value = encode(Codec::Zstd, &text(5000));
    assert_eq!(value[4] & 0x04, 0);
    assert_eq!(zstd::Frame::read(&value, LIMIT as u64).map(|frame| frame.declared), Ok(Some(5000)));
}

#[test]
fn exactly_the_limit_passes_and_one_byte_more_does_not() {
    for codec in Codec::ALL {
        for size in [5000, 65_536, 70_000, 131_072] {
            let raw = text(size);
            let mut value = Vec::new();
            let used = Encoder::new(codec, None).unwrap().encode(&raw, &mut value);
            assert_eq!(decode(used, &value, size).as_ref(), Ok(&raw), "{codec}");
            assert_eq!(decode(used, &value, size - 1), Err(DecodeError::TooLarge), "{codec}");
        }
    }
}

#[test]
fn a_cut_anywhere_is_noticed() {
    for codec in COMPRESSING {
        let value = encode(codec, &text(3000));
        for end in 0..value.len() {
            assert_eq!(
                decode(codec, &value[..end], LIMIT),
                Err(DecodeError::Truncated),
                "{codec} {end}"
            );
        }
    }
}

#[test]
fn whatever_follows_makes_it_corrupt() {
    for codec in COMPRESSING {
        let value = encode(codec, &text(3000));
        for tail in [&b"\0"[..], b"\n", b"xy", &value] {
            let value = [&value, tail].concat();
            let error = decode(codec, &value, LIMIT).unwrap_err();
            // A few bytes can also be the start of one more snappy chunk.
            let is_cut_chunk = codec == Codec::Snappy && tail.len() < 4;
            assert!(error == DecodeError::Corrupt || is_cut_chunk, "{codec} {error:?}");
        }
    }
}

#[test]
fn a_zstd_skippable_frame_is_no_part_of_a_message() {
    let frame = encode(Codec::Zstd, &text(3000));
    let skippable = b"\x50\x2a\x4d\x18\x02\0\0\0hi";
    let before = [skippable, &frame[..]].concat();
    let after = [&frame[..], skippable].concat();
    assert_eq!(decode(Codec::Zstd, &before, LIMIT), Err(DecodeError::Corrupt));
    assert_eq!(decode(Codec::Zstd, &after, LIMIT), Err(DecodeError::Corrupt));
}

#[test]
fn a_dictionary_is_not_supported_by_any_codec() {
    let zstd = b"\x28\xb5\x2f\xfd\x21\x07\x01\x09\0\0A";
    assert_eq!(decode(Codec::Zstd, zstd, LIMIT), Err(DecodeError::UnsupportedCodec));
    let zlib = b"\x78\xbb\0\0\0\x01\x03\0\0\0\0\x01";
    assert_eq!(decode(Codec::Zlib, zlib, LIMIT), Err(DecodeError::UnsupportedCodec));
    let mut lz4 = [lz4::MAGIC, &[0x61, 0x40, 1, 0, 0, 0]].concat();
    lz4.push(lz4::checksum(&lz4[4..]).to_le_bytes()[1]);
    lz4.extend_from_slice(&[0; 4]);
    assert_eq!(decode(Codec::Lz4, &lz4, LIMIT), Err(DecodeError::UnsupportedCodec));
}

#[test]
fn a_frame_that_says_less_than_it_holds_is_corrupt() {
    let raw = text(3000);
    let mut zstd = encode(Codec::Zstd, &raw);
    assert_eq!(zstd[4] >> 6, 1, "two bytes of content size, less 256");
    zstd[5] -= 1;
    assert_eq!(decode(Codec::Zstd, &zstd, LIMIT), Err(DecodeError::Corrupt));
    let mut lz4 = encode(Codec::Lz4, &raw);
    lz4[6] -= 1;
    lz4[14] = lz4::checksum(&lz4[4..14]).to_le_bytes()[1];
    assert_eq!(decode(Codec::Lz4, &lz4, LIMIT), Err(DecodeError::Corrupt));
}
