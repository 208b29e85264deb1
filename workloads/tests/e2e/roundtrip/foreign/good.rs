//! Good messages of a producer that is not ours: every codec, with and without a line end after the last record.

use batchpipe_api::codec::Codec;
use batchpipe_workloads::codec::Encoder;

use super::cases::Case;
use crate::kit::lines::mixed;

/// Records in each message.
const RECORDS: usize = 40;

/// An endless supply.
#[derive(Debug)]
pub(super) struct Good {
    lines: Vec<Vec<u8>>,
    taken: usize,
}

impl Good {
    pub(super) fn new(partition: i32) -> Self {
        let text = mixed(5_000);
        let mut lines: Vec<_> =
            text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.rotate_left(partition.unsigned_abs() as usize * 1_000);
        Self { lines, taken: 0 }
    }

    /// The next records, each with its line end.
    pub(super) fn records(&mut self) -> Vec<Vec<u8>> {
        self.taken += RECORDS;
        (self.taken - RECORDS..self.taken)
            .map(|number| self.lines[number % self.lines.len()].clone())
            .collect()
    }

    /// The next message; codec and form follow from `number`.
    pub(super) fn case(&mut self, number: usize) -> Case {
        let codec = Codec::ALL[number % Codec::ALL.len()];
        let text = self.records().concat();
        let ends = text.len() - usize::from((number / Codec::ALL.len()).is_multiple_of(2));
        let mut case = Case::of(compress(codec, &text[..ends]));
        case.delivered = text;
        case
    }
}

/// A value as a codec makes it; the text has to be compressible.
pub(super) fn compress(codec: Codec, text: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    let used = Encoder::new(codec, None).unwrap().encode(text, &mut value);
    assert_eq!(used, codec);
    value
}
