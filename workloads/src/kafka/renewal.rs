//! Noticing that credentials changed, and trying the new ones before a client that works is given up for them.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

use super::{
    client::Cluster,
    topics::{Admin, TopicError},
};

/// How long to wait before credentials that did not work are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Watches over the credentials that one client was made with.
#[derive(Debug)]
pub struct Renewal {
    cluster: Cluster,
    topic: String,
    /// The contents that the client has.
    used: u64,
    /// The contents that failed last.
    failed: u64,
    probe: Option<Receiver<Result<(), TopicError>>>,
    retry_at: Option<Instant>,
}

impl Renewal {
    /// For a client of this cluster and topic that was made with this revision of the credentials.
    pub(crate) fn new(cluster: &Cluster, topic: &str, used: u64) -> Self {
        let (cluster, topic) = (cluster.clone(), topic.to_owned());
        Self { cluster, topic, used, failed: used, probe: None, retry_at: None }
    }

    /// Whether the client has to be replaced: there are other credentials, and a client with them reached the
    /// topic. Does not block; to be asked now and then.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let Some(probe) = &self.probe else {
            let newest = self.cluster.credentials.revision();
            let is_waiting = newest == self.failed && self.retry_at.is_some_and(|at| at > now);
            if newest != self.used && !is_waiting {
                self.probe = Some(self.start_probe());
            }
            return false;
        };
        let outcome = match probe.try_recv() {
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => None,
            Ok(outcome) => Some(outcome),
        };
        self.probe = None;
        if let Some(Ok(())) = outcome {
            tracing::info!(
                topic = self.topic,
                "the credentials changed; connecting with the new ones"
            );
            return true;
        }
        self.retry_at = Some(now + RETRY);
        let newest = self.cluster.credentials.revision();
        if std::mem::replace(&mut self.failed, newest) != newest
            && let Some(Err(error)) = outcome
        {
            tracing::warn!(
                "{error}; the credentials changed, and the old ones are used until the new ones work"
            );
        }
        false
    }

    fn start_probe(&self) -> Receiver<Result<(), TopicError>> {
        let (sender, answer) = crossbeam_channel::bounded(1);
        let (cluster, topic) = (self.cluster.clone(), self.topic.clone());
        std::thread::spawn(move || {
            let _ = sender.send(probe(&cluster, topic)); // nobody listens when the client is gone
        });
        answer
    }
}

fn probe(cluster: &Cluster, topic: String) -> Result<(), TopicError> {
    let admin = Admin::new(&cluster.access()?)?;
    admin.partitions(&topic)?.map(drop).ok_or(TopicError::Missing { topic })
}
