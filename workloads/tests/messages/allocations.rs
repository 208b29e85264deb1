//! The way of a record asks for no memory of its own: what is once warm works through any number of records with the same
//! few allocations.

use std::time::{Duration, Instant};

use allocation_counter::measure;
use batchpipe_api::codec::Codec;
use batchpipe_workloads::{
    batch::{self, CloseReason},
    budget::Budget,
    chunk::{Arrival, Chunk, Records, Rules},
    codec::Encoder,
    decode::{Batch, Headers, Limits, Message, Opened, Opener},
    key::Pointer,
    receipt::Receipt,
    source::{
        Block,
        generator::{ProfileName, generate},
    },
};

const RECORDS: u32 = 20_000;
/// Far less than one for each record.
const FEW: u64 = 20;

fn block() -> Block {
    let mut text = Vec::new();
    generate(ProfileName::Ticks, 1, RECORDS.into(), &mut text);
    Block { text, ..Block::default() }
}

/// How many allocations the second run of a work makes.
fn warm(mut work: impl FnMut()) -> u64 {
    work();
    measure(work).count_total
}

fn chunk(records: Records) -> Chunk {
    let arrival = Arrival { instant: Instant::now(), unix_ms: 1 };
    Chunk { records, arrival, share: Receipt::new().1, charge: Budget::new(1).charge_now(0) }
}

#[test]
fn checking_records_and_finding_their_keys_allocates_for_none_of_them() {
    let pointer = || Some(Pointer::parse("/symbol").unwrap());
    for (validate, key) in [(true, None), (true, pointer()), (false, pointer())] {
        let rules = Rules { validate, key };
        let (mut records, text) = (Records::default(), block().text);
        let mut blocks = [text.clone(), text].map(|text| Block { text, ..Block::default() });
        let mut next = blocks.iter_mut();
        let allocations = warm(|| records.fill(next.next().unwrap(), &rules));
        assert_eq!(records.len(), RECORDS as usize);
        assert!(allocations <= FEW, "{allocations} allocations, {rules:?}");
    }
}

#[test]
fn batching_and_compressing_allocates_for_no_record() {
    let mut records = Records::default();
    records.fill(&mut block(), &Rules { validate: true, key: None });
    let chunk = chunk(records);
    let limits = batch::Limits {
        max_records: RECORDS / 4,
        max_bytes: 64 << 20,
        linger: Duration::from_secs(1),
    };
    for codec in Codec::ALL {
        let (mut encoder, mut out) = (Encoder::new(codec, None).unwrap(), Vec::new());
        let mut batch = batch::Batch::default();
        let allocations = warm(|| {
            let mut from = 0;
            while from < chunk.records.len() {
                let (taken, closed) = batch.take(&chunk, from, usize::MAX, &limits);
                assert_eq!(closed, Some(CloseReason::Count));
                from += taken;
                encoder.encode(&batch.text, &mut out);
                batch.clear(usize::MAX);
            }
        });
        assert!(allocations <= 4 * FEW, "{allocations} allocations, {codec:?}");
    }
}

#[test]
fn opening_a_message_allocates_for_no_record() {
    let text = block().text;
    let limits = Limits { max_bytes: 64 << 20, max_records: 2 * RECORDS };
    for codec in Codec::ALL {
        let mut value = Vec::new();
        let label = Encoder::new(codec, None).unwrap().encode(&text, &mut value);
        let headers = Headers::new(Some(label.content_encoding().as_bytes()), None);
        let message = Message { value: Some(&value), headers };
        let (mut reader, mut batch) = (Opener::new(), Batch::default());
        let allocations = warm(|| {
            let opened = reader.open(&message, &limits, true, &mut batch).unwrap();
            assert!(matches!(opened, Opened::Batch { .. }));
        });
        assert_eq!(batch.records, RECORDS);
        assert!(allocations <= FEW, "{allocations} allocations, {codec:?}");
    }
}
