//! Batches out of a seeded generator, compared with a slow and obvious reading of the same text.

use batchpipe_api::codec::Codec;
use batchpipe_workloads::json::is_json_record;

use crate::{Parts, bad, compress, records};

/// Xorshift; the same sequence for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn line(&mut self) -> Vec<u8> {
        let number = self.below(1 << 40);
        match self.below(12) {
            0 => Vec::new(),
            1 => b" \t".to_vec(),
            2 => format!("{{\"id\":{number}").into_bytes(),
            3 => vec![b'"', 0xff, b'"'],
            4 => format!("[{number},\"\u{e9}\u{1f600}\"]\r").into_bytes(),
            5 => self.json(0).into_bytes(),
            _ => format!("{{\"id\":{number},\"name\":\"sensor-{}\"}}", number % 9).into_bytes(),
        }
    }

    fn json(&mut self, depth: u32) -> String {
        match self.below(if depth > 5 { 4 } else { 6 }) {
            0 => "null".to_owned(),
            1 => format!("-{}.5e{}", self.below(1000), self.below(400)),
            2 => format!("\"{}\\u{:04x}\\n\"", self.below(1000), self.below(0xffff)),
            3 => "true".to_owned(),
            4 => format!("[{}, {}]", self.json(depth + 1), self.json(depth + 1)),
            _ => format!("{{\"k\":{},\"k\" : {}}}", self.json(depth + 1), self.json(depth + 1)),
        }
    }
}

#[test]
fn random_batches_come_back_record_by_record() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..600 {
        let codec = Codec::ALL[round % Codec::ALL.len()];
        let size = random.below(400);
        let lines: Vec<_> = (0..size).map(|_| random.line()).collect();
        let text = lines.join(&b'\n');
        if text.is_empty() {
            continue;
        }
        let is_blank = |line: &&Vec<u8>| line.iter().all(|byte| b" \t\r".contains(byte));
        let expected = lines.iter().filter(|line| !is_blank(line)).enumerate();
        let (good, wrong): (Vec<_>, Vec<_>) = expected.partition(|(_, line)| is_json_record(line));
        if good.is_empty() {
            continue;
        }
        let (_, batch) = Parts::bare(&compress(codec, &text).0).open();
        let good: Vec<_> =
            good.iter().map(|(_, line)| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(records(&batch), good, "round {round}");
        let found: Vec<_> =
            bad(&batch).iter().map(|(index, line)| (*index as usize, *line)).collect();
        let wrong: Vec<_> = wrong.iter().map(|(index, line)| (*index, line.as_slice())).collect();
        assert_eq!(found, wrong, "round {round}");
    }
}

#[test]
fn random_sealed_batches_are_one_run() {
    let mut random = Random(42);
    for round in 0..200 {
        let codec = Codec::ALL[round % Codec::ALL.len()];
        let size = 1 + random.below(800);
        let lines: Vec<_> = (0..size).map(|_| random.json(0)).collect();
        let text = lines.join("\n");
        let (opened, batch) = Parts::sealed(codec, text.as_bytes()).open();
        assert!(opened.is_ok());
        assert_eq!((batch.runs.len(), records(&batch).len()), (1, lines.len()), "round {round}");
        assert!(batch.text == text.as_bytes());
    }
}

#[test]
fn random_bytes_are_never_more_than_refused() {
    let mut random = Random(7);
    let heads: [&[u8]; 7] = [
        b"\x28\xb5\x2f\xfd",
        b"\x1f\x8b\x08",
        b"\x78\x9c",
        b"\x04\x22\x4d\x18",
        b"\xff\x06\0\0sNaPpY",
        b"",
        b"{",
    ];
    for round in 0..20_000_usize {
        let mut value = heads[round % heads.len()].to_vec();
        let size = random.below(200);
        value.extend((0..size).map(|_| random.below(256).to_le_bytes()[0]));
        let _ = Parts::bare(&value).open(); // no panic, and memory within the limit
    }
}
