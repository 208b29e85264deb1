//! What a session does about record batches that nobody can read: finds them, hands over their offsets as rejects, and goes
//! on behind them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{Offset, consumer::Consumer as _};

use super::{
    Poller,
    messages::Message,
    session::{End, MESSAGE_COST, Session},
};
use crate::kafka::{
    probe::{Probe, Unreadable},
    standing::Standing,
};

/// How often to look which partitions stand still.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How long one look at several of them may take.
const LOOK_BUDGET: Duration = Duration::from_secs(1);
/// How long going back to an offset may take.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Which partitions stand still since something came that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Examination {
    /// Whether to look at them: it came again since then, or there is more to find.
    is_wanted: bool,
    looked_at: Option<Instant>,
    standing: Standing,
}

impl Session<'_> {
    /// Something came that cannot be read. Whatever librdkafka has behind it is nothing that we may go by.
    pub(super) fn suspect(&mut self) {
        self.suspicion.arise(Instant::now());
        self.examination.is_wanted = true;
        self.begin_anew_when_suspected();
    }

    /// Begins fetching anew when that is due.
    pub(super) fn begin_anew_when_suspected(&mut self) {
        if self.suspicion.is_fresh_start_due() {
            self.fetching.begin_anew(self.client);
        }
    }

    /// Sends a partition back to where we are, if a message, or its end, is not what comes next: librdkafka has lost its
    /// place. True when it did.
    pub(super) fn send_back(&mut self, partition: i32, offset: Option<i64>) -> Result<bool, End> {
        let desk = &self.poller.desk;
        let position = || desk.offsets().position(partition);
        let Some(back) = self.suspicion.way_back(partition, offset, position) else {
            return Ok(false);
        };
        self.seek(partition, back).map(|()| true)
    }

    /// Looks at partitions that stand still since something came that cannot be read, until one is found that cannot go on.
    pub(super) fn examine(&mut self) -> Result<(), End> {
        let begun = Instant::now();
        let is_due = self.examination.looked_at.is_none_or(|at| at.elapsed() >= LOOK_PERIOD);
        if !self.examination.is_wanted || !is_due || self.poller.desk.is_closed() {
            return Ok(());
        }
        self.examination.is_wanted = false;
        let positions = self.poller.desk.offsets().positions();
        let still = self.examination.standing.still(positions);
        for _ in 0..still.len() {
            let Some((partition, position)) = self.examination.standing.take_turn(&still) else {
                break;
            };
            // Meanwhile nothing is polled.
            if self.examine_one(partition, position)? || begun.elapsed() >= LOOK_BUDGET {
                self.examination.is_wanted = true;
                break;
            }
        }
        if !still.is_empty() {
            // It took a while, in which librdkafka may have gone anywhere.
            self.suspicion.arise(Instant::now());
        }
        self.examination.looked_at = Some(Instant::now());
        Ok(())
    }

    /// Whether the partition cannot go on by itself, or that is not known.
    fn examine_one(&mut self, partition: i32, position: i64) -> Result<bool, End> {
        let Poller { options, desk, .. } = self.poller;
        let is_over = || desk.is_closed();
        let probe = Probe {
            cluster: &options.cluster,
            largest: options.max_record_bytes,
            topic: &options.topic,
            partition,
            is_over: &is_over,
        };
        match probe.unreadable(position) {
            Ok(None) => Ok(false),
            Ok(Some(unreadable)) => self.pass_over(partition, unreadable).map(|()| true),
            Err(_) if is_over() => Ok(false),
            Err(problem) => {
                tracing::warn!("{problem}");
                self.poller.shared.side.error(&problem);
                Ok(true)
            }
        }
    }

    fn pass_over(&mut self, partition: i32, unreadable: Unreadable) -> Result<(), End> {
        let Unreadable { from, until, why } = unreadable;
        self.examination.standing.sent_on(partition, until);
        let last = until - 1;
        let topic = &self.poller.options.topic;
        let problem = format!(
            "topic {topic}, partition {partition}, offsets {from} to {last} cannot be read: {why}; each is a dead letter \
             without content"
        );
        tracing::error!("{problem}");
        self.poller.shared.side.error(&problem);
        let (mut messages, topic): (_, Arc<str>) = (Vec::new(), topic.as_str().into());
        for offset in from..until {
            let Some(fetched) = self.poller.desk.offsets().fetch(partition, offset) else {
                return Ok(()); // given back meanwhile
            };
            messages.push(Message {
                partition,
                tenure: fetched.tenure,
                offset,
                hash: None,
                value: None,
                size: 0,
                unreadable_in: Some(Arc::clone(&topic)),
                charge: Some(self.poller.queue.charge_now(MESSAGE_COST)),
            });
        }
        let _ = self.poller.bundles.send(messages); // a source that is gone reads no more
        self.seek(partition, until)
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<(), End> {
        let to = Offset::Offset(offset);
        let sought = self.client.seek(&self.poller.options.topic, partition, to, SEEK_TIMEOUT);
        sought.map_err(|error| End::Rebuild(format!("cannot go to offset {offset}: {error}")))
    }
}
