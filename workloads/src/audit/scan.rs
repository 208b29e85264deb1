//! Reading a topic for its audit: every batch is unpacked and checked before it counts.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use batchpipe_api::reason::Reason;
use rdkafka::Message as _;

use super::Audit;
use crate::{
    decode::{Batch, Limits, Opener, Rejection},
    kafka::{
        client::Cluster,
        message,
        reader::{Event, Options, Reader, ReaderError, Unreadable},
    },
    shutdown::Shutdown,
};

/// How often the caller is told how far the scan has come.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// How far a scan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Messages read.
    pub messages: u64,
    /// Messages that there were at the start, at most.
    pub of: u64,
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The topic cannot be read.
    #[error(transparent)]
    Read(#[from] ReaderError),
    /// Signals cannot be watched.
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
    /// A stop was asked for.
    #[error("stopped before topic {topic} was read to its end")]
    Stopped {
        /// The topic.
        topic: String,
    },
}

/// Reads the topic from its beginning to the end that it has now.
pub fn scan(
    cluster: &Cluster,
    topic: &str,
    limits: &Limits,
    shutdown: &Shutdown,
    mut tell: impl FnMut(Progress),
) -> Result<Audit, ScanError> {
    let mut reader = Reader::open(cluster, topic, Options::default(), shutdown)?;
    let mut audit = Audit::default();
    let mut progress = Progress { messages: 0, of: 0 };
    for (partition, at_start) in reader.partitions() {
        audit.note_partition(partition, at_start.low);
        progress.of += u64::try_from(at_start.high - at_start.low).unwrap_or(0);
    }
    let (mut opener, mut batch) = (Opener::new(), Batch::default());
    let mut told = Instant::now();
    let is_complete = reader.read(shutdown, |event| {
        if let Event::Message(message) = event {
            let (partition, view) = (message.partition(), message::view(message));
            match opener.open(&view, limits, message::is_unproved(&view), &mut batch) {
                Ok(found) => {
                    audit.note_read(
                        partition,
                        &found,
                        batch.records,
                        batch.total() - batch.records,
                    );
                }
                Err(rejection) => audit.note_unreadable(partition, message.offset(), &rejection),
            }
            progress.messages += 1;
        }
        if let Event::Unreadable(Unreadable { partition, from, until, why }) = event {
            tracing::warn!(partition, from, until, "messages cannot be read: {why}");
            for offset in from..until {
                let rejection = Rejection::new(Reason::Corrupt, None, limits);
                audit.note_unreadable(partition, offset, &rejection);
                progress.messages += 1;
            }
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(progress);
        }
        Ok::<_, ReaderError>(ControlFlow::Continue(()))
    })?;
    if !is_complete {
        return Err(ScanError::Stopped { topic: topic.to_owned() });
    }
    note_retention(&reader, &mut audit)?;
    Ok(audit)
}

/// Retention may have been faster than we were.
fn note_retention(reader: &Reader, audit: &mut Audit) -> Result<(), ReaderError> {
    for (partition, at_start) in reader.partitions() {
        let low = reader.low_now(partition)?;
        audit.note_partition(partition, low);
        if low > at_start.low {
            tracing::warn!(
                partition,
                "retention deleted messages while the topic was read; holes may come from that"
            );
        }
    }
    Ok(())
}
