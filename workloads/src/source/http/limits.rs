//! What clients of the HTTP source may take of this process: numbers only.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a connection takes from the start, in bytes.
pub(super) const SILENT_CONNECTION: usize = 2 * KIB;
/// What it takes beside that once it has sent something, in bytes: buffers of which a client can have all be filled.
const TALKER: usize = 32 * KIB;
/// The same where it is encrypted.
const ENCRYPTED_TALKER: usize = 64 * KIB;
/// What a request takes beside its body, in bytes.
pub(super) const REQUEST_OVERHEAD: usize = 4 * KIB;

/// What clients may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. For another one the connection is closed that has been idle longest; when all are busy,
    /// it waits.
    pub connections: usize,
    /// How many of them may have sent something; the same holds for another one.
    pub talkers: usize,
    /// What each of these takes, in bytes.
    pub talker_bytes: usize,
    /// How long a connection may be idle, and wait before its first request is read.
    pub idle: Duration,
    /// How long the head of a request may take from its first byte on, and a handshake.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
    /// The largest head of a request, in bytes.
    pub head_bytes: usize,
    /// The most headers of a request.
    pub headers: usize,
    /// The largest body, as it is sent and decompressed, in bytes.
    pub body_bytes: usize,
    /// What all requests together may hold until they are handed over, in bytes.
    pub held_bytes: usize,
}

impl Limits {
    /// The limits of a process that may use `share` bytes of memory for records.
    pub(super) fn new(share: usize, max_record_bytes: usize, is_encrypted: bool) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current;
        let descriptors =
            descriptors.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let talker_bytes = if is_encrypted { ENCRYPTED_TALKER } else { TALKER };
        Self::with(share, max_record_bytes, talker_bytes, descriptors)
    }

    fn with(
        share: usize,
        max_record_bytes: usize,
        talker_bytes: usize,
        descriptors: usize,
    ) -> Self {
        // The rest is for brokers, files and the admin server.
        let by_descriptors = descriptors / 4 * 3;
        // A quarter of the memory for connections.
        let (for_all, for_talkers) = (share / 12, share / 6);
        let connections = by_descriptors.min(for_all / SILENT_CONNECTION).clamp(1, 10_000);
        // A record as large as may be must fit, with the brackets of an array.
        let body_bytes = (share / 8).min(16 * MIB).max(max_record_bytes + KIB);
        Self {
            connections,
            talkers: (for_talkers / talker_bytes).clamp(1, connections),
            talker_bytes,
            idle: Duration::from_mins(1),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            head_bytes: 8 * KIB,
            headers: 64,
            body_bytes,
            held_bytes: (share / 4).max(2 * body_bytes),
        }
    }

    /// What the source may hold at most, in bytes: connections, bodies, and the place where they are decompressed.
    pub(super) const fn memory(&self) -> usize {
        let connections = self.connections * SILENT_CONNECTION + self.talkers * self.talker_bytes;
        connections + self.held_bytes + self.body_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    const RECORD: usize = 900 * KIB;

    fn with(share: usize, record: usize, descriptors: usize) -> Limits {
        Limits::with(share, record, TALKER, descriptors)
    }

    #[test]
    fn limits_follow_from_memory_and_descriptors() {
        let usual = with(256 * MIB, RECORD, 1 << 20);
        assert_eq!((usual.connections, usual.talkers), (10_000, 1365));
        assert_eq!((usual.body_bytes, usual.held_bytes), (16 * MIB, 64 * MIB));
        let few = with(256 * MIB, RECORD, 1024);
        assert_eq!((few.connections, few.talkers), (768, 768));
        let small = with(64 * MIB, RECORD, 1 << 20);
        assert_eq!((small.connections, small.talkers), (2730, 341));
        assert_eq!((small.body_bytes, small.held_bytes), (8 * MIB, 16 * MIB));
        assert!(small.memory() <= 40 * MIB, "{}", small.memory());
    }

    #[test]
    fn the_largest_record_always_fits() {
        for record in [1, RECORD, 32 * MIB] {
            let limits = with(16 * MIB, record, 64);
            assert!(limits.body_bytes > record && limits.held_bytes >= 2 * limits.body_bytes);
        }
    }

    #[test]
    fn the_memory_that_the_operator_gives_is_enough() {
        for batch in [1, 12, 13, 16, 32, 64].map(|mib| mib * MIB) {
            // The operator's own figures.
            let share = Budget::limit_for(Some((256 * MIB).max(20 * batch)));
            let limits = Limits::new(share, batch, true);
            // What a producer needs beside its source: windows for batches and dead letters, and two batches.
            let windows = (share / 8).min(16 * MIB).max(batch) + (4 * MIB).max(batch);
            let needed = limits.memory() + windows + 2 * batch + 2 * MIB;
            assert!(needed <= share, "{} of {} MiB for {batch}", needed / MIB, share / MIB);
        }
    }
}
