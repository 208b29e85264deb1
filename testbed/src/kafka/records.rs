//! How far a topic's log reaches, and cutting its head off.

use std::io;

use super::{
    Kafka,
    wire::{Answer, Body, Kind, Skip},
};
use crate::Result;

const LIST_OFFSETS: Kind = Kind { name: "ListOffsets", key: 2, version: 1 };
const DELETE_RECORDS: Kind = Kind { name: "DeleteRecords", key: 21, version: 0 };

/// Stands for the end of the log.
const LATEST: i64 = -1;
/// Stands for its beginning.
const EARLIEST: i64 = -2;

/// Kafka's codes for a partition that this broker does not know yet, or does not lead yet.
const IN_TRANSIT: [i16; 4] = [3, 5, 6, 9];

const SERVER_LIMIT_MS: i32 = 30_000;

impl Kafka {
    /// The offset that the next message will get, of each partition in order.
    pub fn end_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        self.offsets(topic, LATEST)
    }

    /// The first offset that is still there, of each partition in order.
    pub fn begin_offsets(&self, topic: &str) -> Result<Vec<i64>> {
        self.offsets(topic, EARLIEST)
    }

    /// Deletes the messages of a partition below `offset`, as retention would.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let mut body = Body::default();
        body.list(&[topic], |body, topic| {
            body.text(topic).list(&[partition], |body, partition| {
                body.i32(*partition).i64(offset);
            });
        });
        body.i32(SERVER_LIMIT_MS);
        self.change(DELETE_RECORDS, topic, &body, |answer| {
            answer.skip(&[Skip::Text])?;
            let codes = answer.list(|partition| {
                partition.skip(&[Skip::I32, Skip::I64])?;
                partition.i16()
            })?;
            Ok((codes.into_iter().find(|code| *code != 0).unwrap_or(0), String::new()))
        })
    }

    /// Asks again while a partition is being taken over: the broker tells of a leader a moment before that
    /// leader serves.
    fn offsets(&self, topic: &str, which: i64) -> Result<Vec<i64>> {
        let partitions: Vec<i32> = (0..self.partitions(topic)?).collect();
        let mut found = Vec::new();
        self.until(LIST_OFFSETS, topic, || {
            found = self.ask_offsets(topic, &partitions, which)?;
            Ok(!found.iter().any(|offset| IN_TRANSIT.contains(&offset.error)))
        })?;
        found.sort_unstable_by_key(|offset| offset.partition);
        found.into_iter().map(|offset| self.check(topic, &offset)).collect()
    }

    fn ask_offsets(&self, topic: &str, partitions: &[i32], which: i64) -> Result<Vec<Offset>> {
        let mut body = Body::default();
        body.i32(-1).list(&[topic], |body, topic| {
            body.text(topic).list(partitions, |body, partition| {
                body.i32(*partition).i64(which);
            });
        });
        let answers = self.ask(LIST_OFFSETS, &body, |answer| {
            answer.list(|topic| {
                topic.skip(&[Skip::Text])?;
                topic.list(read_offset)
            })
        })?;
        Ok(answers.into_iter().flatten().collect())
    }

    fn check(&self, topic: &str, found: &Offset) -> Result<i64> {
        if found.error == 0 {
            return Ok(found.value);
        }
        let reason = format!("error code {}", found.error);
        Err(self.refused(LIST_OFFSETS, &format!("{topic}/{}", found.partition), reason))
    }

    fn partitions(&self, topic: &str) -> Result<i32> {
        let count = self.led_partitions(topic)?;
        let count = count.ok_or_else(|| {
            self.refused(LIST_OFFSETS, topic, "there is no such topic".to_owned())
        })?;
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}

#[derive(Debug)]
struct Offset {
    partition: i32,
    error: i16,
    value: i64,
}

fn read_offset(answer: &mut Answer) -> io::Result<Offset> {
    let (partition, error) = (answer.i32()?, answer.i16()?);
    answer.skip(&[Skip::I64])?; // timestamp
    Ok(Offset { partition, error, value: answer.i64()? })
}
