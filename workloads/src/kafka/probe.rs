//! Looks with a client of its own whether a partition can be read at an offset. Commits nothing and joins no group.
//!
//! librdkafka says of a record batch that it cannot read neither where it is nor where it ends, and goes on anywhere: after
//! a checksum that is wrong it takes the middle of the batch for the next one.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::{client::Cluster, refusal::unreadable, topics::QuietContext};

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
    /// Up to which offset, but not after `end`, nothing can be read from an offset on, and why; none if something can.
    /// The error says why that is not known.
    pub(crate) fn unreadable(
        &self,
        from: i64,
        end: i64,
    ) -> Result<Option<(i64, &'static str)>, String> {
        let access = self.cluster.access().map_err(|error| error.to_string())?;
        let mut settings = access.reader_config(self.largest);
        settings.set("enable.partition.eof", "true");
        let Some(why) = self.look(&settings, from)? else { return Ok(None) };
        let most = end.min(from + MOST);
        let is_readable = |offset| self.look(&settings, offset).map(|why| why.is_none());
        Ok(Some((first_readable(from, most, is_readable)?, why)))
    }

    /// Why nothing can be read at an offset; none if it can. Each look has a client of its own, because what one has met
    /// before may still come out of it afterwards.
    fn look(&self, settings: &ClientConfig, offset: i64) -> Result<Option<&'static str>, String> {
        let words = |error: KafkaError| error.to_string();
        let client: BaseConsumer<QuietContext> =
            settings.create_with_context(QuietContext::default()).map_err(words)?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, self.partition, Offset::Offset(offset))
            .and_then(|()| client.assign(&list))
            .map_err(words)?;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match client.poll(POLL_WAIT) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(None),
                Some(Err(error)) => match unreadable(&error) {
                    Some(why) => return Ok(Some(why)),
                    None => return Err(error.to_string()),
                },
                None => {}
            }
        }
        Err("no answer in time".to_owned())
    }
}

/// The first offset after `from`, but not after `most`, at which `is_readable`, when that is so from some offset on. Asks
/// for few of them.
pub(crate) fn first_readable<E>(
    from: i64,
    most: i64,
    mut is_readable: impl FnMut(i64) -> Result<bool, E>,
) -> Result<i64, E> {
    let (mut bad, mut step) = (from, 1);
    let mut good = loop {
        let next = bad.saturating_add(step).min(most);
        if next == most || is_readable(next)? {
            break next;
        }
        (bad, step) = (next, 2 * step);
    };
    while good - bad > 1 {
        let middle = i64::midpoint(bad, good);
        if is_readable(middle)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Ok(good)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn the_first_offset_that_can_be_read_is_found_with_few_questions() {
        for (from, first, most) in [(7, 8, 100), (7, 9, 100), (0, 100, 100), (5, 777, 1005)] {
            let mut asked = 0;
            let found = first_readable(from, most, |offset| {
                asked += 1;
                Ok::<_, Infallible>(offset >= first)
            });
            assert_eq!(found, Ok(first));
            assert!(asked <= 20, "{asked} questions for {first}");
        }
    }
}
