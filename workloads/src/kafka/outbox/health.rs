//! What an open connection knows of the brokers and the topic, also while nothing is sent.
//!
//! librdkafka says when all brokers are gone, but not when they are back; and nobody tells of new partitions. So
//! the topic is looked at now and then, in a thread of its own, because that waits for an answer.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};

use crate::kafka::{
    client::Cluster,
    topics::{self, Admin, TopicError},
    waiting::Waiting,
};

/// How often the topic is looked at while all is well, and while it is not.
const PERIODS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(1));

/// Shared by the connection, its callbacks and the thread that looks.
#[derive(Debug, Default)]
pub(super) struct Health {
    waiting: Mutex<Option<Waiting>>,
    partitions: AtomicU32,
    is_looking: AtomicBool,
}

impl Health {
    /// What has to change outside.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        self.lock().clone()
    }

    /// Number of partitions; 0 before it is known.
    pub(super) fn partitions(&self) -> u32 {
        self.partitions.load(Ordering::Acquire)
    }

    pub(super) fn set_partitions(&self, partitions: u32) {
        self.partitions.store(partitions, Ordering::Release);
    }

    /// A message arrived, or the topic was seen.
    pub(super) fn set_up(&self) {
        if self.lock().take().is_some() {
            tracing::info!("Kafka answers again");
        }
    }

    /// Something has to change outside.
    pub(super) fn set(&self, now: &Waiting) {
        let before = self.lock().replace(now.clone());
        if now.is_news_after(before.as_ref()) {
            tracing::warn!("{}; trying again", now.what);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the topic is to be looked at again, after it was at `last`.
    pub(super) fn next_look(&self, last: Instant) -> Instant {
        last + if self.lock().is_some() { PERIODS.1 } else { PERIODS.0 }
    }

    /// Looks at the topic, unless somebody is looking already: through the client that sends, or, while that one
    /// is in trouble, through one of its own, because a client may be in trouble alone.
    pub(super) fn look<C: ProducerContext + 'static>(
        self: &Arc<Self>,
        producer: ThreadedProducer<C>,
        cluster: &Cluster,
        topic: &str,
    ) {
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let (health, cluster, topic) = (Arc::clone(self), cluster.clone(), topic.to_owned());
        let is_in_trouble = self.lock().is_some();
        std::thread::spawn(move || {
            if is_in_trouble {
                health.note(ask(&cluster, &topic), &topic);
            } else {
                let servers = &cluster.bootstrap_servers;
                health.note(topics::partitions(producer.client(), servers, &topic), &topic);
            }
            health.is_looking.store(false, Ordering::Release);
        });
    }

    fn note(&self, seen: Result<Option<u32>, TopicError>, topic: &str) {
        match seen {
            Ok(Some(partitions)) => {
                self.set_partitions(partitions);
                self.set_up();
            }
            Ok(None) => self.set(&(&TopicError::Missing { topic: topic.to_owned() }).into()),
            // The callback has said why already, and this answer does not know it.
            Err(TopicError::Unreachable { .. }) if self.lock().is_some() => {}
            Err(error) => self.set(&(&error).into()),
        }
    }
}

fn ask(cluster: &Cluster, topic: &str) -> Result<Option<u32>, TopicError> {
    Admin::new(&cluster.access()?)?.partitions(topic)
}

#[cfg(test)]
mod tests {
    use batchpipe_api::conditions::reasons;

    use super::*;

    fn away() -> Waiting {
        let (servers, remark) = ("b:1".to_owned(), "connection refused".to_owned());
        (&TopicError::Unreachable { servers, remark }).into()
    }

    #[test]
    fn what_is_seen_of_the_topic_becomes_readiness() {
        let health = Health::default();
        health.note(Ok(Some(7)), "t");
        assert_eq!((health.waiting(), health.partitions()), (None, 7));
        health.note(Ok(None), "t");
        assert_eq!(health.waiting().map(|waiting| waiting.reason), Some(reasons::TOPIC_MISSING));
        health.set(&away());
        assert_eq!(
            health.waiting().map(|waiting| waiting.reason),
            Some(reasons::BROKERS_UNREACHABLE)
        );
        health.note(Ok(Some(8)), "t");
        assert_eq!((health.waiting(), health.partitions()), (None, 8));
    }

    #[test]
    fn trouble_is_looked_at_more_often() {
        let (health, now) = (Health::default(), Instant::now());
        assert_eq!(health.next_look(now), now + PERIODS.0);
        health.set(&away());
        assert_eq!(health.next_look(now), now + PERIODS.1);
    }
}
