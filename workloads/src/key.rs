//! The partition of a record: a JSON pointer finds its key, murmur2 turns the key into a partition.
//!
//! Pure. Values are not built: everything beside the key is skipped while it is being checked.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Where in a record its key stands (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// Why a text is no JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no JSON pointer: it must start with '/', and '~' must be followed by 0 or 1")]
pub struct PointerError(String);

impl Pointer {
    /// Reads a pointer such as `/device/id`.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let error = || PointerError(text.to_owned());
        let tokens = text.strip_prefix('/').ok_or_else(error)?;
        tokens
            .split('/')
            .map(|token| unescape(token).ok_or_else(error))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Checks that `record` is one JSON value and hashes its key: `Err` when it is not JSON, `Ok(None)` when
    /// it has no key (missing, null, an object or an array). The caller has checked that it is UTF-8.
    pub fn hash(&self, record: &str) -> Result<Option<KeyHash>, serde_json::Error> {
        Ok(self.key(record)?.map(|key| KeyHash::of(key.as_bytes())))
    }

    /// The key itself, under the same rules: a string unescaped, any other scalar as its text stands in the record.
    pub fn key<'r>(&self, record: &'r str) -> Result<Option<Cow<'r, str>>, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(record);
        let found = Seek { tokens: &self.0 }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        found.map_or(Ok(None), text_of)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            '~' => match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}

/// The hash of a key, as the Java client computes it: non-negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash(u32);

impl KeyHash {
    /// Hashes the bytes of a key.
    pub fn of(key: &[u8]) -> Self {
        Self(murmur2(key) & 0x7fff_ffff)
    }

    /// The partition of this key among `partitions`.
    pub const fn partition(self, partitions: u32) -> u32 {
        self.0 % partitions
    }
}

fn text_of(value: &RawValue) -> Result<Option<Cow<'_, str>>, serde_json::Error> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'"') => Ok(Some(serde_json::from_str::<Text<'_>>(text)?.0)),
        Some(b'{' | b'[' | b'n') | None => Ok(None),
        Some(_) => Ok(Some(Cow::Borrowed(text))),
    }
}

/// A JSON string that is borrowed when it holds no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Walks down the pointer's tokens.
#[derive(Clone, Copy)]
struct Seek<'t> {
    tokens: &'t [String],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.tokens.is_empty() {
            return serde::Deserialize::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (token, rest) = self.tokens.split_first().expect("the last token is not visited");
        let mut found = None;
        while let Some(is_ours) = map.next_key_seed(Name(token))? {
            if is_ours {
                // The last of several equal names wins, as in most JSON readers.
                found = map.next_value_seed(Seek { tokens: rest })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (token, rest) = self.tokens.split_first().expect("the last token is not visited");
        let wanted =
            token.parse::<usize>().ok().filter(|_| token == "0" || !token.starts_with(['0', '+']));
        let mut found = None;
        for index in 0_usize.. {
            if Some(index) == wanted {
                match seq.next_element_seed(Seek { tokens: rest })? {
                    Some(element) => found = element,
                    None => break,
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Compares a member's name without keeping it.
struct Name<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// Murmur hash 2 as in Kafka's Java client (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Kafka hashes arrays, whose length is an `i32`; a record is far smaller than that.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("a chunk of four bytes"));
        let mixed = word.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ (mixed ^ (mixed >> 24)).wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_java_client() {
        // From Kafka's own UtilsTest.
        for (key, expected) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    fn key(pointer: &str, record: &str) -> Option<KeyHash> {
        Pointer::parse(pointer).unwrap().hash(record).unwrap()
    }

    #[test]
    fn strings_are_hashed_unescaped_and_scalars_by_their_text() {
        assert_eq!(
            key("/device/id", r#"{"x":[1],"device":{"id":"a\u0062c"}}"#),
            Some(KeyHash::of(b"abc"))
        );
        assert_eq!(key("/n", r#"{"n":1.50}"#), Some(KeyHash::of(b"1.50")));
        assert_eq!(key("/n", r#"{"n":true}"#), Some(KeyHash::of(b"true")));
        assert_eq!(key("/list/1", r#"{"list":["a","b"]}"#), Some(KeyHash::of(b"b")));
        assert_eq!(key("/a~1b/m~0n", r#"{"a/b":{"m~n":"x"}}"#), Some(KeyHash::of(b"x")));
        assert_eq!(key("/d", r#"{"d":"first","d":"last"}"#), Some(KeyHash::of(b"last")));
    }

    #[test]
    fn what_has_no_scalar_there_has_no_key() {
        for record in [
            "{}",
            r#"{"d":null}"#,
            r#"{"d":{}}"#,
            r#"{"d":[1]}"#,
            "1",
            "[]",
            "\"text\"",
            "null",
            "true",
            "-1.5",
        ] {
            assert_eq!(key("/d", record), None, "{record}");
        }
        assert_eq!(key("/list/01", r#"{"list":["a","b"]}"#), None);
    }

    #[test]
    fn damage_anywhere_is_found() {
        let pointer = Pointer::parse("/d").unwrap();
        for record in
            [r#"{"d":1"#, r#"{"d":1}}"#, r#"{"d":1} x"#, r#"{"x":[1,],"d":1}"#, r#"{"d":"\q"}"#, ""]
        {
            assert!(pointer.hash(record).is_err(), "{record}");
        }
    }

    #[test]
    fn pointers_are_checked() {
        for text in ["", "device", "/a~", "/a~2"] {
            assert!(Pointer::parse(text).is_err(), "{text}");
        }
    }
}
