//! File names: what a name says of its content, and back. Pure.
//!
//! Topic names may hold `-`, `.` and digits, so names are read from the right: the last fields have a fixed
//! form, and what is left is the topic.

/// Digits of an offset in a name; all have as many, so that names sort as their offsets do.
const OFFSET_DIGITS: usize = 20;
/// The longest file name that common file systems take, in bytes.
const NAME_MAX: usize = 255;
const PART: &str = ".part";
const COMPLETE: &str = ".ndjson";

/// The files of one partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) topic: String,
    pub(super) partition: i32,
}

/// What a file of ours is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Being written, or torn.
    Part { first: i64 },
    /// Complete: covers these messages.
    Complete { first: i64, last: i64 },
}

impl Series {
    /// The name while a file is written, hidden from `ls` and from `*.ndjson`.
    pub(super) fn part(&self, first: i64) -> String {
        format!(".{}-{}-{first:020}{PART}", self.topic, self.partition)
    }

    /// The name of a complete file.
    pub(super) fn complete(&self, first: i64, last: i64) -> String {
        format!("{}-{}-{first:020}-{last:020}{COMPLETE}", self.topic, self.partition)
    }

    /// Whether file systems take such names.
    pub(super) fn is_nameable(&self) -> bool {
        self.complete(0, 0).len() <= NAME_MAX
    }
}

/// Reads a name; `None` when it is not one of ours.
pub(super) fn parse(name: &str) -> Option<(Series, Kind)> {
    if let Some(rest) = name.strip_suffix(COMPLETE) {
        let (rest, last) = split_offset(rest)?;
        let (rest, first) = split_offset(rest)?;
        return (first <= last).then_some((series(rest)?, Kind::Complete { first, last }));
    }
    let (rest, first) = split_offset(name.strip_prefix('.')?.strip_suffix(PART)?)?;
    Some((series(rest)?, Kind::Part { first }))
}

fn split_offset(name: &str) -> Option<(&str, i64)> {
    let (rest, digits) = name.rsplit_once('-')?;
    let is_offset =
        digits.len() == OFFSET_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_offset.then(|| digits.parse().ok()).flatten().map(|offset| (rest, offset))
}

fn series(name: &str) -> Option<Series> {
    let (topic, digits) = name.rsplit_once('-')?;
    let partition: i32 = digits.parse().ok()?;
    let is_ours = !topic.is_empty() && partition >= 0 && partition.to_string() == digits;
    is_ours.then(|| Series { topic: topic.to_owned(), partition })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: &str, partition: i32) -> Series {
        Series { topic: topic.to_owned(), partition }
    }

    #[test]
    fn names_say_what_they_hold() {
        let name = "a-0-00000000000000000007-00000000000000000019.ndjson";
        assert_eq!(of("a", 0).complete(7, 19), name);
        assert_eq!(of("a", 0).part(7), ".a-0-00000000000000000007.part");
    }

    #[test]
    fn names_are_read_back_whatever_the_topic_is_called() {
        let digits = "x-00000000000000000001";
        for topic in ["a", "a-1", "a.b", "-", "1", "a-0-7", digits, ".hidden", "x.part", "y.ndjson"]
        {
            for partition in [0, 10, i32::MAX] {
                let series = of(topic, partition);
                let (part, complete) = (series.part(i64::MAX), series.complete(0, i64::MAX));
                let kind = Kind::Complete { first: 0, last: i64::MAX };
                assert_eq!(parse(&part), Some((series.clone(), Kind::Part { first: i64::MAX })));
                assert_eq!(parse(&complete), Some((series, kind)));
            }
        }
    }

    #[test]
    fn names_of_one_partition_sort_as_their_offsets_do() {
        let series = of("a", 0);
        assert!(series.complete(9, 10) < series.complete(11, 11));
        assert!(series.complete(999, 1000) < series.complete(1001, 123_456_789));
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "",
            ".part",
            "a-0-7-19.ndjson",
            "a-00-00000000000000000007-00000000000000000019.ndjson",
            "a-+1-00000000000000000007-00000000000000000019.ndjson",
            "-0-00000000000000000007-00000000000000000019.ndjson",
            "0-00000000000000000007-00000000000000000019.ndjson",
            "a-0-00000000000000000020-00000000000000000019.ndjson",
            "a-0-00000000000000000007-99999999999999999999.ndjson",
            "a-0-00000000000000000007-00000000000000000019.ndjson.gz",
            "a-0-00000000000000000007.part",
            ".a-0-+0000000000000000007.part",
            ".batchpipe.lock",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_topic_that_is_too_long_for_a_file_name_is_noticed() {
        assert!(of(&"a".repeat(200), 0).is_nameable());
        assert!(!of(&"a".repeat(249), 0).is_nameable());
    }
}
