//! What a session does about record batches that nobody can read: finds them, hands over their offsets as rejects, and goes
//! on behind them.

use std::time::{Duration, Instant};

use rdkafka::{Offset, consumer::Consumer as _};

use super::{
    messages::Message,
    session::{End, MESSAGE_COST, Session},
};
use crate::kafka::{probe::Probe, standing::Standing};

/// How often to look which partitions stand still.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How long going back to an offset may take.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// Which partitions stand still since something came that cannot be read.
#[derive(Debug, Default)]
pub(super) struct Examination {
    /// Whether it came since partitions were last looked at.
    is_new: bool,
    looked_at: Option<Instant>,
    standing: Standing,
}

impl Session<'_> {
    /// Something came that cannot be read. Whatever librdkafka has behind it is nothing that we may go by.
    pub(super) fn suspect(&mut self) {
        let now = Instant::now();
        self.suspicion.arise(now);
        self.examination.is_new = true;
        if self.suspicion.is_to_begin_anew(now) {
            self.fetching.begin_anew(self.client);
        }
    }

    /// Whether a message, or the partition's end, is not what comes next, because librdkafka lost its place; then it is sent
    /// back to where we are.
    pub(super) fn is_sent_back(
        &mut self,
        partition: i32,
        offset: Option<i64>,
    ) -> Result<bool, End> {
        if !self.suspicion.has_arisen() {
            return Ok(false);
        }
        let position = self.poller.desk.offsets().position(partition);
        let Some(position) = position else { return Ok(false) };
        let now = Instant::now();
        let is_doubtful = match offset {
            Some(offset) => self.suspicion.is_astray(partition, offset, position, now),
            None => self.suspicion.is_end_doubtful(partition, position, now),
        };
        if !is_doubtful {
            return Ok(false);
        }
        self.seek(partition, position).map(|()| true)
    }

    /// Looks at partitions that stand still since something came that cannot be read.
    pub(super) fn examine(&mut self) -> Result<(), End> {
        let is_due = self.examination.looked_at.is_none_or(|at| at.elapsed() >= LOOK_PERIOD);
        if !self.examination.is_new || !is_due {
            return Ok(());
        }
        self.examination.is_new = false;
        let positions = self.poller.desk.offsets().positions();
        let standing = &mut self.examination.standing;
        let still = standing.still(positions);
        // One at a time: meanwhile nothing is polled.
        if let Some((partition, position)) = standing.take_turn(&still) {
            self.examine_one(partition, position)?;
            // It took a while, in which librdkafka may have gone anywhere.
            self.suspicion.arise(Instant::now());
        }
        self.examination.looked_at = Some(Instant::now());
        Ok(())
    }

    fn examine_one(&mut self, partition: i32, from: i64) -> Result<(), End> {
        let options = &self.poller.options;
        let (topic, cluster) = (&options.topic, &options.cluster);
        let probe = Probe { cluster, largest: options.max_record_bytes, topic, partition };
        match probe.unreadable(from) {
            Ok(Some((until, why))) => self.pass_over(partition, from, until, why),
            Ok(None) => Ok(()),
            Err(problem) => {
                tracing::warn!("{problem}");
                self.poller.shared.side.error(&problem);
                Ok(())
            }
        }
    }

    fn pass_over(&mut self, partition: i32, from: i64, until: i64, why: &str) -> Result<(), End> {
        let last = until - 1;
        let problem = format!(
            "topic {}, partition {partition}, offsets {from} to {last} cannot be read: {why}; each is a dead letter without \
             content",
            self.poller.options.topic
        );
        tracing::error!("{problem}");
        self.poller.shared.side.error(&problem);
        let mut messages = Vec::new();
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
                is_unreadable: true,
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
