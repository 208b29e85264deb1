//! What is to be done with a letter. Pure.

use std::{borrow::Cow, collections::BTreeSet};

use batchpipe_api::reason::Reason;

use crate::{
    dead_letter_header::{DeadLetterHeader, DeadLetterHeaderError},
    json, lines,
};

/// Where a letter is in the dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Which letters are sent back.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The dead-letter topic, to which nothing is sent.
    pub(super) from: String,
    /// The reasons that are asked for.
    pub(super) reasons: BTreeSet<Reason>,
    /// Letters that were sent back so often are left.
    pub(super) max_attempts: u32,
}

/// Why a letter stays where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// It has no header that makes it a letter.
    #[error("is no dead letter: it has no header batchpipe-dlq")]
    Foreign,
    /// Its header cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(DeadLetterHeaderError),
    /// Nobody can read it.
    #[error("cannot be read: {0}")]
    Damaged(&'static str),
    /// Its reason was not asked for.
    #[error("was not asked for: its reason is {0}")]
    NotAsked(Reason),
    /// An earlier run has sent it back.
    #[error("was sent back before")]
    SentBefore,
    /// Only its start is there.
    #[error("is truncated: only its start is here, of {size} bytes; look at the original")]
    Truncated {
        /// Size of the original in bytes.
        size: u64,
    },
    /// It has come back too often.
    #[error("has come back {attempts} times already; --max-attempts allows more")]
    TooManyAttempts {
        /// How often.
        attempts: u32,
    },
    /// Its record cannot be a line of a batch.
    #[error(
        "cannot be put into a batch: it is blank, or holds a line end that is not whitespace of JSON"
    )]
    NotOneLine,
    /// It says that it comes from the dead-letter topic itself.
    #[error("says that it comes from the dead-letter topic itself; send it elsewhere with --to")]
    OwnTopic,
    /// The broker refuses its size.
    #[error("is too large for topic {topic}, even alone; raise its max.message.bytes")]
    TooLarge {
        /// Where it should have gone.
        topic: String,
    },
}

/// A letter that is sent back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sendable<'a> {
    /// As it is.
    Whole,
    /// As a record of a batch: one line.
    Record(Cow<'a, [u8]>),
}

/// Decides about a letter by its header and its value. `is_sent` tells whether an earlier run has sent back the letters
/// here that have this reason and number of attempts.
pub(super) fn judge<'a>(
    header: Option<Result<DeadLetterHeader, DeadLetterHeaderError>>,
    value: &'a [u8],
    rules: &Rules,
    is_sent: impl FnOnce(Reason, u32) -> bool,
) -> Result<(DeadLetterHeader, Sendable<'a>), Left> {
    let header = header.ok_or(Left::Foreign)?.map_err(Left::Unreadable)?;
    let DeadLetterHeader { reason, attempts, .. } = header;
    if !rules.reasons.contains(&reason) {
        return Err(Left::NotAsked(reason));
    }
    if let Some(size) = header.truncated {
        return Err(Left::Truncated { size });
    }
    if attempts >= rules.max_attempts {
        return Err(Left::TooManyAttempts { attempts });
    }
    if is_sent(reason, attempts) {
        return Err(Left::SentBefore);
    }
    if header.topic == rules.from {
        return Err(Left::OwnTopic);
    }
    let sendable = if is_record(&header) {
        Sendable::Record(line(value).ok_or(Left::NotOneLine)?)
    } else {
        Sendable::Whole
    };
    Ok((header, sendable))
}

/// Whether a letter is one record: of a batch, or one that never was in one because its producer refused it.
const fn is_record(header: &DeadLetterHeader) -> bool {
    header.index.is_some() || header.offset < 0
}

/// The record as one line: a line end in JSON can only be whitespace, for which a space does as well.
fn line(record: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\n', record).is_none() {
        return (!lines::is_blank(record)).then_some(Cow::Borrowed(record));
    }
    let is_json = json::is_json_record(record);
    let space = |byte: &u8| if *byte == b'\n' { b' ' } else { *byte };
    is_json.then(|| Cow::Owned(record.iter().map(space).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "reason=corrupt;topic=rooms;partition=3;offset=17";
    const RECORD: &str = "reason=invalid_json;topic=rooms;partition=3;offset=17;index=0";
    const REFUSED: &str = "reason=record_too_large;topic=rooms;partition=-1;offset=-1";

    fn rules(reasons: &[Reason]) -> Rules {
        Rules {
            from: "rooms.dlq".to_owned(),
            reasons: reasons.iter().copied().collect(),
            max_attempts: 3,
        }
    }

    fn decide<'a>(header: &str, value: &'a str) -> Result<Sendable<'a>, Left> {
        let header = Some(DeadLetterHeader::parse(header.as_bytes()));
        let judged = judge(header, value.as_bytes(), &rules(&Reason::ALL), |_, _| false);
        judged.map(|(_, sendable)| sendable)
    }

    fn record(text: &str) -> Sendable<'_> {
        Sendable::Record(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn messages_go_back_whole_and_records_as_lines() {
        assert_eq!(decide(WHOLE, "any\nbytes"), Ok(Sendable::Whole));
        assert_eq!(decide(RECORD, "not json"), Ok(record("not json")));
        assert_eq!(decide(REFUSED, "{}"), Ok(record("{}")), "it never was in a batch");
    }

    #[test]
    fn only_a_record_that_is_one_line_can_be_in_a_batch() {
        assert_eq!(decide(RECORD, "{\n}"), Ok(record("{ }")), "whitespace of JSON");
        assert_eq!(decide(RECORD, "not\njson"), Err(Left::NotOneLine));
        assert_eq!(decide(RECORD, " \t"), Err(Left::NotOneLine));
    }

    #[test]
    fn what_is_no_letter_is_left() {
        let judged = judge(None, b"x", &rules(&Reason::ALL), |_, _| false);
        assert_eq!(judged.unwrap_err(), Left::Foreign);
        let missing = DeadLetterHeaderError::Missing("topic");
        assert_eq!(decide("reason=corrupt", "x"), Err(Left::Unreadable(missing)));
        assert_eq!(decide(&WHOLE.replace("rooms", "rooms.dlq"), "x"), Err(Left::OwnTopic));
    }

    #[test]
    fn what_is_truncated_cannot_be_sent_back() {
        let header = format!("{WHOLE};truncated=1;size=9000");
        assert_eq!(decide(&header, "x"), Err(Left::Truncated { size: 9000 }));
    }

    #[test]
    fn attempts_come_to_an_end() {
        assert_eq!(decide(&format!("{WHOLE};attempts=2"), "x"), Ok(Sendable::Whole));
        for attempts in [3, 4, u32::MAX] {
            let left = decide(&format!("{WHOLE};attempts={attempts}"), "x");
            assert_eq!(left, Err(Left::TooManyAttempts { attempts }));
        }
    }

    #[test]
    fn only_what_is_asked_for_is_sent_and_only_once() {
        let header = || Some(DeadLetterHeader::parse(WHOLE.as_bytes()));
        let other = judge(header(), b"x", &rules(&[Reason::TooLarge]), |_, _| false);
        assert_eq!(other.unwrap_err(), Left::NotAsked(Reason::Corrupt));
        let sent = judge(header(), b"x", &rules(&[Reason::Corrupt]), |reason, attempts| {
            (reason, attempts) == (Reason::Corrupt, 0)
        });
        assert_eq!(sent.unwrap_err(), Left::SentBefore);
    }
}
