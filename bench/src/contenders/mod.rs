//! Who is measured: ourselves, the bare work, and what others would use instead, each in a file of its own.

pub(crate) mod bare;
pub(crate) mod batchpipe;
pub(crate) mod bento;
pub(crate) mod codec;
mod ground;
pub(crate) mod java;
pub(crate) mod librdkafka;
pub(crate) mod python;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

pub(crate) use self::ground::Ground;
use crate::rounds::Contender;

/// Somebody who is measured.
pub(crate) trait Party {
    /// Its turns on some records, in their order: what is read was sent before.
    fn contenders<'a>(&'a self, ground: Ground<'a>) -> Vec<Contender<'a>>;

    /// What each of its contenders does, with which settings, for the document.
    fn settings(&self) -> Vec<Setting>;

    /// What it is made of, and in which versions.
    fn versions(&self) -> Result<Vec<Version>>;
}

/// What a contender does, and how it is set.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) who: String,
    pub(crate) produce: String,
    pub(crate) consume: String,
}

impl Setting {
    fn new(who: &str, produce: impl Into<String>, consume: impl Into<String>) -> Self {
        Self { who: who.to_owned(), produce: produce.into(), consume: consume.into() }
    }
}

/// A program or library, and its version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) what: &'static str,
    pub(crate) version: String,
}

/// Who is compared with us, and can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// The Python demo that `BatchPipe` grew from, with zlib and with zstd
    Python,
    /// A plain client of librdkafka, a message per record
    Librdkafka,
    /// Kafka's own clients: `ProducerPerformance`, and a consumer with Jackson
    Java,
    /// Bento, which archives and compresses
    Bento,
}

impl Peer {
    /// What it is called on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Librdkafka => "librdkafka",
            Self::Java => "java",
            Self::Bento => "bento",
        }
    }

    fn find(self) -> Result<Box<dyn Party>> {
        Ok(match self {
            Self::Python => Box::new(python::Python::find()?),
            Self::Librdkafka => Box::new(librdkafka::Librdkafka::find()?),
            Self::Java => Box::new(java::Java::find()?),
            Self::Bento => Box::new(bento::Bento::find()?),
        })
    }
}

/// Finds or builds everyone who was not left out. Who cannot be had ends the run.
pub(crate) fn parties(without: &[Peer]) -> Result<Vec<Box<dyn Party>>> {
    let mut all: Vec<Box<dyn Party>> =
        vec![Box::new(codec::Codecs), Box::new(bare::Bare), Box::new(batchpipe::BatchPipe)];
    for peer in Peer::value_variants().iter().filter(|peer| !without.contains(peer)) {
        let name = peer.name();
        let party = peer.find().with_context(|| {
            format!("contender {name:?} cannot run; `--without {name}` leaves it out")
        })?;
        all.push(party);
    }
    Ok(all)
}
