//! Topics that were deleted and made again while this process ran: their files are not the new topic's. Pure.

use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::name::Series;
use crate::sink::WriteError;

/// What is known of topics that are gone.
#[derive(Debug, Default)]
pub(super) struct Past(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Names of topics that began anew.
    topics: BTreeSet<String>,
    /// Partitions that had no files then, so that all they have now is the new topic's.
    fresh: BTreeSet<Series>,
}

impl Past {
    pub(super) fn topic_began_anew(&self, topic: &str) {
        let mut known = self.lock();
        known.topics.insert(topic.to_owned());
        known.fresh.retain(|series| series.topic != topic);
    }

    /// Refuses to go on behind files of a topic that is gone.
    pub(super) fn check(&self, series: Series, resume: Option<i64>) -> Result<(), WriteError> {
        let mut known = self.lock();
        if !known.topics.contains(&series.topic) || known.fresh.contains(&series) {
            return Ok(());
        }
        let Some(resume) = resume else {
            known.fresh.insert(series);
            return Ok(());
        };
        let Series { topic, partition } = series;
        let why = format!(
            "there are messages up to offset {} of a topic that was deleted; the topic was made again: give the \
             new one an empty folder",
            resume - 1
        );
        Err(WriteError::Io {
            action: "go on with",
            target: format!("partition {partition} of {topic}"),
            source: io::Error::other(why),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(partition: i32) -> Series {
        Series { topic: "t".to_owned(), partition }
    }

    #[test]
    fn files_are_gone_on_with_until_the_topic_begins_anew() {
        let past = Past::default();
        past.topic_began_anew("another");
        assert!(past.check(series(0), Some(7)).is_ok());
        past.topic_began_anew("t");
        let error = crate::error::chain(&past.check(series(0), Some(7)).unwrap_err());
        assert!(error.contains("up to offset 6"), "{error}");
    }

    #[test]
    fn what_the_new_topic_wrote_itself_is_gone_on_with() {
        let past = Past::default();
        past.topic_began_anew("t");
        assert!(past.check(series(0), None).is_ok());
        assert!(past.check(series(0), Some(7)).is_ok());
        past.topic_began_anew("t");
        assert!(past.check(series(0), Some(7)).is_err());
    }
}
