//! `spec.batch`: when a batch is full.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use crate::units::{ByteSize, Timespan};

/// When the producer closes a batch: at the first limit that is reached.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Most records in a batch; 1 to 1000000, default 500. More records compress better, up to a point: beyond some
    /// thousand little is gained.
    #[serde(default = "max_records")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_records: i32,
    /// Most bytes in a batch before compression; 1Ki to 64Mi, default 900Ki, which fits in a message of a broker with
    /// default settings even when it does not compress. A longer record is dead-lettered.
    #[serde(default = "max_bytes")]
    #[x_kube(validation = rules::size_between("1Ki", "64Mi"))]
    pub max_bytes: ByteSize,
    /// How long a batch waits for more records after its first; 1ms to 10m, default 100ms. This is latency that every
    /// record may pay.
    #[serde(default = "linger")]
    #[x_kube(validation = rules::time_between("1ms", "10m"))]
    pub linger: Timespan,
}

const fn max_records() -> i32 {
    500
}

const fn max_bytes() -> ByteSize {
    ByteSize::from_kib(900)
}

const fn linger() -> Timespan {
    Timespan::from_millis(100)
}

impl Default for Batch {
    fn default() -> Self {
        Self { max_records: max_records(), max_bytes: max_bytes(), linger: linger() }
    }
}
