//! Turns a stream of bytes, read in big pieces, into blocks of whole lines.
//!
//! Pure but for the reading, which the caller does. Bytes are copied only for the line that a piece ends in
//! the middle of; memory stays within a line of the allowed size and one piece, however long a line is.

use memchr::{memchr, memrchr};

use super::{BLOCK_BYTES, Block, OVERSIZE_PREFIX, Oversize};

/// The least that a reader is given room for, in bytes, also when a long line fills the block already.
const MIN_ROOM: usize = 64 * 1024;

/// What is known of the last, unfinished line of a stream.
#[derive(Debug)]
pub struct LineSplitter {
    max_record_bytes: usize,
    /// The start of a line whose end was not read yet; never longer than a record may be.
    partial: Vec<u8>,
    /// A line that is too long already and whose end was not read yet.
    skipped: Option<Oversize>,
}

impl LineSplitter {
    /// A splitter at the start of a line. Longer lines than `max_record_bytes` are not kept.
    pub const fn new(max_record_bytes: usize) -> Self {
        Self { max_record_bytes, partial: Vec::new(), skipped: None }
    }

    /// How many bytes were read that belong to no block yet.
    pub fn pending_bytes(&self) -> u64 {
        self.partial.len() as u64 + self.skipped.as_ref().map_or(0, |line| line.bytes)
    }

    /// Lets `read` append to the text of an empty block, at best up to its capacity, and leaves only whole
    /// lines in it. Returns what `read` returned; what it appended counts also if that is an error, so that a source that reads
    /// it again has to take it away.
    pub fn fill<T>(&mut self, block: &mut Block, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        debug_assert!(block.is_empty(), "a block is handed over before it is filled again");
        // Swapped, not copied: a long line that comes in many small pieces would be copied as often.
        std::mem::swap(&mut block.text, &mut self.partial);
        let seen = block.text.len();
        let capacity = BLOCK_BYTES.max(seen + MIN_ROOM);
        if block.text.capacity() > 2 * capacity {
            block.text.shrink_to(capacity); // a long line has passed
        }
        block.text.reserve_exact(capacity - seen);
        let outcome = read(&mut block.text);
        self.take_whole_lines(block, seen);
        outcome
    }

    /// Ends the stream: what is unfinished counts as a line and is added to the block.
    pub fn finish(&mut self, block: &mut Block) {
        block.text.append(&mut self.partial);
        block.oversize.extend(self.skipped.take());
    }

    /// The first `seen` bytes are known to hold no line end.
    fn take_whole_lines(&mut self, block: &mut Block, seen: usize) {
        if let Some(line) = self.skipped.take() {
            self.skip(line, block);
        }
        let end = memrchr(b'\n', &block.text[seen..]).map_or(0, |at| seen + at + 1);
        if end == 0 {
            std::mem::swap(&mut block.text, &mut self.partial);
        } else {
            self.partial.extend_from_slice(&block.text[end..]);
            block.text.truncate(end);
        }
        if self.partial.len() > self.max_record_bytes {
            self.skipped = Some(Oversize::of(&self.partial));
            self.partial.clear();
        }
        if block.text.len() > self.max_record_bytes {
            remove_long_lines(block, self.max_record_bytes);
        }
    }

    /// Takes the rest of a line that is too long from the start of the text.
    fn skip(&mut self, mut line: Oversize, block: &mut Block) {
        let end = memchr(b'\n', &block.text);
        let rest = &block.text[..end.unwrap_or(block.text.len())];
        let wanted = (OVERSIZE_PREFIX - line.prefix.len()).min(rest.len());
        line.prefix.extend_from_slice(&rest[..wanted]);
        line.bytes += rest.len() as u64;
        if let Some(end) = end {
            block.text.drain(..=end);
            block.oversize.push(line);
        } else {
            block.text.clear();
            self.skipped = Some(line);
        }
    }
}

impl Oversize {
    /// Keeps of a line what may be kept.
    fn of(line: &[u8]) -> Self {
        Self { prefix: line[..line.len().min(OVERSIZE_PREFIX)].to_vec(), bytes: line.len() as u64 }
    }
}

