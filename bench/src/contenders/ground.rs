//! What contenders work on: the same records, the same broker, topics of their own.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{
    cpu::{self, Cost},
    data::Data,
    rounds::{Contender, Run, Side},
    spread::float,
    stage::Stage,
};

/// The same for everybody.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) data: &'a Data,
    /// Whether only the main ratios are wanted, soon.
    pub(crate) quick: bool,
}

/// What a client that measures its own loop prints as its last line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    cpu_seconds: f64,
    wall_seconds: f64,
}

impl<'a> Ground<'a> {
    /// How many records a contender gets who is so many times slower: all of them if there is time.
    pub(crate) const fn share(&self, slowness: u64) -> u64 {
        if self.quick { self.data.records.div_ceil(slowness) } else { self.data.records }
    }

    /// Two contenders: one sends to a new topic, the other reads it back, after which it is removed.
    pub(crate) fn pair(
        self,
        who: &str,
        produce: impl Fn(&str) -> Result<Run> + 'a,
        consume: impl Fn(&str) -> Result<Run> + 'a,
    ) -> [Contender<'a>; 2] {
        let (sender, reader) = (who.to_owned(), who.to_owned());
        [
            Contender::new(who, Side::Produce, move |round| {
                let topic = self.topic(&sender, round);
                self.stage.make_topic(&topic)?;
                let run = produce(&topic)?;
                Ok(Run { topic_bytes: Some(self.stage.topic_bytes(&topic)?), ..run })
            }),
            Contender::new(who, Side::Consume, move |round| {
                let topic = self.topic(&reader, round);
                let run = consume(&topic)?;
                self.stage.remove_topic(&topic)?;
                Ok(run)
            }),
        ]
    }

    /// One that only sends, to a topic that is then removed.
    pub(crate) fn sender(
        self,
        who: &str,
        produce: impl Fn(&str) -> Result<Run> + 'a,
    ) -> Contender<'a> {
        let sender = who.to_owned();
        Contender::new(who, Side::Produce, move |round| {
            let topic = self.topic(&sender, round);
            self.stage.make_topic(&topic)?;
            let run = produce(&topic)?;
            let topic_bytes = Some(self.stage.topic_bytes(&topic)?);
            self.stage.remove_topic(&topic)?;
            Ok(Run { topic_bytes, ..run })
        })
    }

    /// One that only reads what `sender` sent, and leaves it there.
    pub(crate) fn reader(
        self,
        who: &str,
        sender: &str,
        consume: impl Fn(&str) -> Result<Run> + 'a,
    ) -> Contender<'a> {
        let sender = sender.to_owned();
        Contender::new(who, Side::Consume, move |round| consume(&self.topic(&sender, round)))
    }

    fn topic(&self, who: &str, round: usize) -> String {
        let name: String = who.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{}-{name}-{round}", self.data.profile.name())
    }

    /// Runs a client that measures its own loop over so many records; with what came before to make it warm, it
    /// handled `handled`.
    pub(crate) fn client(&self, command: &mut Command, records: u64, handled: u64) -> Result<Run> {
        let (child, broker) = self.stage.with_broker(|| cpu::of_child(command))?;
        let line = child.printed.trim_end().lines().last().unwrap_or_default();
        let printed: Printed = serde_json::from_str(line)
            .with_context(|| format!("{command:?} printed {:?}", child.printed))?;
        let Printed { cpu_seconds, wall_seconds } = printed;
        Ok(Run {
            peak_bytes: Some(child.peak_bytes),
            broker: Some(broker / float(handled) * 1e6),
            ..Run::new(Cost { cpu_seconds, wall_seconds }, records)
        })
    }
}
