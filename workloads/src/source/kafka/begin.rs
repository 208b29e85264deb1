//! Where a partition is begun: decided before it is fetched, in the callback that brings it, from what the group has
//! committed, the topic's id, and where the log begins and ends.

use std::{ops::Range, sync::PoisonError};

use batchpipe_api::conditions::reasons;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::BaseConsumer,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code},
};

use super::{KafkaOptions, group::Context};
use crate::kafka::{
    answers::{ask_committed, ask_log_end, ask_offsets},
    commits,
    resume::{Beyond, Committed, Resume, beyond_the_end, resume},
};

impl Context {
    /// Decides where partitions that come to us are begun, and notes it in the list from which they are fetched.
    pub(super) fn begin(
        &self,
        consumer: &BaseConsumer<Self>,
        list: &mut TopicPartitionList,
    ) -> KafkaResult<()> {
        let partitions = self.numbers(list);
        if partitions.is_empty() {
            return Ok(());
        }
        let topic = &self.options.topic;
        let starts = ask_offsets(consumer, topic, &partitions, Offset::Beginning)?;
        let committed = ask_committed(consumer, topic, &partitions)?;
        let ends = ask_offsets(consumer, topic, &partitions, Offset::End)?;
        for partition in partitions {
            let (Some(start), Some(end)) = (starts.get(&partition), ends.get(&partition)) else {
                return Err(KafkaError::OffsetFetch(Code::LeaderNotAvailable));
            };
            let of_group = committed.get(&partition);
            let Some(start) = self.start(consumer, partition, *start..*end, of_group)? else {
                // What comes of one that is not noted as ours is dropped.
                list.set_partition_offset(topic, partition, Offset::End)?;
                continue;
            };
            list.set_partition_offset(topic, partition, Offset::Offset(start))?;
            self.desk.offsets().begin(partition, start, self.topic_id.get().cloned());
        }
        Ok(())
    }

    /// Where one is begun; nowhere if the group has committed more than there is: what comes until then would be left out.
    fn start(
        &self,
        consumer: &BaseConsumer<Self>,
        partition: i32,
        log: Range<i64>,
        of_group: Option<&Committed>,
    ) -> KafkaResult<Option<i64>> {
        let (topic, id) = (&self.options.topic, self.topic_id.get().map(String::as_str));
        let resume = resume(log.start, of_group, id);
        if let Ok(Resume::Committed { offset, .. }) = resume
            && offset > log.end
        {
            // Behind the end that is told here, transactions may be open.
            let end = ask_log_end(&self.options.cluster, topic, partition)
                .ok_or(KafkaError::OffsetFetch(Code::LeaderNotAvailable))?;
            if offset > end {
                let _turn = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
                commits::mark_beyond(consumer, topic, partition, offset, id);
                self.tell_beyond_the_end(partition, offset);
                return Ok(None);
            }
        }
        Ok(match resume {
            Ok(Resume::Start) => Some(log.start),
            Ok(Resume::Anew) => {
                tracing::warn!(
                    partition,
                    "topic {topic} was made again; reading it from its start"
                );
                Some(log.start)
            }
            Err(Beyond(offset)) => {
                self.tell_beyond_the_end(partition, offset);
                None
            }
            Ok(Resume::Committed { offset, expired }) => {
                if expired > 0 {
                    self.report_expired(partition, offset, expired);
                }
                Some(offset.max(log.start))
            }
        })
    }

    fn tell_beyond_the_end(&self, partition: i32, committed: i64) {
        let KafkaOptions { group, topic, .. } = &self.options;
        let problem = beyond_the_end(group, topic, partition, committed);
        tracing::warn!("{problem}");
        self.shared.side.error(&problem);
    }

    pub(super) fn report_expired(&self, partition: i32, position: i64, expired: u64) {
        let topic = &self.options.topic;
        tracing::error!(
            partition,
            position,
            expired,
            "retention removed messages of topic {topic} before they were read"
        );
        self.shared.ledger.update(|counts| counts.expired_messages += expired);
        self.shared.side.error(&format!(
            "{}: {expired} messages of partition {partition} of topic {topic} were removed by retention before they \
             were read; raise its retention.ms or the number of producers",
            reasons::DATA_EXPIRED,
        ));
    }
}
