//! The first bytes of a file: what tells that it is still the one that was read, and not another one in its
//! place.
//!
//! An inode number alone does not: it stays when a file is overwritten, and is used again after a removal.

use std::{fs::File, io, os::unix::fs::FileExt};

use serde::{Deserialize, Serialize};

/// How much of a file's start counts, in bytes.
const HEAD_BYTES: usize = 1024;

/// The first bytes of a file, as far as they were read.
#[derive(Clone, Debug, Default)]
pub(super) struct Head(Vec<u8>);

/// The same in short, for a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    /// CRC-32C of the first `bytes` bytes.
    crc32c: u32,
    bytes: usize,
}

impl Fingerprint {
    /// Whether it covers as many bytes as any can.
    pub(super) const fn is_full(self) -> bool {
        self.bytes == HEAD_BYTES
    }

    /// Whether it can belong to a file of which `offset` bytes were read.
    pub(super) fn fits(self, offset: u64) -> bool {
        self.bytes == relevant(offset)
    }
}

impl Head {
    /// Nothing was read yet.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The head of a file, if it has the fingerprint.
    pub(super) fn load(file: &File, expected: Fingerprint) -> io::Result<Option<Self>> {
        let mut head = vec![0; expected.bytes.min(HEAD_BYTES)];
        let complete = read_start(file, &mut head)?;
        let head = Self(head);
        Ok((complete && head.fingerprint(expected.bytes as u64) == expected).then_some(head))
    }

    /// The head of a file that was read up to `offset`.
    pub(super) fn of(file: &File, offset: u64) -> io::Result<Self> {
        let mut head = vec![0; relevant(offset)];
        file.read_exact_at(&mut head, 0)?;
        Ok(Self(head))
    }

    /// Notes bytes that were read after all those that were noted before.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        let missing = HEAD_BYTES - self.0.len();
        self.0.extend_from_slice(&bytes[..missing.min(bytes.len())]);
    }

    /// The head for someone who has come to `offset` only.
    pub(super) fn up_to(mut self, offset: u64) -> Self {
        self.0.truncate(relevant(offset));
        self
    }

    /// Whether the file still begins with these bytes.
    pub(super) fn is_start_of(&self, file: &File) -> io::Result<bool> {
        let mut buffer = [0; HEAD_BYTES];
        let start = &mut buffer[..self.0.len()];
        Ok(read_start(file, start)? && *start == *self.0)
    }

    /// The fingerprint for someone who has come to `offset`.
    pub(super) fn fingerprint(&self, offset: u64) -> Fingerprint {
        let bytes = relevant(offset).min(self.0.len());
        Fingerprint { crc32c: crc32c::crc32c(&self.0[..bytes]), bytes }
    }
}

fn relevant(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX).min(HEAD_BYTES)
}

/// Reads the start of a file; false when the file is shorter.
fn read_start(file: &File, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact_at(buffer, 0) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn a_file_that_grew_is_still_the_same() {
        let mut head = Head::default();
        head.note(b"one\n");
        assert!(head.is_start_of(&file(b"one\ntwo\n")).unwrap());
        assert!(Head::load(&file(b"one\ntwo\n"), head.fingerprint(4)).unwrap().is_some());
    }

    #[test]
    fn other_content_or_less_of_it_is_another_file() {
        let mut head = Head::default();
        head.note(b"one\n");
        for content in [&b"two\n"[..], b"on", b""] {
            assert!(!head.is_start_of(&file(content)).unwrap());
            assert!(Head::load(&file(content), head.fingerprint(4)).unwrap().is_none());
        }
    }

    #[test]
    fn only_the_first_bytes_count() {
        let mut head = Head::default();
        head.note(&[b'x'; 1000]);
        head.note(&[b'x'; 1000]);
        let fingerprint = head.fingerprint(2000);
        assert_eq!(fingerprint.bytes, HEAD_BYTES);
        assert!(fingerprint.fits(2000) && !fingerprint.fits(1000));
        let content = [[b'x'; 1024], [b'y'; 1024]].concat();
        assert!(head.is_start_of(&file(&content)).unwrap());
    }
}
