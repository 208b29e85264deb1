//! Topics and access rules of a running broker. Each call returns when its effect can be seen.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    Kafka,
    wire::{self, Answer, Body, Kind, Skip},
};
use crate::{Error, Result};

const METADATA: Kind = Kind { name: "Metadata", key: 3, version: 1 };
const CREATE_TOPICS: Kind = Kind { name: "CreateTopics", key: 19, version: 2 };
const DELETE_TOPICS: Kind = Kind { name: "DeleteTopics", key: 20, version: 1 };
const CREATE_PARTITIONS: Kind = Kind { name: "CreatePartitions", key: 37, version: 0 };
const DESCRIBE_CONFIGS: Kind = Kind { name: "DescribeConfigs", key: 32, version: 1 };
const ALTER_CONFIGS: Kind = Kind { name: "IncrementalAlterConfigs", key: 44, version: 0 };

/// The resource type of topics in requests about settings and access.
pub(super) const TOPIC: i8 = 2;

const SERVER_LIMIT_MS: i32 = 30_000;
const POLL: Duration = Duration::from_millis(10);

/// What the broker says of one part of a request.
pub(super) type Verdict = (i16, String);

impl Kafka {
    /// Creates a topic and waits until each of its partitions has a leader that serves.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: u32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let count = i32::try_from(partitions).unwrap_or(i32::MAX);
        let mut body = Body::default();
        body.list(&[name], |body, name| {
            let assignments: [i32; 0] = [];
            body.text(name).i32(count).i16(1).list(&assignments, |_, _| ());
            body.list(configs, |body, (key, value)| {
                body.text(key).text(value);
            });
        });
        body.i32(SERVER_LIMIT_MS).flag(false);
        self.change(CREATE_TOPICS, name, &body, |answer| {
            answer.skip(&[Skip::Text])?;
            Ok((answer.i16()?, answer.text()?))
        })?;
        self.await_partitions(CREATE_TOPICS, name, partitions)
    }

    /// Deletes a topic with all that is in it.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        let mut body = Body::default();
        body.list(&[name], |body, name| {
            body.text(name);
        });
        body.i32(SERVER_LIMIT_MS);
        self.change(DELETE_TOPICS, name, &body, |answer| {
            answer.skip(&[Skip::Text])?;
            Ok((answer.i16()?, String::new()))
        })?;
        self.until(DELETE_TOPICS, name, || Ok(self.led_partitions(name)?.is_none()))
    }

    /// Raises a topic's number of partitions to `total`.
    pub fn add_partitions(&self, name: &str, total: u32) -> Result<()> {
        let count = i32::try_from(total).unwrap_or(i32::MAX);
        let mut body = Body::default();
        body.list(&[name], |body, name| {
            body.text(name).i32(count).i32(-1); // the broker chooses the replicas
        });
        body.i32(SERVER_LIMIT_MS).flag(false);
        self.change(CREATE_PARTITIONS, name, &body, |answer| {
            answer.skip(&[Skip::Text])?;
            Ok((answer.i16()?, answer.text()?))
        })?;
        self.await_partitions(CREATE_PARTITIONS, name, total)
    }

    /// Sets one setting of a topic.
    pub fn alter_topic_config(&self, name: &str, key: &str, value: &str) -> Result<()> {
        let mut body = Body::default();
        body.list(&[name], |body, name| {
            body.i8(TOPIC).text(name).list(&[(key, value)], |body, (key, value)| {
                body.text(key).i8(0).text(value);
            });
        });
        body.flag(false);
        self.change(ALTER_CONFIGS, name, &body, |answer| {
            let verdict = (answer.i16()?, answer.text()?);
            answer.skip(&[Skip::I8, Skip::Text])?;
            Ok(verdict)
        })?;
        self.until(ALTER_CONFIGS, name, || Ok(self.topic_config(name, key)? == value))
    }

    /// One setting of a topic as it is in force; empty when it has none.
    pub fn topic_config(&self, name: &str, key: &str) -> Result<String> {
        let mut body = Body::default();
        body.list(&[name], |body, name| {
            body.i8(TOPIC).text(name).list(&[key], |body, key| {
                body.text(key);
            });
        });
        body.flag(false);
        self.ask(DESCRIBE_CONFIGS, &body, |answer| {
            answer.skip(&[Skip::I32])?;
            let values = answer.list(|answer| {
                answer.skip(&[Skip::I16, Skip::Text, Skip::I8, Skip::Text])?;
                answer.list(read_setting)
            })?;
            Ok(values.into_iter().flatten().next().unwrap_or_default())
        })
    }

    fn await_partitions(&self, kind: Kind, name: &str, total: u32) -> Result<()> {
        self.until(kind, name, || Ok(self.led_partitions(name)? == Some(total)))?;
        self.end_offsets(name).map(drop)
    }

    /// How many partitions of a topic have a leader; none when there is no such topic.
    pub(super) fn led_partitions(&self, name: &str) -> Result<Option<u32>> {
        let mut body = Body::default();
        body.list(&[name], |body, name| {
            body.text(name);
        });
        self.ask(METADATA, &body, |answer| {
            answer.list(|broker| broker.skip(&[Skip::I32, Skip::Text, Skip::I32, Skip::Text]))?;
            answer.skip(&[Skip::I32])?; // the controller
            Ok(answer.list(read_topic)?.into_iter().next().flatten())
        })
    }

    /// Sends a change and fails when the broker refused any part of it.
    pub(super) fn change(
        &self,
        kind: Kind,
        subject: &str,
        body: &Body,
        verdict: impl FnMut(&mut Answer) -> io::Result<Verdict>,
    ) -> Result<()> {
        let verdicts = self.ask(kind, body, |answer| {
            answer.skip(&[Skip::I32])?; // throttling
            answer.list(verdict)
        })?;
        let refused = verdicts.into_iter().find(|(code, _)| *code != 0);
        refused.map_or(Ok(()), |(code, words)| {
            Err(self.refused(kind, subject, format!("error code {code} {words}")))
        })
    }

    pub(super) fn refused(&self, kind: Kind, subject: &str, reason: String) -> Error {
        let (address, subject) = (self.bootstrap_servers(), subject.to_owned());
        Error::Refused { address, request: kind.name, subject, reason }
    }

    pub(super) fn ask<T>(
        &self,
        kind: Kind,
        body: &Body,
        read: impl FnOnce(&mut Answer) -> io::Result<T>,
    ) -> Result<T> {
        let answer = wire::call(self.address(), kind, body, wire::TIMEOUT);
        answer.and_then(|mut answer| read(&mut answer)).map_err(|source| Error::Call {
            address: self.bootstrap_servers(),
            request: kind.name,
            source,
        })
    }

    /// Waits until a change shows: the controller has it a moment before the broker acts on it.
    pub(super) fn until(
        &self,
        kind: Kind,
        subject: &str,
        mut is_visible: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let deadline = Instant::now() + wire::TIMEOUT;
        while Instant::now() < deadline {
            if is_visible()? {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        let (address, subject) = (self.bootstrap_servers(), subject.to_owned());
        Err(Error::NoEffect { address, request: kind.name, subject })
    }
}

fn read_setting(answer: &mut Answer) -> io::Result<String> {
    answer.skip(&[Skip::Text])?;
    let value = answer.text()?;
    answer.skip(&[Skip::I8; 3])?; // read-only, source, sensitive
    answer.list(|synonym| synonym.skip(&[Skip::Text, Skip::Text, Skip::I8]))?;
    Ok(value)
}

/// A topic's partitions that have a leader, if there is such a topic.
fn read_topic(answer: &mut Answer) -> io::Result<Option<u32>> {
    let error = answer.i16()?;
    answer.skip(&[Skip::Text, Skip::I8])?; // name, internal
    let leaders = answer.list(|partition| {
        partition.skip(&[Skip::I16, Skip::I32])?; // error, index
        let leader = partition.i32()?;
        partition.list(Answer::i32)?;
        partition.list(Answer::i32)?;
        Ok(leader >= 0)
    })?;
    let led = leaders.into_iter().filter(|has_leader| *has_leader).count();
    Ok((error == 0).then(|| u32::try_from(led).unwrap_or(u32::MAX)))
}
