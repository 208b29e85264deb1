//! Looks with a client of its own whether a partition can be read at an offset. Commits nothing and joins no group.
//!
//! What a reading client says of a record batch that it cannot read is not enough: not in which partition it is, nor where it
//! ends, and it goes on anywhere: after a checksum that is wrong it takes the middle of the batch for the next one.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::{bounded::Bounded, client::Cluster, damage::Damage};

/// How long one examination may take behind its first answer: what is found by then is passed over, and the rest is found
/// by the next one.
const BUDGET: Duration = Duration::from_secs(2);
/// How many offsets are found unreadable at once, at most: each of them is told of.
const MOST: i64 = 1000;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long one poll waits, and so how soon it is seen that nobody waits for an answer any more.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// What to look at.
#[derive(Clone, Copy)]
pub(crate) struct Probe<'a> {
    pub(crate) cluster: &'a Cluster,
    /// How many bytes the largest value may have for whoever met something that cannot be read.
    pub(crate) largest: usize,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    /// Whether nobody waits for an answer any more.
    pub(crate) is_over: &'a dyn Fn() -> bool,
}

/// Offsets at which nothing can be read. Each of them was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The first one. Between where it was looked from and this one there is no message.
    pub(crate) from: i64,
    /// The one after the last.
    pub(crate) until: i64,
    pub(crate) why: &'static str,
}

impl Probe<'_> {
    /// What cannot be read next from an offset on; none if something can, or if nothing is there. The error says, for
    /// people, that this is not known, and why.
    pub(crate) fn unreadable(&self, from: i64) -> Result<Option<Unreadable>, String> {
        let Self { topic, partition, .. } = self;
        self.examine(from).map_err(|problem| {
            format!(
                "something in topic {topic} cannot be read, and what it is cannot be found out: partition {partition}, \
                 offset {from}: {problem}; trying again"
            )
        })
    }

    fn examine(&self, from: i64) -> Result<Option<Unreadable>, String> {
        let access = self.cluster.access().map_err(|error| error.to_string())?;
        let mut settings = access.reader_config(self.largest);
        settings.set("enable.partition.eof", "true");
        // A client that begins asks for the partition's leader before it is connected, and asks again after this long.
        settings.set("topic.metadata.refresh.fast.interval.ms", "10");
        // Behind what is damaged it would fetch from anywhere; by then it is not needed any more.
        settings.set("fetch.error.backoff.ms", "10000");
        let Some(damage) = self.look(&settings, from, PATIENCE)? else { return Ok(None) };
        let begun = Instant::now();
        let end = self.end(&settings)?;
        let damaged = |offset| {
            let left = BUDGET.saturating_sub(begun.elapsed());
            // What no answer is about is left to the next examination.
            let found = if left.is_zero() { Ok(None) } else { self.look(&settings, offset, left) };
            found.ok().flatten()
        };
        Ok(extent(from, end, damage, damaged))
    }

    /// Where the partition ends.
    fn end(&self, settings: &ClientConfig) -> Result<i64, String> {
        let words = |error: KafkaError| error.to_string();
        let client = Bounded::create(settings).map_err(words)?;
        client
            .fetch_watermarks(self.topic, self.partition, BUDGET)
            .map(|(_, end)| end)
            .map_err(words)
    }

    /// What is said to be damaged, of what is fetched from an offset on; none if a message comes first, or if nothing is
    /// there. Each look has a client of its own, because what one has met before may still come out of it afterwards.
    fn look(
        &self,
        settings: &ClientConfig,
        offset: i64,
        patience: Duration,
    ) -> Result<Option<Damage>, String> {
        let words = |error: KafkaError| error.to_string();
        let client = Bounded::create(settings).map_err(words)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, self.partition, Offset::Offset(offset))
            .and_then(|()| client.assign(&list))
            .map_err(words)?;
        let (begun, mut said) = (Instant::now(), "no answer in time".to_owned());
        while begun.elapsed() < patience {
            if (self.is_over)() {
                return Err("the answer is not needed any more".to_owned());
            }
            match client.poll(POLL_WAIT) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) => match client.context().remark().take_damage() {
                    Some(damage) => return Ok(Some(damage)),
                    None if is_final(&error) => return Err(words(error)),
                    // About a group that is not ours, or one broker of several.
                    None => said = client.context().remark().or(&words(error)),
                },
                None => {}
            }
        }
        Err(said)
    }
}

