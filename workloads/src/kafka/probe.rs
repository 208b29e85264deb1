//! Looks with a client of its own whether a partition can be read at an offset. Commits nothing and joins no group.
//!
//! librdkafka says of a record batch that it cannot read neither where it is nor where it ends, and goes on anywhere: after
//! a checksum that is wrong it takes the middle of the batch for the next one.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use super::{client::Cluster, refusal::unreadable, topics::QuietContext};

/// How long one examination may take: what is found by then is passed over, and the rest is found by the next one.
const BUDGET: Duration = Duration::from_secs(10);
/// How many offsets are found unreadable at once, at most: each of them is told of.
const MOST: i64 = 1000;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one poll waits.
const POLL_WAIT: Duration = Duration::from_millis(100);

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe<'a> {
    pub(crate) cluster: &'a Cluster,
    /// How many bytes the largest value may have for whoever met something that cannot be read.
    pub(crate) largest: usize,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
}

impl Probe<'_> {
    /// Up to which offset nothing can be read from an offset on, and why; none if something can. Each of them was looked at.
    /// The error says, for people, that this is not known, and why.
    pub(crate) fn unreadable(&self, from: i64) -> Result<Option<(i64, &'static str)>, String> {
        let Self { topic, partition, .. } = self;
        self.examine(from).map_err(|problem| {
            format!(
                "something in topic {topic} cannot be read, and what it is cannot be found out: partition {partition}, \
                 offset {from}: {problem}; trying again"
            )
        })
    }

    fn examine(&self, from: i64) -> Result<Option<(i64, &'static str)>, String> {
        let access = self.cluster.access().map_err(|error| error.to_string())?;
        let mut settings = access.reader_config(self.largest);
        settings.set("enable.partition.eof", "true");
        // A client that begins asks for the partition's leader before it is connected, and asks again after this long.
        settings.set("topic.metadata.refresh.fast.interval.ms", "10");
        let Some(why) = self.look(&settings, from)? else { return Ok(None) };
        let begun = Instant::now();
        // What no answer is about is left to the next examination.
        let until = first_other(from, |offset| {
            begun.elapsed() < BUDGET && matches!(self.look(&settings, offset), Ok(Some(_)))
        });
        Ok(Some((until, why)))
    }

    /// Why nothing can be read at an offset; none if it can, or if nothing is there. Each look has a client of its own,
    /// because what one has met before may still come out of it afterwards.
    fn look(&self, settings: &ClientConfig, offset: i64) -> Result<Option<&'static str>, String> {
        let words = |error: KafkaError| error.to_string();
        let client: BaseConsumer<QuietContext> =
            settings.create_with_context(QuietContext::default()).map_err(words)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, self.partition, Offset::Offset(offset))
            .and_then(|()| client.assign(&list))
            .map_err(words)?;
        let (begun, mut said) = (Instant::now(), "no answer in time".to_owned());
        while begun.elapsed() < PATIENCE {
            match client.poll(POLL_WAIT) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) => match unreadable(&error) {
                    Some(why) => return Ok(Some(why)),
                    None if is_final(&error) => return Err(words(error)),
                    // About a group that is not ours, or one broker of several.
                    None => said = words(error),
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

/// The first offset after `from` that is not like it, at most [`MOST`] further on. Record batches that can be read may lie
/// between two that cannot, so that none is left out.
fn first_other(from: i64, mut is_like_it: impl FnMut(i64) -> bool) -> i64 {
    let most = from + MOST;
    (from + 1..most).find(|offset| !is_like_it(*offset)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bad: &[i64]) -> i64 {
        first_other(bad[0], |offset| bad.contains(&offset))
    }

    #[test]
    fn what_can_be_read_between_what_cannot_is_not_passed_over() {
        assert_eq!(first(&[7]), 8);
        assert_eq!(first(&[7, 8, 9]), 10);
        assert_eq!(first(&[100, 101, 103]), 102);
        let many: Vec<_> = (0..5000).collect();
        assert_eq!(first(&many), MOST);
    }

    #[test]
    fn only_what_is_about_the_topic_ends_a_look() {
        assert!(is_final(&KafkaError::MessageConsumption(Code::TopicAuthorizationFailed)));
        assert!(!is_final(&KafkaError::MessageConsumption(Code::GroupAuthorizationFailed)));
        assert!(!is_final(&KafkaError::MessageConsumption(Code::BrokerTransportFailure)));
    }
}