/// Moves lines of more than `max` bytes from the text, which ends with a line end, to `oversize`.
fn remove_long_lines(block: &mut Block, max: usize) {
    let text = &mut block.text;
    // Where the next line starts, and to where it goes when lines before it were removed.
    let (mut start, mut kept) = (0, 0);
    while start < text.len() {
        let reach = text.len().min(start + max + 1);
        let end = memrchr(b'\n', &text[start..reach]);
        if let Some(end) = end {
            let next = start + end + 1; // whole lines, each short enough
            text.copy_within(start..next, kept);
            kept += next - start;
            start = next;
        } else {
            let end = memchr(b'\n', &text[reach..]).map_or(text.len(), |at| reach + at);
            block.oversize.push(Oversize::of(&text[start..end]));
            start = end + 1;
        }
    }
    text.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1024;

    /// What comes out when the stream comes in these pieces: the kept lines and the others.
    fn split(pieces: &[&[u8]], max: usize) -> (Vec<u8>, Vec<Oversize>) {
        let mut splitter = LineSplitter::new(max);
        let (mut text, mut oversize, mut block) = (Vec::new(), Vec::new(), Block::default());
        let mut collect = |block: &mut Block| {
            text.append(&mut block.text);
            oversize.append(&mut block.oversize);
        };
        for piece in pieces {
            splitter.fill(&mut block, |text| text.extend_from_slice(piece));
            assert!(block.text.is_empty() || block.text.ends_with(b"\n"));
            collect(&mut block);
        }
        splitter.finish(&mut block);
        assert_eq!(splitter.pending_bytes(), 0);
        collect(&mut block);
        (text, oversize)
    }

    #[test]
    fn wherever_a_stream_is_cut_the_same_lines_come_out() {
        let stream = b"{\"a\":1}\n\r\n\n  \n{\"b\":2}\r\nlast without end";
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(split(&pieces, MAX), (stream.to_vec(), Vec::new()));
            }
        }
    }

    #[test]
    fn wherever_a_stream_is_cut_the_same_long_lines_are_left_out() {
        let stream = b"12345\n123456\n1\n1234567\n12345\n\n123456";
        let long = |line: &[u8]| Oversize { prefix: line.to_vec(), bytes: line.len() as u64 };
        let expected = (
            b"12345\n1\n12345\n\n".to_vec(),
            vec![long(b"123456"), long(b"1234567"), long(b"123456")],
        );
        for first in 0..stream.len() {
            for second in first..stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(split(&pieces, 5), expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn a_line_of_exactly_the_allowed_size_is_kept() {
        let mut line = vec![b'x'; MAX];
        line.push(b'\n');
        assert_eq!(split(&[&line], MAX), (line, Vec::new()));
    }

    #[test]
    fn of_a_giant_line_only_start_and_size_are_kept_in_bounded_memory() {
        let mut splitter = LineSplitter::new(900 * 1024);
        let mut block = Block::default();
        let piece = vec![b'x'; BLOCK_BYTES];
        for _ in 0..4096 {
            splitter.fill(&mut block, |text| text.extend_from_slice(&piece));
            assert!(block.is_empty());
            assert!(splitter.partial.capacity() + block.text.capacity() < 4 * 1024 * 1024);
        }
        splitter.fill(&mut block, |text| text.extend_from_slice(b"end\n{}\n{"));
        assert_eq!(block.text, b"{}\n");
        assert_eq!(block.oversize.len(), 1);
        assert_eq!(block.oversize[0].bytes, 1024 * 1024 * 1024 + 3);
        assert_eq!(block.oversize[0].prefix.len(), OVERSIZE_PREFIX);
        assert_eq!(splitter.pending_bytes(), 1);
    }

    #[test]
    fn room_shrinks_again_after_a_long_line() {
        let mut splitter = LineSplitter::new(8 * BLOCK_BYTES);
        let mut block = Block::default();
        let piece = vec![b'x'; BLOCK_BYTES];
        for _ in 0..7 {
            splitter.fill(&mut block, |text| text.extend_from_slice(&piece));
        }
        splitter.fill(&mut block, |text| text.extend_from_slice(b"\n"));
        for _ in 0..3 {
            block.clear();
            splitter.fill(&mut block, |text| text.extend_from_slice(b"{}\n"));
        }
        assert!(block.text.capacity() <= 2 * BLOCK_BYTES);
        assert!(splitter.partial.capacity() <= 2 * BLOCK_BYTES);
    }

    #[test]
    fn what_a_failed_read_left_behind_is_not_lost() {
        let mut splitter = LineSplitter::new(MAX);
        let mut block = Block::default();
        splitter.fill(&mut block, |text| text.extend_from_slice(b"{\"a\""));
        let outcome: Result<(), ()> = splitter.fill(&mut block, |_| Err(()));
        assert_eq!(outcome, Err(()));
        splitter.fill(&mut block, |text| text.extend_from_slice(b":1}\n"));
        assert_eq!(block.text, b"{\"a\":1}\n");
    }
}
