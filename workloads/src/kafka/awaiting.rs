//! Waiting until a topic can be read, and saying meanwhile what is missing.

use std::time::Duration;

use batchpipe_api::report::missing_topic;
use crossbeam_channel::RecvTimeoutError;

use super::{
    client::Cluster,
    topics::{Admin, Provision, TopicError, TopicSpec},
    waiting::Waiting,
};
use crate::{
    admin::{Gate, Side},
    backoff::Backoff,
    shutdown::Shutdown,
};

/// The first and the longest wait between two questions.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// The longest wait for files, which cost nothing to look at.
const SECRET_RETRY: Duration = Duration::from_secs(1);

/// How soon a request to stop is noticed while an answer is awaited.
const RECHECK: Duration = Duration::from_millis(50);

/// Waits for a topic that somebody else makes.
pub struct Awaiting {
    cluster: Cluster,
    topic: TopicSpec,
}

impl Awaiting {
    /// Waits for `topic`, which is not made here: that is the producer's part, or the user's.
    pub fn existing(cluster: &Cluster, topic: &TopicSpec) -> Self {
        Self { cluster: cluster.clone(), topic: topic.clone() }
    }

    /// Waits until the topic is there; returns the number of its partitions, or `None` when a stop was asked
    /// for.
    pub fn wait(&self, side: &Side, shutdown: &Shutdown) -> Option<u32> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut said: Option<Waiting> = None;
        while let Some(answer) = self.ask(shutdown) {
            match answer {
                Ok(partitions) => {
                    side.gate(Gate::Configuration).open();
                    side.gate(Gate::Brokers).open();
                    side.gate(Gate::Topic).open();
                    return Some(partitions);
                }
                Err(error) => {
                    let waiting = self.explain(&error);
                    waiting.tell(side);
                    if waiting.is_news_after(said.as_ref()) {
                        tracing::warn!("{}; trying again", waiting.what);
                    }
                    said = Some(waiting);
                    let wait = backoff.next_wait();
                    let is_local = matches!(error, TopicError::Secret(_));
                    shutdown.wait(if is_local { wait.min(SECRET_RETRY) } else { wait });
                }
            }
        }
        None
    }

    /// Asks for the number of partitions in a thread of its own, because the answer may take long and a stop
    /// must not wait for it; `None` when a stop was asked for first.
    fn ask(&self, shutdown: &Shutdown) -> Option<Result<u32, TopicError>> {
        let (sender, answer) = crossbeam_channel::bounded(1);
        let Self { cluster, topic } = self;
        let (cluster, topic) = (cluster.clone(), topic.name.clone());
        std::thread::spawn(move || {
            let _ = sender.send(partitions(&cluster, topic)); // nobody listens after a stop
        });
        while !shutdown.is_requested() {
            match answer.recv_timeout(RECHECK) {
                Err(RecvTimeoutError::Timeout) => {}
                answer => return Some(answer.expect("the thread answers before it ends")),
            }
        }
        None
    }

    fn explain(&self, error: &TopicError) -> Waiting {
        let mut waiting = Waiting::from(error);
        if let (TopicError::Missing { topic }, Provision::Auto) = (error, self.topic.provision) {
            waiting.what =
                format!("{} yet; the producer creates it when it starts", missing_topic(topic));
        }
        waiting
    }
}

/// The number of the topic's partitions, asked by a client of its own.
pub(crate) fn partitions(cluster: &Cluster, topic: String) -> Result<u32, TopicError> {
    let admin = Admin::new(&cluster.access()?)?;
    admin.partitions(&topic)?.ok_or(TopicError::Missing { topic })
}
