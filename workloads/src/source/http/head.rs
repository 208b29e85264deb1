//! What the head of a request asks for. Pure; tokens are compared by [`super::secrets`].

use batchpipe_api::codec::Codec;
use hyper::{
    HeaderMap, Method,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue},
    http::request::Parts,
};

use super::{records::Format, refusal::Refusal};

/// Where records are sent to.
const PATH: &str = "/v1/records";

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) format: Format,
    /// How it is compressed, if it is.
    pub(super) codec: Option<Codec>,
}

/// Whether a request is for us at all.
pub(super) fn check_target(parts: &Parts) -> Result<(), Refusal> {
    if parts.uri.path() != PATH {
        return Err(Refusal::Path);
    }
    if parts.method == Method::POST { Ok(()) } else { Err(Refusal::Method) }
}

/// The bearer token, if there is exactly one.
pub(super) fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Reads type and encoding.
pub(super) fn read(headers: &HeaderMap) -> Result<Head, Refusal> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let format = match (types.next(), types.next()) {
        (None, _) => Format::Lines,
        (Some(value), None) => format(value).ok_or(Refusal::Type)?,
        _ => return Err(Refusal::Type),
    };
    Ok(Head { format, codec: codec(headers)? })
}

fn format(value: &HeaderValue) -> Option<Format> {
    let text = value.to_str().ok()?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let format = match parts.next()? {
        "application/x-ndjson" | "application/ndjson" | "text/plain" | "" => Format::Lines,
        "application/json" => Format::Array,
        _ => return None,
    };
    let is_utf8 = |part: &str| {
        let charset = part.strip_prefix("charset=").map(|it| it.trim_matches('"'));
        charset.is_none_or(|it| matches!(it, "utf-8" | "utf8" | "us-ascii"))
    };
    parts.all(is_utf8).then_some(format)
}

/// One encoding at most: decoding a second layer would multiply what a small body can cost.
fn codec(headers: &HeaderMap) -> Result<Option<Codec>, Refusal> {
    let mut found = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = value.to_str().map_err(|_| Refusal::Encoding)?.to_ascii_lowercase();
        for name in text.split(',').map(str::trim) {
            let codec = match name {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Codec::Gzip,
                // HTTP's name for the zlib format.
                "deflate" => Codec::Zlib,
                "zstd" => Codec::Zstd,
                _ => return Err(Refusal::Encoding),
            };
            if found.replace(codec).is_some() {
                return Err(Refusal::Encoding);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::{Request, header::HeaderName};

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn only_posts_to_the_one_path_are_for_us() {
        let check = |method: &str, target: &str| {
            let request = Request::builder().method(method).uri(target).body(()).unwrap();
            check_target(&request.into_parts().0)
        };
        assert_eq!(check("POST", "/v1/records"), Ok(()));
        assert_eq!(check("POST", "/v1/records?source=a"), Ok(()));
        assert_eq!(check("GET", "/v1/records"), Err(Refusal::Method));
        for path in ["/", "/v1/records/", "/v1/record", "/V1/records", "/readyz"] {
            assert_eq!(check("POST", path), Err(Refusal::Path), "{path}");
        }
    }

    #[test]
    fn the_type_says_how_records_stand() {
        let format = |value| read(&headers(&[(CONTENT_TYPE, value)])).map(|head| head.format);
        for value in ["application/x-ndjson", "Text/Plain; charset=UTF-8", "application/ndjson", ""]
        {
            assert_eq!(format(value), Ok(Format::Lines), "{value}");
        }
        for value in ["application/json", "APPLICATION/JSON;charset=\"utf-8\""] {
            assert_eq!(format(value), Ok(Format::Array), "{value}");
        }
        for value in [
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "application/jsonx",
            "text/html",
        ] {
            assert_eq!(format(value), Err(Refusal::Type), "{value}");
        }
        assert_eq!(read(&HeaderMap::new()).unwrap().format, Format::Lines);
        let twice = headers(&[(CONTENT_TYPE, "application/json"), (CONTENT_TYPE, "text/plain")]);
        assert_eq!(read(&twice), Err(Refusal::Type));
    }

    #[test]
    fn one_encoding_is_taken() {
        let codec = |values: &[&'static str]| {
            let pairs: Vec<_> = values.iter().map(|value| (CONTENT_ENCODING, *value)).collect();
            read(&headers(&pairs)).map(|head| head.codec)
        };
        assert_eq!(codec(&[]), Ok(None));
        assert_eq!(codec(&["identity"]), Ok(None));
        assert_eq!(codec(&["GZIP"]), Ok(Some(Codec::Gzip)));
        assert_eq!(codec(&["x-gzip, identity"]), Ok(Some(Codec::Gzip)));
        assert_eq!(codec(&["deflate"]), Ok(Some(Codec::Zlib)));
        assert_eq!(codec(&["zstd"]), Ok(Some(Codec::Zstd)));
        for values in [&["br"][..], &["gzip, gzip"], &["gzip", "zstd"], &["snappy"]] {
            assert_eq!(codec(values), Err(Refusal::Encoding), "{values:?}");
        }
    }

    #[test]
    fn a_token_is_what_follows_its_scheme() {
        let token = |values: &[&'static str]| {
            let pairs: Vec<_> = values.iter().map(|value| (AUTHORIZATION, *value)).collect();
            token(&headers(&pairs)).map(<[u8]>::to_vec)
        };
        assert_eq!(token(&["Bearer abc"]), Some(b"abc".to_vec()));
        assert_eq!(token(&["bearer  abc "]), Some(b"abc".to_vec()));
        for values in [&[][..], &["Basic abc"], &["abc"], &["Bearer"], &["Bearer a", "Bearer a"]] {
            assert_eq!(token(values), None, "{values:?}");
        }
    }
}
