//! Sizes and times as users write them: `900Ki`, `64Mi`, `1048576`; `100ms`, `30s`, `1h30m`.
//!
//! Text in, numbers out, and back, with the schema that the API server checks. What is printed is the shortest form
//! that reads back as the same value.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What the API server accepts as a size. Nine digits before a suffix keep the product inside an `i64`.
pub const BYTE_SIZE_PATTERN: &str = "^([0-9]{1,9}(Ki|Mi|Gi)|[0-9]{1,12})$";
/// What the API server accepts as a time: hours, minutes, seconds and milliseconds in that order, each at most once,
/// so that no text overflows the nanoseconds that CEL counts in.
pub const TIMESPAN_PATTERN: &str = "^[0-9]{1,6}(h([0-9]{1,6}m)?([0-9]{1,6}s)?([0-9]{1,9}ms)?|m([0-9]{1,6}s)?([0-9]{1,9}ms)?|s([0-9]{1,9}ms)?|ms)$";

const KIB: u64 = 1024;
/// Suffixes, the largest first, so that printing finds the shortest form.
const SIZES: [(&str, u64); 3] = [("Gi", KIB * KIB * KIB), ("Mi", KIB * KIB), ("Ki", KIB)];
/// Units in the order in which they are written, with their milliseconds.
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Why a text is no size or time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a size.
    #[error("{0:?} is not a size; write digits and at most one of Ki, Mi, Gi, for example 900Ki")]
    ByteSize(String),
    /// Not a time.
    #[error(
        "{0:?} is not a time; write digits with h, m, s or ms, largest unit first, for example 100ms or 1h30m"
    )]
    Timespan(String),
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many KiB.
    pub const fn from_kib(kib: u32) -> Self {
        Self(kib as u64 * KIB)
    }

    /// So many MiB.
    pub const fn from_mib(mib: u32) -> Self {
        Self(mib as u64 * KIB * KIB)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The number of bytes as a length in memory; what does not fit is the largest length there is.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::ByteSize(text.to_owned());
        let suffix =
            SIZES.iter().find_map(|(name, factor)| Some((text.strip_suffix(name)?, *factor)));
        let (digits, factor, most) = match suffix {
            Some((digits, factor)) => (digits, factor, 9),
            None => (text, 1, 12),
        };
        let count = number(digits, most).ok_or_else(wrong)?;
        count.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        match SIZES.iter().find(whole) {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

/// A length of time, in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timespan(Duration);

impl Timespan {
    /// So many milliseconds.
    pub const fn from_millis(millis: u32) -> Self {
        Self(Duration::from_millis(millis as u64))
    }

    /// So many seconds.
    pub const fn from_secs(secs: u32) -> Self {
        Self(Duration::from_secs(secs as u64))
    }

    /// The same as a [`Duration`].
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// The same in milliseconds.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Timespan {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_millis(text)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| UnitError::Timespan(text.to_owned()))
    }
}

fn parse_millis(text: &str) -> Option<u64> {
    let (mut rest, mut units, mut millis) = (text, TIMES.as_slice(), 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let letters = rest[digits..].find(|c: char| !c.is_ascii_alphabetic());
        let (unit, tail) = rest[digits..].split_at(letters.unwrap_or(rest.len() - digits));
        let at = units.iter().position(|(name, _)| *name == unit)?;
        let count = number(&rest[..digits], if unit == "ms" { 9 } else { 6 })?;
        millis = millis.checked_add(count.checked_mul(units[at].1)?)?;
        (rest, units) = (tail, &units[at + 1..]);
    }
    (!text.is_empty()).then_some(millis)
}

impl fmt::Display for Timespan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.as_millis();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, factor) in TIMES {
            if rest >= factor {
                write!(f, "{}{name}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

/// Reads up to `most` digits and nothing else.
fn number(digits: &str, most: usize) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && digits.len() <= most { digits.parse().ok() } else { None }
}

macro_rules! as_text {
    ($unit:ident, $pattern:expr, $longest:expr) => {
        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $unit {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($unit).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "maxLength": $longest, "pattern": $pattern})
            }
        }
    };
}

as_text!(ByteSize, BYTE_SIZE_PATTERN, 12);
as_text!(Timespan, TIMESPAN_PATTERN, 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_printed_as_they_are_written() {
        for text in ["0", "1", "1000", "1023", "1Ki", "900Ki", "16Mi", "1Gi", "1025"] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        assert_eq!("1024Ki".parse::<ByteSize>().unwrap().to_string(), "1Mi");
        assert_eq!("900Ki".parse::<ByteSize>().unwrap().bytes(), 921_600);
    }

    #[test]
    fn times_are_printed_as_they_are_written() {
        for text in ["0s", "1ms", "100ms", "30s", "1m", "1h30m", "24h", "1h2m3s4ms", "1s500ms"] {
            assert_eq!(text.parse::<Timespan>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Timespan>().unwrap().to_string(), "1m30s");
        assert_eq!("1m30s".parse::<Timespan>().unwrap().as_duration(), Duration::from_secs(90));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "Ki", "-1", "+1", "1k", "1KB", "1.5Mi", "1 Ki", "1000000000Gi", "1e3", "1Ti"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "1", "ms", "-1s", "1.5s", "1s1m", "1s1s", "1d", "1 s", "1000000s", "1us", "s1"]
        {
            assert!(text.parse::<Timespan>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_schema_and_the_parser_accept_the_same_texts() {
        let (sizes, times) = (
            regex::Regex::new(BYTE_SIZE_PATTERN).unwrap(),
            regex::Regex::new(TIMESPAN_PATTERN).unwrap(),
        );
        for text in [
            "",
            "0",
            "12",
            "1Ki",
            "9Gi",
            "1ki",
            "1s",
            "1ms",
            "1h1ms",
            "1m1h",
            "1m1m",
            "00s",
            "1h1m1s1ms",
            "9999999s",
        ] {
            assert_eq!(sizes.is_match(text), text.parse::<ByteSize>().is_ok(), "size {text}");
            assert_eq!(times.is_match(text), text.parse::<Timespan>().is_ok(), "time {text}");
        }
    }
}
