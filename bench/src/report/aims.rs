//! What is aimed at: which contender's figure over which other's, and what that should be. Values only.

use crate::{
    contenders::{bare, batchpipe, bento, codec, java, librdkafka, python},
    rounds::{Run, Side},
};

/// What a ratio should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    /// The aim, and whether it holds.
    pub(crate) fn text(self, found: f64) -> String {
        let (sign, aim, holds) = match self {
            Self::AtMost(aim) => ("<=", aim, found <= aim),
            Self::AtLeast(aim) => (">=", aim, found >= aim),
        };
        format!("{sign} {aim} {}", if holds { "holds" } else { "MISSED" })
    }
}

/// What is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// CPU seconds per record of the client.
    Cpu,
    /// Bytes on the topic per record.
    Bytes,
}

impl Quantity {
    pub(crate) fn of(self, run: &Run) -> f64 {
        match self {
            Self::Cpu => run.cpu(),
            Self::Bytes => run.bytes().unwrap_or(f64::NAN),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Bytes => "bytes",
        }
    }
}

/// A figure of one contender over that of another, on the same side.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) quantity: Quantity,
    pub(crate) side: Side,
    pub(crate) above: &'static str,
    pub(crate) below: &'static str,
    pub(crate) aim: Aim,
}

const fn cpu(side: Side, above: &'static str, below: &'static str, aim: Aim) -> Figure {
    Figure { quantity: Quantity::Cpu, side, above, below, aim }
}

/// CPU of somebody else over ours.
const fn other(side: Side, who: &'static str, aim: f64) -> Figure {
    cpu(side, who, batchpipe::OURS, Aim::AtLeast(aim))
}

/// Our bytes over somebody else's.
const fn bytes(who: &'static str, aim: f64) -> Figure {
    Figure {
        quantity: Quantity::Bytes,
        side: Side::Produce,
        above: batchpipe::OURS,
        below: who,
        aim: Aim::AtMost(aim),
    }
}

/// The main ratios.
pub(crate) const FIGURES: &[Figure] = &[
    cpu(Side::Encode, codec::OURS, codec::BARE, Aim::AtMost(1.05)),
    cpu(Side::Decode, codec::OURS, codec::BARE, Aim::AtMost(1.05)),
    cpu(Side::Produce, batchpipe::OURS, bare::LOOP, Aim::AtMost(1.25)),
    cpu(Side::Produce, batchpipe::OURS, bare::FROM_MEMORY, Aim::AtMost(1.25)),
    other(Side::Produce, librdkafka::ZSTD, 2.0),
    other(Side::Produce, java::ZSTD, 6.0),
    other(Side::Produce, python::ZLIB, 3.5),
    other(Side::Produce, python::ZLIB_DUMPS, 10.0),
    other(Side::Produce, bento::ZSTD_TUNED, 15.0),
    cpu(Side::Consume, batchpipe::SEALED, bare::NOT_VALIDATING, Aim::AtMost(1.35)),
    cpu(Side::Consume, batchpipe::OURS, bare::LOOP, Aim::AtMost(1.25)),
    other(Side::Consume, librdkafka::ZSTD, 2.5),
    other(Side::Consume, java::ZSTD, 3.0),
    other(Side::Consume, python::ZLIB, 7.0),
    other(Side::Consume, bento::ZSTD_TUNED, 15.0),
    bytes(librdkafka::ZSTD, 0.90),
    bytes(java::ZSTD, 0.80),
];

/// Million records per second through both sides that are aimed at, for the larger records.
pub(crate) const THROUGH: Aim = Aim::AtLeast(2.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_says_whether_it_holds() {
        assert_eq!(Aim::AtMost(1.25).text(1.3), "<= 1.25 MISSED");
        assert_eq!(Aim::AtLeast(3.5).text(3.5), ">= 3.5 holds");
    }
}
