//! Messages that are small and want to become large: every one is refused, and memory stays within the limit
//! (which `open` checks).

use batchpipe_api::{codec::Codec, reason::Reason};
use batchpipe_workloads::decode::{Batch, Limits, Message, Opener};

use crate::{LIMITS, Parts, compress, envelope_of, open};

pub(crate) const COMPRESSING: [Codec; 5] =
    [Codec::Zstd, Codec::Gzip, Codec::Zlib, Codec::Lz4, Codec::Snappy];

/// A zstd frame of one-byte blocks that hold 128 KiB each.
pub(crate) fn zstd_of_repeated_bytes(header: &[u8], blocks: u32) -> Vec<u8> {
    let mut frame = [b"\x28\xb5\x2f\xfd", header].concat();
    for left in (0..blocks).rev() {
        let block = (128 * 1024) << 3 | 1 << 1 | u32::from(left == 0);
        frame.extend_from_slice(&block.to_le_bytes()[..3]);
        frame.push(b' ');
    }
    frame
}

#[test]
fn m3_a_bomb_of_every_codec_is_too_large() {
    let zeros = vec![0; 48 << 20];
    for codec in COMPRESSING {
        let (value, used) = compress(codec, &zeros);
        assert_eq!(used, codec);
        assert_eq!(Parts::bare(&value).reason(), Reason::TooLarge, "{codec}");
    }
}

#[test]
fn m3_a_zstd_bomb_that_declares_nothing_is_too_large() {
    // A window of 1 MiB and no content size: 128 MiB out of 4 kB.
    let bomb = zstd_of_repeated_bytes(&[0x00, 0x50], 1024);
    assert_eq!(Parts::bare(&bomb).reason(), Reason::TooLarge);
    let fits = zstd_of_repeated_bytes(&[0x00, 0x50], 128);
    assert!(Parts::bare(&fits).open().0.is_ok());
}

#[test]
fn m3_declared_sizes_beyond_the_limit_are_refused_before_anything_is_allocated() {
    let zstd = zstd_of_repeated_bytes(&[0xa0, 0, 0, 0, 0x80], 1);
    let mut lz4 = b"\x04\x22\x4d\x18\x68\x40\0\0\0\x80\0\0\0\0".to_vec();
    lz4.push(twox_hash::XxHash32::oneshot(0, &lz4[4..]).to_le_bytes()[1]);
    for bomb in [zstd, lz4] {
        let (opened, batch) = Parts::bare(&bomb).open();
        assert_eq!(opened.unwrap_err().reason, Reason::TooLarge);
        assert_eq!(batch.text.capacity(), 0);
    }
}

#[test]
fn m3_a_frame_that_cannot_hold_what_it_declares_gets_no_memory_for_it() {
    let declares_16_mib = zstd_of_repeated_bytes(&[0xa0, 0, 0, 0, 0x01], 1);
    let (opened, batch) = Parts::bare(&declares_16_mib).open();
    assert_eq!(opened.unwrap_err().reason, Reason::Corrupt);
    assert_eq!(batch.text.capacity(), 0);
}

#[test]
fn m3_a_zstd_window_of_two_gibibytes_is_too_large() {
    let bomb = zstd_of_repeated_bytes(&[0x00, 21 << 3], 1);
    assert_eq!(Parts::bare(&bomb).reason(), Reason::TooLarge);
    let ultra = zstd_of_repeated_bytes(&[0x00, 17 << 3], 1); // 128 MiB, as `zstd --ultra -22` writes
    let (opened, batch) = Parts::bare(&ultra).open();
    assert!(opened.is_ok());
    assert!(batch.text.capacity() <= 128 * 1024, "no memory for a window");
}

#[test]
fn m3_a_snappy_chunk_that_declares_four_gibibytes_is_corrupt() {
    let value = b"\xff\x06\0\0sNaPpY\x00\x0a\0\0\0\0\0\0\xff\xff\xff\xff\x0f\0";
    assert_eq!(Parts::bare(value).reason(), Reason::Corrupt);
}

#[test]
fn m3_an_lz4_block_larger_than_announced_is_corrupt() {
    let mut lz4 = b"\x04\x22\x4d\x18\x60\x40".to_vec();
    lz4.push(twox_hash::XxHash32::oneshot(0, &lz4[4..]).to_le_bytes()[1]);
    lz4.extend_from_slice(&(0x8001_0001_u32).to_le_bytes());
    lz4.resize(lz4.len() + 65_537, b'1');
    assert_eq!(Parts::bare(&lz4).reason(), Reason::Corrupt);
}

