//! What a status means for the records that it answers. Pure.

use http::StatusCode;

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has them.
    Delivered,
    /// It will never take them, or not all of them together.
    Refused,
    /// It may take them later.
    Later,
}

impl Verdict {
    /// The verdict on a request. What is neither success nor one of the refusals for good may pass, because somebody
    /// mends it: a token, an address, a full disk.
    pub(super) fn on_request(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Delivered,
            400 | 413 | 422 => Self::Refused,
            _ => Self::Later,
        }
    }

    /// The verdict on one record of a bulk request. Here other refusals are final too: the receiver has understood the
    /// request and speaks of this record, for example that it has one like it (409).
    pub(super) fn on_item(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            401 | 403 | 404 | 408 | 429 | 500.. => Self::Later,
            _ => Self::Refused,
        }
    }
}

/// What to do about a status, if anything but waiting helps.
pub(super) fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        300..=399 => "; redirects are not followed: correct spec.consumer.sink.http.url",
        401 | 403 => "; check the credentials of spec.consumer.sink.http",
        404 | 405 | 410 => "; check spec.consumer.sink.http.url",
        406 | 415 => "; check spec.consumer.sink.http.format",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(verdict: Verdict, statuses: &[u16]) {
        for status in statuses {
            let code = StatusCode::from_u16(*status).unwrap();
            assert_eq!(Verdict::on_request(code), verdict, "{status}");
        }
    }

    #[test]
    fn failures_that_may_pass_are_told_from_final_ones() {
        all(Verdict::Delivered, &[200, 201, 202, 204]);
        all(Verdict::Refused, &[400, 413, 422]);
        all(Verdict::Later, &[401, 403, 404, 408, 429, 500, 502, 503, 504, 507]);
    }

    #[test]
    fn nothing_is_given_up_for_a_wrong_address_or_format() {
        all(Verdict::Later, &[301, 302, 307, 308, 405, 406, 409, 410, 415]);
        assert!(advice(StatusCode::FOUND).contains("redirects are not followed"));
        assert!(advice(StatusCode::UNAUTHORIZED).contains("credentials"));
    }

    #[test]
    fn an_item_is_judged_by_itself() {
        for (status, verdict) in [
            (201, Verdict::Delivered),
            (400, Verdict::Refused),
            (409, Verdict::Refused),
            (403, Verdict::Later),
            (429, Verdict::Later),
            (503, Verdict::Later),
        ] {
            assert_eq!(Verdict::on_item(status), verdict, "{status}");
        }
    }
}
