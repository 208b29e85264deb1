//! In which codings a receiver takes requests, as far as it has said so: `Accept-Encoding` in its answers (RFC 7694).
//! Pure.
//!
//! Only what a receiver names is used, never `*`: one that does not know a coding might keep compressed bytes as if they
//! were records.

use std::sync::atomic::{AtomicU8, Ordering};

use batchpipe_api::codec::Codec;
use http::{HeaderMap, header::ACCEPT_ENCODING};

/// The codecs whose output HTTP has a registered name for. LZ4 and snappy have none.
const NAMED: [(Codec, &str); 3] =
    [(Codec::Zstd, "zstd"), (Codec::Gzip, "gzip"), (Codec::Zlib, "deflate")];
/// The receiver has refused a coding that it had named: none is used any more.
const CLOSED: u8 = 1 << 7;

/// What is known of a receiver; nothing at first.
#[derive(Debug, Default)]
pub(super) struct Codings(AtomicU8);

/// The codings that an answer names; `None` when it does not speak of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named(u8);

impl Named {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(ACCEPT_ENCODING).iter().peekable();
        values.peek()?;
        let items = values.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
        Some(Self(items.filter_map(bit_of_item).fold(0, |all, bit| all | bit)))
    }
}

impl Codings {
    /// The receiver has said what it accepts, which counts until it says something else.
    pub(super) fn learn(&self, named: Named) {
        let keep_closed = |known| (known & CLOSED == 0).then_some(named.0);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, keep_closed); // closed
    }

    /// It does not mean what it says.
    pub(super) fn close(&self) {
        self.0.store(CLOSED, Ordering::Relaxed);
    }

    /// What the receiver calls a codec's output, if it accepts it.
    pub(super) fn name(&self, codec: Codec) -> Option<&'static str> {
        let known = self.0.load(Ordering::Relaxed);
        NAMED.into_iter().enumerate().find_map(|(place, (named, name))| {
            (named == codec && known & (1 << place) != 0).then_some(name)
        })
    }
}

/// The bit of `gzip` or `gzip;q=0.5`; none with a weight of 0, which forbids it.
fn bit_of_item(item: &str) -> Option<u8> {
    let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
    let weight = parameters.trim().strip_prefix(['q', 'Q']).and_then(|it| it.strip_prefix('='));
    if weight.is_some_and(|weight| !weight.trim().parse().is_ok_and(|weight: f32| weight > 0.0)) {
        return None;
    }
    let is_it = |(_, known): &(Codec, &str)| known.eq_ignore_ascii_case(name.trim());
    NAMED.iter().position(is_it).map(|place| 1 << place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(values: &[&'static str]) -> Option<Named> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, value.parse().unwrap());
        }
        Named::of(&headers)
    }

    fn accepted(values: &[&'static str]) -> Vec<&'static str> {
        let codings = Codings::default();
        codings.learn(named(values).unwrap());
        Codec::ALL.into_iter().filter_map(|codec| codings.name(codec)).collect()
    }

    #[test]
    fn nothing_is_taken_for_granted() {
        assert_eq!(named(&[]), None);
        for values in [&[""][..], &["*"], &["identity"], &["br, lz4, snappy"], &["zstdx"]] {
            assert_eq!(accepted(values), [""; 0], "{values:?}");
        }
    }

    #[test]
    fn what_is_named_is_accepted_unless_its_weight_is_nothing() {
        assert_eq!(accepted(&["gzip"]), ["gzip"]);
        assert_eq!(accepted(&["GZip;q=0.5 , zstd", "br"]), ["zstd", "gzip"]);
        assert_eq!(accepted(&["zstd;q=0, gzip;q=0.000, deflate; q=1"]), ["deflate"]);
        assert_eq!(accepted(&["zstd;q=a, gzip;level=1"]), ["gzip"]);
    }

    #[test]
    fn the_last_word_counts_and_a_broken_one_ends_it() {
        let codings = Codings::default();
        codings.learn(named(&["zstd"]).unwrap());
        codings.learn(named(&["gzip"]).unwrap());
        assert_eq!((codings.name(Codec::Zstd), codings.name(Codec::Gzip)), (None, Some("gzip")));
        codings.close();
        codings.learn(named(&["gzip"]).unwrap());
        assert_eq!(codings.name(Codec::Gzip), None);
    }
}