/// Whether an error is about what is looked at, so that waiting is in vain.
pub(crate) fn is_final(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            code,
            Some(
                Code::TopicAuthorizationFailed
                    | Code::UnknownTopicOrPartition
                    | Code::UnknownTopic
                    | Code::UnknownTopicId
            )
        )
}

/// What cannot be read, given what was found first when looking from an offset, where the partition ends, and what is found
/// from other offsets. Record batches that can be read may lie between two that cannot, so that each offset is looked at,
/// and at most [`MOST`].
fn extent(
    from: i64,
    end: i64,
    damage: Damage,
    mut damaged: impl FnMut(i64) -> Option<Damage>,
) -> Option<Unreadable> {
    // A batch that begins later has no message before it: the end of a transaction, say, or what was compacted. Where it
    // says that it begins is not covered by its checksum either: what is right before has to be like it.
    let is_later = from < damage.base && damage.base < end;
    let is_true = is_later && damaged(damage.base - 1) == Some(damage);
    let first = if is_true { damage.base } else { from };
    let most = end.min(first + MOST);
    let mut is_in_it = |offset: &i64| damaged(*offset).is_some_and(|damage| damage.base <= *offset);
    let mut behind = first + 1..most;
    let until = behind.find(|offset| !is_in_it(offset)).unwrap_or(most);
    (first < end).then_some(Unreadable { from: first, until, why: damage.why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHY: &str = "because";

    /// What is found of a partition with batches of which some are damaged: offsets of the first message and after the last.
    fn found(from: i64, end: i64, batches: &[(i64, i64)]) -> Option<(i64, i64)> {
        let damaged = |offset| {
            let batch = batches.iter().find(|(_, until)| offset < *until)?;
            Some(Damage { base: batch.0, why: WHY })
        };
        let unreadable = extent(from, end, damaged(from)?, damaged)?;
        Some((unreadable.from, unreadable.until))
    }

    #[test]
    fn all_of_a_batch_and_of_those_that_follow_it_at_once_is_unreadable() {
        assert_eq!(found(5, 100, &[(5, 6)]), Some((5, 6)));
        assert_eq!(found(7, 100, &[(5, 10)]), Some((7, 10)));
        assert_eq!(found(5, 100, &[(5, 10), (10, 12)]), Some((5, 12)));
        assert_eq!(found(5, 9, &[(5, 9)]), Some((5, 9)));
        assert_eq!(found(0, 5000, &[(0, 5000)]), Some((0, MOST)));
    }

    #[test]
    fn what_is_no_message_before_a_damaged_batch_or_between_two_is_not_called_unreadable() {
        assert_eq!(found(10, 100, &[(11, 14)]), Some((11, 14)));
        assert_eq!(found(11, 100, &[(11, 14), (15, 17)]), Some((11, 14)));
    }

    #[test]
    fn what_can_be_read_between_what_cannot_is_not_passed_over() {
        let bad = [100, 101, 103];
        let damaged = |offset| bad.contains(&offset).then_some(Damage { base: offset, why: WHY });
        let found = extent(100, 200, Damage { base: 100, why: WHY }, damaged).unwrap();
        assert_eq!((found.from, found.until), (100, 102));
    }

    #[test]
    fn a_batch_that_lies_about_its_beginning_takes_nothing_with_it() {
        let lie = Damage { base: 50, why: WHY };
        let damaged = |offset: i64| (offset < 10).then_some(lie);
        let found = extent(5, 100, lie, damaged).unwrap();
        assert_eq!((found.from, found.until), (5, 6));
    }

    #[test]
    fn nothing_behind_the_end_is_called_unreadable() {
        let always = |offset| Some(Damage { base: offset, why: WHY });
        let whatever = Damage { base: i64::MAX, why: WHY };
        assert_eq!(extent(5, 5, whatever, always), None);
        let found = extent(5, 7, whatever, always).unwrap();
        assert_eq!((found.from, found.until), (5, 7));
    }

    #[test]
    fn only_what_is_about_the_topic_ends_a_look() {
        assert!(is_final(&KafkaError::MessageConsumption(Code::TopicAuthorizationFailed)));
        assert!(!is_final(&KafkaError::MessageConsumption(Code::GroupAuthorizationFailed)));
        assert!(!is_final(&KafkaError::MessageConsumption(Code::BrokerTransportFailure)));
    }
}
