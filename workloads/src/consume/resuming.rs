//! Where partitions go on, which the watch decides once for each assignment: its worker waits for that.

use std::sync::{Arc, PoisonError};

use rdkafka::consumer::Consumer as _;

use super::{assignment::Assigned, watch::Watch, worker::Notice};
use crate::kafka::{
    answers::{ask_committed, ask_log_end},
    commits,
    jump::is_jump,
    resume::{Beyond, Committed, Resume, beyond_the_end, resume},
};

impl Watch {
    /// Decides for those that are new whether what the group has committed is an offset of this topic, and whether
    /// retention was faster.
    pub(super) fn compare(&self, assigned: &[Arc<Assigned>], answer: u64) {
        let is_new = |it: &&Arc<Assigned>| !it.is_settled() && it.is_active();
        let new: Vec<_> = assigned.iter().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let topic = &self.consumer.context().topic;
        let partitions: Vec<i32> = new.iter().map(|assigned| assigned.partition).collect();
        let committed = match ask_committed(&self.consumer, topic, &partitions) {
            Ok(committed) => committed,
            Err(error) => {
                tracing::debug!(%error, "the group does not say how far it is; trying again");
                return;
            }
        };
        for assigned in new {
            // Heard after the assignment, and so after the topic's id.
            let Some(start) = self.watermarks.start_since(assigned.partition, answer) else {
                continue;
            };
            match self.resume(assigned.partition, start, committed.get(&assigned.partition)) {
                Some(Ok(resume)) => self.settle(assigned, start, resume),
                Some(Err(Beyond(offset))) => self.stand(assigned, offset),
                None => tracing::debug!("nobody says where the partition ends; trying again"),
            }
        }
    }

    /// None while that is not known.
    fn resume(
        &self,
        partition: i32,
        start: i64,
        committed: Option<&Committed>,
    ) -> Option<Result<Resume, Beyond>> {
        let resume = resume(start, committed, self.consumer.context().topic_id());
        if let Ok(Resume::Committed { offset, .. }) = resume
            && self.is_beyond_the_end(partition, offset)?
        {
            self.mark_beyond(partition, offset);
            return Some(Err(Beyond(offset)));
        }
        Some(resume)
    }

    /// Whether the group has committed more than there is: to go on there would leave out all that comes until then. None
    /// while nobody says where the partition ends.
    fn is_beyond_the_end(&self, partition: i32, committed: i64) -> Option<bool> {
        if self.watermarks.end(partition).is_some_and(|end| committed <= end) {
            return Some(false);
        }
        // Others may have gone on since the end was heard.
        let topic = &self.consumer.context().topic;
        ask_log_end(&self.config.cluster, topic, partition).map(|end| committed > end)
    }

    /// Has the group remember it, for whoever comes when the log has grown past that offset.
    fn mark_beyond(&self, partition: i32, offset: i64) {
        let context = self.consumer.context();
        let _turn = context.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let (topic, id) = (&context.topic, context.topic_id());
        commits::mark_beyond(&self.consumer, topic, partition, offset, id);
    }

    /// Nothing of a partition is delivered, and that is said, until the group has another offset of it.
    fn stand(&self, assigned: &Assigned, committed: i64) {
        let topic = &self.consumer.context().topic;
        let problem = beyond_the_end(&self.config.group, topic, assigned.partition, committed);
        if !assigned.stands() {
            tracing::warn!("{problem}");
            assigned.stand();
        }
        self.shared.side.error(&problem);
    }

    fn settle(&self, assigned: &Arc<Assigned>, start: i64, resume: Resume) {
        let context = self.consumer.context();
        let begins = match resume {
            Resume::Committed { offset, .. } => offset.max(start),
            Resume::Start | Resume::Anew => start,
        };
        // What came first may have come from where librdkafka lost its place, or say what is not true.
        let is_astray =
            |first: i64| is_jump(begins, first) || first > begins && context.was_suspected();
        // What came while nothing was delivered has been dropped.
        if assigned.stands() || assigned.first().is_some_and(is_astray) {
            let _ = self.notices.send(Notice::Rewind(Arc::clone(assigned), begins));
            return;
        }
        match resume {
            Resume::Start => assigned.begin_at(start),
            Resume::Committed { offset, expired } => {
                assigned.resume(offset, start);
                if expired > 0 {
                    self.report_expired(assigned.partition, offset, expired);
                }
            }
            Resume::Anew => {
                // The poll thread makes it another one, since it has to be fetched from elsewhere.
                let _ = self.notices.send(Notice::BeginAnew(Arc::clone(assigned), start));
                return;
            }
        }
        assigned.settle_on(context.topic_id().map(str::to_owned));
    }
}
