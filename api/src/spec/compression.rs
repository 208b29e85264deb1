//! `spec.compression`: how a batch is compressed, and what Kafka's client adds around it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::Codec;

/// Kafka's own compression of the message around a batch.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// None: the batch is compressed already.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd.
    Zstd,
}

impl Transport {
    /// Every kind, in the order in which documents list them.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The name here and in librdkafka's `compression.codec`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name() == name)
    }
}

/// How batches are compressed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.level) || self.codec != 'zstd' || (self.level >= 1 && self.level <= 19)")
        .message("zstd has levels 1 to 19").field_path(".level"),
    validation = Rule::new("!has(self.level) || !(self.codec in ['gzip', 'zlib']) || (self.level >= 1 && self.level <= 9)")
        .message("gzip and zlib have levels 1 to 9").field_path(".level"),
    validation = Rule::new("!has(self.level) || !(self.codec in ['lz4', 'snappy', 'none'])")
        .message("lz4, snappy and none have no levels; remove level or choose zstd, gzip or zlib").field_path(".level"),
)]
pub struct Compression {
    /// Codec of each batch: zstd, gzip, zlib, lz4, snappy or none; default zstd, which on batches of JSON is both
    /// smaller and faster than the others. Consumers read any of them, whatever is set here.
    #[serde(default)]
    pub codec: Codec,
    /// Level of the codec: 1 to 19 for zstd (default 1), 1 to 9 for gzip and zlib (default 6); the others have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 19))]
    pub level: Option<i32>,
    /// Kafka's own compression around each message: none, gzip, snappy, lz4 or zstd; default none, because what is
    /// compressed already does not shrink again. Useful with codec none.
    #[serde(default)]
    pub transport: Transport,
}

impl Compression {
    /// The level that applies: the one that is set, or the codec's default; `None` for codecs without levels.
    pub fn effective_level(&self) -> Option<i32> {
        self.codec.levels().and_then(|_| self.level.or_else(|| self.codec.default_level()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_have_the_same_name_in_a_file_and_in_code() {
        for transport in Transport::ALL {
            assert_eq!(serde_json::to_value(transport).unwrap(), transport.name());
            assert_eq!(Transport::from_name(transport.name()), Some(transport));
        }
    }

    #[test]
    fn a_level_falls_back_to_its_codecs_default() {
        let level =
            |codec, level| Compression { codec, level, ..Compression::default() }.effective_level();
        assert_eq!(level(Codec::Zstd, None), Some(1));
        assert_eq!(level(Codec::Zlib, None), Some(6));
        assert_eq!(level(Codec::Zlib, Some(9)), Some(9));
        assert_eq!(level(Codec::Lz4, None), None);
    }
}
