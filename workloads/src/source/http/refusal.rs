//! Why a request is not taken: the status, the words and the headers of the answer. Pure.

use std::fmt::Write as _;

use http_body_util::Full;
use hyper::{
    HeaderMap, Response, StatusCode,
    body::Bytes,
    header::{
        ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER,
        WWW_AUTHENTICATE,
    },
};

use super::records::{Fault, Place};
use crate::codec::DecodeError;

/// When a client should try again, in seconds: most of what it waits for passes soon.
const RETRY_SECONDS: &str = "1";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request is not taken. Nothing of it was sent, but for [`Refusal::Unsettled`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Another path.
    #[error("not found; there is POST /v1/records")]
    Path,
    /// Another method.
    #[error("only POST is allowed here")]
    Method,
    /// No token, or a wrong one.
    #[error("the bearer token is missing or wrong; send it as Authorization: Bearer TOKEN")]
    Token,
    /// The token that clients must present is not known yet.
    #[error("the token that clients must present is not known yet; try again later")]
    NoToken,
    /// A content type that is not known.
    #[error(
        "this Content-Type is not supported; send application/x-ndjson (a record on each line) or application/json (one array), in UTF-8"
    )]
    Type,
    /// A content encoding that is not known.
    #[error(
        "this Content-Encoding is not supported; send gzip, zstd, deflate or identity, one of them"
    )]
    Encoding,
    /// The body is too large.
    #[error("the body has more than {most} bytes, sent or decompressed; send less in each request")]
    TooLarge {
        /// What it may have.
        most: usize,
    },
    /// The body took too long.
    #[error("the body did not come within {seconds} s; send less in each request")]
    Slow {
        /// How long it may take.
        seconds: u64,
    },
    /// The body broke off, or breaks the rules of HTTP.
    #[error("the body cannot be read as its head announces it")]
    Body,
    /// It cannot be decompressed.
    #[error("the body cannot be decompressed: {0}")]
    Damaged(DecodeError),
    /// A record is not right.
    #[error("{}{fault}; nothing of this request was sent", name(*place))]
    Record {
        /// Which one.
        place: Place,
        /// What is wrong.
        fault: Fault,
    },
    /// No memory.
    #[error("too many requests are waiting for the broker; try again later")]
    Busy,
    /// The process stops.
    #[error("this process is stopping and takes no more records; send them again")]
    Stopping,
    /// The process stops, and the broker has not acknowledged everything.
    #[error(
        "this process is stopping, and the broker has not acknowledged these records yet; send them again, some may arrive twice"
    )]
    Unsettled,
}

fn name(place: Place) -> String {
    match place {
        Place::Line(number) => format!("line {number} "),
        Place::Index(index) => format!("element {index} of the array "),
        Place::Text => "the body ".to_owned(),
    }
}

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Type | Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Body | Self::Damaged(_) | Self::Record { .. } => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NoToken | Self::Stopping | Self::Unsettled => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn headers(&self, headers: &mut HeaderMap) {
        let (name, value) = match self {
            Self::Method => (ALLOW, "POST"),
            Self::Token => (WWW_AUTHENTICATE, "Bearer"),
            Self::Encoding => (ACCEPT_ENCODING, "gzip, zstd, deflate, identity"),
            Self::Busy | Self::NoToken | Self::Stopping | Self::Unsettled => {
                (RETRY_AFTER, RETRY_SECONDS)
            }
            // The rest of it may still come, and is not worth waiting for.
            Self::Slow { .. } | Self::Body => (CONNECTION, "close"),
            _ => return,
        };
        headers.insert(name, HeaderValue::from_static(value));
    }

    /// The answer: `error`, and `line` or `index` if a record is at fault.
    pub(super) fn answer(&self) -> Response<Full<Bytes>> {
        let text = serde_json::to_string(&self.to_string()).expect("a text can be written as JSON");
        let mut body = format!("{{\"error\":{text}");
        if let Self::Record { place, .. } = self {
            let number = match place {
                Place::Line(number) => Some(("line", number)),
                Place::Index(number) => Some(("index", number)),
                Place::Text => None,
            };
            if let Some((key, number)) = number {
                write!(body, ",\"{key}\":{number}").expect("a String takes everything");
            }
        }
        body.push_str("}\n");
        let mut response = answer(self.status(), body);
        self.headers(response.headers_mut());
        response
    }
}

/// The answer to a request whose records the broker has acknowledged.
pub(super) fn accepted(records: u64) -> Response<Full<Bytes>> {
    answer(StatusCode::OK, format!("{{\"accepted\":{records}}}\n"))
}

fn answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_record_is_named_in_words_and_as_a_number() {
        let refusal = |place| Refusal::Record { place, fault: Fault::Json };
        let words = refusal(Place::Line(7)).to_string();
        assert!(words.starts_with("line 7 is not one JSON value"), "{words}");
        let answer = refusal(Place::Index(0)).answer();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        assert!(refusal(Place::Index(0)).to_string().starts_with("element 0 of the array is not"));
    }

    #[test]
    fn whoever_may_try_again_is_told_when() {
        for refusal in [Refusal::Busy, Refusal::Stopping, Refusal::Unsettled, Refusal::NoToken] {
            assert_eq!(refusal.answer().headers()[RETRY_AFTER], RETRY_SECONDS, "{refusal}");
        }
        assert_eq!(Refusal::Method.answer().headers()[ALLOW], "POST");
        assert_eq!(Refusal::Token.answer().headers()[WWW_AUTHENTICATE], "Bearer");
    }
}
