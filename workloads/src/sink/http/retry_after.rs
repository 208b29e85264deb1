//! How long a receiver asks to be left alone: `Retry-After`, in seconds or as a date. Pure; the time is passed in.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

/// The longest wait that is granted: a receiver that says tomorrow may mean something else.
const LONGEST: Duration = Duration::from_mins(5);

/// Reads the header; nothing when it says nothing that can be understood.
pub(super) fn parse(value: &[u8], now: Timestamp) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(text: &str) -> Option<Duration> {
        parse(text.as_bytes(), "1994-11-06T08:49:00Z".parse().unwrap())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait(" 0 "), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(37)));
    }

    #[test]
    fn a_date_that_has_passed_is_no_wait() {
        assert_eq!(wait("Sun, 06 Nov 1994 08:48:59 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn nobody_is_waited_for_longer_than_five_minutes() {
        for text in ["86400", "99999999999999999999999", "Sun, 06 Nov 2094 08:49:37 GMT"] {
            assert_eq!(wait(text), Some(LONGEST), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_ignored() {
        for text in ["", "soon", "-1", "1.5", "Sun, 99 Nov 1994"] {
            assert_eq!(wait(text), None, "{text}");
        }
        assert_eq!(parse(b"\xff", Timestamp::UNIX_EPOCH), None);
    }
}
