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

use batchpipe_api::conditions::reasons;
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};

use crate::kafka::{
    client::Cluster,
    topics::{self, Admin, Seen, TopicError},
    waiting::Waiting,
};

/// How often the topic is looked at while all is well, and while it is not.
const PERIODS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(1));

/// Shared by the connection, its callbacks and the thread that looks.
#[derive(Debug, Default)]
pub(super) struct Health {
    waiting: Mutex<Option<Waiting>>,
    /// What has to change for partitions that nobody leads; a message that arrives says nothing of these.
    leaderless: Mutex<Option<Waiting>>,
    partitions: AtomicU32,
    is_looking: AtomicBool,
}

impl Health {
    /// What has to change outside.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        lock(&self.waiting).clone().or_else(|| lock(&self.leaderless).clone())
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
        if lock(&self.waiting).take().is_some() {
            tracing::info!("Kafka answers again");
        }
    }

    /// Which partitions nobody leads.
    fn set_leaderless(&self, topic: &str, partitions: &[i32]) {
        let now = (!partitions.is_empty()).then(|| leaderless(topic, partitions));
        let before = std::mem::replace(&mut *lock(&self.leaderless), now.clone());
        match now {
            Some(now) if now.is_news_after(before.as_ref()) => tracing::warn!("{}", now.what),
            None if before.is_some() => tracing::info!(topic, "all partitions have a leader again"),
            _ => {}
        }
    }

    /// Something has to change outside.
    pub(super) fn set(&self, now: &Waiting) {
        let before = lock(&self.waiting).replace(now.clone());
        if now.is_news_after(before.as_ref()) {
            tracing::warn!("{}; trying again", now.what);
        }
    }

    /// When the topic is to be looked at again, after it was at `last`.
    pub(super) fn next_look(&self, last: Instant) -> Instant {
        last + if self.waiting().is_some() { PERIODS.1 } else { PERIODS.0 }
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
        let is_in_trouble = lock(&self.waiting).is_some();
        std::thread::spawn(move || {
            if is_in_trouble {
                health.note(ask(&cluster, &topic), &topic);
            } else {
                let servers = &cluster.bootstrap_servers;
                health.note(topics::look(producer.client(), servers, &topic), &topic);
            }
            health.is_looking.store(false, Ordering::Release);
        });
    }

    fn note(&self, seen: Result<Option<Seen>, TopicError>, topic: &str) {
        match seen {
            Ok(Some(Seen { partitions, leaderless })) => {
                self.set_partitions(partitions);
                self.set_leaderless(topic, &leaderless);
                self.set_up();
            }
            Ok(None) => self.set(&(&TopicError::Missing { topic: topic.to_owned() }).into()),
            // The callback has said why already, and this answer does not know it.
            Err(TopicError::Unreachable { .. }) if lock(&self.waiting).is_some() => {}
            Err(error) => self.set(&(&error).into()),
        }
    }
}

fn ask(cluster: &Cluster, topic: &str) -> Result<Option<Seen>, TopicError> {
    Admin::new(&cluster.access()?)?.look(topic)
}

fn lock(waiting: &Mutex<Option<Waiting>>) -> MutexGuard<'_, Option<Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is said of partitions that nobody leads. The others go on.
fn leaderless(topic: &str, partitions: &[i32]) -> Waiting {
    let all: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    Waiting {
        reason: reasons::PARTITION_CLOSED,
        what: format!(
            "no broker leads partition {} of topic {topic}; bring back the brokers that have it, or look there at the disk",
            all.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All is well with so many partitions.
    fn seen(partitions: u32) -> Seen {
        Seen { partitions, leaderless: Vec::new() }
    }

    fn away() -> Waiting {
        let (servers, remark) = ("b:1".to_owned(), "connection refused".to_owned());
        (&TopicError::Unreachable { servers, remark }).into()
    }

    #[test]
    fn what_is_seen_of_the_topic_becomes_readiness() {
        let health = Health::default();
        health.note(Ok(Some(seen(7))), "t");
        assert_eq!((health.waiting(), health.partitions()), (None, 7));
        health.note(Ok(None), "t");
        assert_eq!(health.waiting().map(|waiting| waiting.reason), Some(reasons::TOPIC_MISSING));
        health.set(&away());
        assert_eq!(
            health.waiting().map(|waiting| waiting.reason),
            Some(reasons::BROKERS_UNREACHABLE)
        );
        health.note(Ok(Some(seen(8))), "t");
        assert_eq!((health.waiting(), health.partitions()), (None, 8));
    }

    #[test]
    fn a_partition_that_nobody_leads_is_told_of_until_somebody_does() {
        let health = Health::default();
        health.note(Ok(Some(Seen { partitions: 3, leaderless: vec![0, 2] })), "t");
        let waiting = health.waiting().unwrap();
        assert_eq!(waiting.reason, reasons::PARTITION_CLOSED);
        assert!(waiting.what.contains("partition 0, 2 of topic t"), "{waiting:?}");
        health.set_up();
        assert_eq!(health.waiting(), Some(waiting), "a message for another one arrived");
        health.note(Ok(Some(seen(3))), "t");
        assert_eq!(health.waiting(), None);
    }

    #[test]
    fn trouble_is_looked_at_more_often() {
        let (health, now) = (Health::default(), Instant::now());
        assert_eq!(health.next_look(now), now + PERIODS.0);
        health.set(&away());
        assert_eq!(health.next_look(now), now + PERIODS.1);
    }
}
