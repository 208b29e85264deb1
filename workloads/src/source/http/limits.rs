//! What clients of the HTTP source may take of this process: numbers only.

use std::time::Duration;

use rustix::process::{Resource, getrlimit};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What a connection takes once it has sent something: buffers, states, and those of its encryption, in bytes.
pub(super) const BUSY_CONNECTION: usize = 16 * KIB;
/// What it takes before that, in bytes.
pub(super) const SILENT_CONNECTION: usize = 2 * KIB;
/// What a request takes beside its body, in bytes.
pub(super) const REQUEST_OVERHEAD: usize = 4 * KIB;

/// What clients may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. For another one the connection is closed that has been idle longest; when all are busy,
    /// it waits to be accepted.
    pub connections: usize,
    /// How long a connection may be idle.
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
    pub(super) fn new(share: usize, max_record_bytes: usize) -> Self {
        let descriptors = getrlimit(Resource::Nofile).current;
        let descriptors =
            descriptors.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        Self::with_descriptors(share, max_record_bytes, descriptors)
    }

    fn with_descriptors(share: usize, max_record_bytes: usize, descriptors: usize) -> Self {
        // The rest is for brokers, files and the admin server.
        let by_descriptors = descriptors / 4 * 3;
        let by_memory = share / 4 / BUSY_CONNECTION;
        // A record as large as may be must fit, with the brackets of an array.
        let body_bytes = (share / 8).min(16 * MIB).max(max_record_bytes + KIB);
        Self {
            connections: by_descriptors.min(by_memory).clamp(1, 10_000),
            idle: Duration::from_mins(1),
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            head_bytes: 16 * KIB,
            headers: 64,
            body_bytes,
            held_bytes: (share / 4).max(2 * body_bytes),
        }
    }

    /// What the source may hold at most, in bytes: connections, bodies, and the place where they are decompressed.
    pub(super) const fn memory(&self) -> usize {
        self.connections * BUSY_CONNECTION + self.held_bytes + self.body_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: usize = 900 * KIB;

    #[test]
    fn limits_follow_from_memory_and_descriptors() {
        let usual = Limits::with_descriptors(256 * MIB, RECORD, 1 << 20);
        assert_eq!((usual.connections, usual.body_bytes), (4096, 16 * MIB));
        assert_eq!(usual.held_bytes, 64 * MIB);
        assert_eq!(Limits::with_descriptors(4096 * MIB, RECORD, 1 << 20).connections, 10_000);
        assert_eq!(Limits::with_descriptors(256 * MIB, RECORD, 1024).connections, 768);
        let small = Limits::with_descriptors(64 * MIB, RECORD, 1 << 20);
        assert_eq!((small.connections, small.body_bytes), (1024, 8 * MIB));
        assert_eq!((small.held_bytes, small.memory()), (16 * MIB, 40 * MIB));
    }

    #[test]
    fn the_largest_record_always_fits() {
        for record in [1, RECORD, 32 * MIB] {
            let limits = Limits::with_descriptors(16 * MIB, record, 64);
            assert!(limits.body_bytes > record && limits.held_bytes >= 2 * limits.body_bytes);
        }
    }
}