#[test]
fn m3_a_sealed_bomb_is_refused_on_its_envelopes_word() {
    let zeros = vec![b' '; 17 << 20];
    let bomb = Parts::sealed(Codec::Zstd, &zeros);
    assert_eq!(bomb.reason(), Reason::TooLarge);
    let mut lying = bomb;
    lying.envelope = Some(envelope_of(b"1").to_string());
    assert_eq!(lying.reason(), Reason::TooLarge);
}

#[test]
fn m4_only_one_layer_is_removed() {
    let zeros = vec![0; 1 << 20];
    for codec in COMPRESSING {
        let (inner, _) = compress(codec, &zeros);
        let (outer, _) = compress(Codec::Zlib, &inner);
        let (opened, batch) = Parts::bare(&outer).open();
        let is_left_alone = opened.is_err_and(|rejection| rejection.reason == Reason::Corrupt);
        assert!(is_left_alone || batch.records == 0, "{codec}");
        assert!(batch.text.capacity() < 100_000, "the inner layer was not removed");
    }
}

#[test]
fn m4_a_second_member_or_trailing_bytes_make_it_corrupt() {
    let text = "{\"id\":1}\n".repeat(50);
    for codec in COMPRESSING {
        let (value, _) = compress(codec, text.as_bytes());
        for tail in [&value[..], b"\n\n\n\n\n", b"\x50\x2a\x4d\x18\0\0\0\0"] {
            let message = Parts::bare(&[&value, tail].concat());
            // Four bytes can also be the head of one more snappy chunk, whose rest is then missing.
            let reason = message.reason();
            assert!(
                reason == Reason::Corrupt
                    || (codec == Codec::Snappy && reason == Reason::Truncated),
                "{codec}: {reason}"
            );
        }
    }
}

#[test]
fn m5_millions_of_tiny_records_are_too_many() {
    let text = b"0\n".repeat(7_000_000);
    for codec in [Codec::Zstd, Codec::Gzip, Codec::Lz4] {
        let (value, _) = compress(codec, &text);
        assert_eq!(Parts::bare(&value).reason(), Reason::TooManyRecords, "{codec}");
    }
    let sealed = Parts::sealed(Codec::Zstd, text.trim_ascii_end());
    assert_eq!(sealed.reason(), Reason::TooManyRecords);
}

#[test]
fn m5_the_limit_itself_passes() {
    let text = b"0\n".repeat(100_000);
    let (value, _) = compress(Codec::Zstd, &text);
    let (opened, batch) = Parts::bare(&value).open();
    assert!(opened.is_ok());
    assert_eq!((batch.records, batch.runs.len()), (100_000, 1));
}

#[test]
fn good_messages_between_bombs_are_read_as_if_there_were_none() {
    let limits = Limits { max_bytes: 64 * 1024, max_records: 1000 };
    let good = "{\"id\":1}\n".repeat(100);
    let messages: Vec<_> = COMPRESSING
        .into_iter()
        .flat_map(|codec| {
            [&vec![b' '; 300_000][..], good.as_bytes()].map(|text| compress(codec, text).0)
        })
        .collect();
    let mut opener = Opener::new();
    let mut batch = Batch::default();
    for round in 0..20 {
        for (place, value) in messages.iter().enumerate() {
            let message = Message { value: Some(value), ..Message::default() };
            let result = opener.open(&message, &limits, true, &mut batch);
            if place % 2 == 0 {
                assert_eq!(result.unwrap_err().reason, Reason::TooLarge);
            } else {
                assert!(result.is_ok() && batch.text == good.as_bytes(), "round {round}");
            }
            assert!(batch.text.capacity() <= limits.max_bytes + 1);
        }
    }
}

#[test]
fn plain_text_beyond_the_limit_is_too_large() {
    let text = vec![b'1'; LIMITS.max_bytes + 1];
    assert_eq!(Parts::bare(&text).reason(), Reason::TooLarge);
    let message = Message { value: Some(&text[1..]), ..Message::default() };
    assert!(open(&message, &LIMITS).0.is_ok());
}
