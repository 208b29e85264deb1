//! What arrives from librdkafka's threads for the thread that an outbox belongs to.

use crossbeam_channel::Receiver;
use rdkafka::error::RDKafkaErrorCode;

/// Something that an outbox has to look at.
#[derive(Clone, Copy, Debug)]
pub struct Report(pub(super) Kind);

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The connection changed.
    Wake,
    /// The client of this generation will not send any more.
    Fatal { generation: u32 },
    /// What became of a message of this lane that the client of this generation sent.
    Message { generation: u32, partition: i32, number: u32, result: Result<(), RDKafkaErrorCode> },
}

/// The reports of one or more outboxes.
pub type Reports = Receiver<Report>;

impl Report {
    pub(super) const fn wake() -> Self {
        Self(Kind::Wake)
    }

    pub(super) const fn fatal(generation: u32) -> Self {
        Self(Kind::Fatal { generation })
    }

    pub(super) const fn message(
        generation: u32,
        partition: i32,
        number: u32,
        result: Result<(), RDKafkaErrorCode>,
    ) -> Self {
        Self(Kind::Message { generation, partition, number, result })
    }
}
