//! Offsets that no message can have. A record batch says itself at which offset it begins, and its checksum does not cover
//! that: one bit that a disk has turned makes a message of the far future of it, and to go on behind that would leave out
//! everything before.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

/// How many offsets may be without a message before the brokers are asked whether there is what comes next: the ends of
/// transactions, or what was compacted.
const USUAL_GAP: i64 = 1000;
/// How long an answer may take; the poll thread waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a message is so far behind the one that is expected that its offset may not be true.
pub(crate) fn is_jump(expected: i64, offset: i64) -> bool {
    expected >= 0 && offset.saturating_sub(expected) >= USUAL_GAP
}

/// Where a partition ends, if it goes as far as this offset. The error says, for people, that it does not, or that nobody
/// knows.
pub(crate) fn check<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<i64, String> {
    let ends = client.fetch_watermarks(topic, partition, PATIENCE);
    let (_, end) = ends.map_err(|error| {
        format!("the brokers do not say where partition {partition} of topic {topic} ends: {error}")
    })?;
    if offset < end { Ok(end) } else { Err(impossible(topic, partition, offset, end)) }
}

/// That a message says of itself that it is behind the end of its partition.
pub(crate) fn impossible(topic: &str, partition: i32, offset: i64, end: i64) -> String {
    format!(
        "a message of topic {topic}, partition {partition}, says that its offset is {offset}, but the partition ends at {end}: \
         its record batch is damaged on the broker's disk; remove it there, or set the offset of the group behind it by hand"
    )
}

/// That something came that is before what came already, although nothing was left out.
pub(crate) fn log_went_back(topic: &str, partition: i32) -> String {
    format!(
        "the log of topic {topic}, partition {partition}, went back: the topic was made again, or the end of the log was lost"
    )
}

/// That the offsets of a partition go back.
pub(crate) fn went_back(topic: &str, partition: i32, before: i64, offset: i64) -> String {
    let another = if offset == before { " of another message" } else { "" };
    format!(
        "offset {offset} of topic {topic}, partition {partition}, comes behind offset {before}{another}: a record batch is damaged on \
         the broker's disk and says that it is another; the partition waits. Look with `batchpipe tap` what is there, and \
         remove the batch, or set the offset of the group behind it by hand"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_believed_without_a_question() {
        assert!(!is_jump(5, 5) && !is_jump(5, 6) && !is_jump(5, 4));
        assert!(!is_jump(5, 5 + USUAL_GAP - 1));
        assert!(is_jump(5, 5 + USUAL_GAP) && is_jump(0, i64::MAX));
        assert!(!is_jump(-1, 1 << 40), "nothing is expected");
    }
}
