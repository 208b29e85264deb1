//! Why a record or a message could not be processed: the closed set that dead letters, metrics and reports share.

use serde::{Deserialize, Serialize};

/// The reason of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The compressed data is damaged, or is followed by bytes that do not belong to it.
    Corrupt,
    /// The compressed data ends too early.
    Truncated,
    /// The batch would be larger than `limits.maxBatchBytes` after decompression.
    TooLarge,
    /// The batch holds more records than `limits.maxBatchRecords`.
    TooManyRecords,
    /// The `content-encoding`, or a zstd dictionary that the frame names, is not known.
    UnsupportedCodec,
    /// The envelope's version is not known.
    UnsupportedVersion,
    /// Checksum, size or number of records differ from what the envelope says.
    IntegrityMismatch,
    /// The record is not one JSON value in UTF-8.
    InvalidJson,
    /// The sink refused the record for good.
    SinkRejected,
    /// The record alone is larger than a batch or a message may be.
    RecordTooLarge,
    /// The record holds a raw newline and is not known to be JSON.
    Newline,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Corrupt,
        Self::Truncated,
        Self::TooLarge,
        Self::TooManyRecords,
        Self::UnsupportedCodec,
        Self::UnsupportedVersion,
        Self::IntegrityMismatch,
        Self::InvalidJson,
        Self::SinkRejected,
        Self::RecordTooLarge,
        Self::Newline,
    ];

    /// The name on the wire and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corrupt => "corrupt",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::TooManyRecords => "too_many_records",
            Self::UnsupportedCodec => "unsupported_codec",
            Self::UnsupportedVersion => "unsupported_version",
            Self::IntegrityMismatch => "integrity_mismatch",
            Self::InvalidJson => "invalid_json",
            Self::SinkRejected => "sink_rejected",
            Self::RecordTooLarge => "record_too_large",
            Self::Newline => "newline",
        }
    }

    /// Reads a name; `None` when it is not one of the set.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
