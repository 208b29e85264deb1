//! Lines from standard input, or from anything else that is read once from start to end.
//!
//! Waits with poll(2) and never inside read(2), so a stop of the process is never held up by a silent writer.
//! What is acknowledged is forgotten: such input cannot be read again.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{Block, Position, Read, Source, SourceError, lines::LineSplitter};

/// The source of a pipeline with `source.stdin`.
#[derive(Debug)]
pub struct StdinSource<F> {
    input: F,
    splitter: LineSplitter,
    read_bytes: u64,
    ended: bool,
}

/// Why reading into a block stopped.
enum Stop {
    /// The block is full or nothing more is there yet.
    Pause,
    /// The input has ended.
    End,
}

impl StdinSource<std::io::Stdin> {
    /// Reads the standard input of the process, which nothing else may read.
    pub fn of_process(max_record_bytes: usize) -> Self {
        Self::new(std::io::stdin(), max_record_bytes)
    }
}

impl<F: AsFd> StdinSource<F> {
    /// Reads a pipe, a file, a terminal or a socket.
    pub const fn new(input: F, max_record_bytes: usize) -> Self {
        let splitter = LineSplitter::new(max_record_bytes);
        Self { input, splitter, read_bytes: 0, ended: false }
    }

    const fn lines(&self) -> Read {
        Read::Lines(Position(self.read_bytes))
    }
}

impl<F: AsFd + Send> Source for StdinSource<F> {
    fn read(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError> {
        let deadline = Instant::now() + wait;
        while !self.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            let input = self.input.as_fd();
            if !is_readable(input, left).map_err(failed)? {
                return Ok(Read::Idle);
            }
            let total = &mut self.read_bytes;
            let stop = self.splitter.fill(block, |text| {
                let before = text.len();
                let stop = read_what_is_there(input, text);
                *total += (text.len() - before) as u64;
                stop
            });
            if matches!(stop.map_err(failed)?, Stop::End) {
                self.ended = true;
                self.splitter.finish(block);
            }
            if !block.is_empty() {
                return Ok(self.lines());
            }
            if left.is_zero() && !self.ended {
                return Ok(Read::Idle); // an endless line must not hold anybody up either
            }
        }
        Ok(Read::End)
    }

    fn acknowledge(&mut self, _position: Position) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Fills `text` as far as that needs no waiting. An error after the first piece is left for the next call.
fn read_what_is_there(input: BorrowedFd<'_>, text: &mut Vec<u8>) -> Result<Stop, Errno> {
    let before = text.len();
    while text.len() < text.capacity() {
        match rustix::io::read(input, spare_capacity(text)) {
            Ok(0) | Err(Errno::BADF) => return Ok(Stop::End), // closed counts as empty
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            // Another process may have made the shared pipe non-blocking.
            Err(Errno::AGAIN) => break,
            Err(_) if text.len() > before => break,
            Err(error) => return Err(error),
        }
        if !matches!(is_readable(input, Duration::ZERO), Ok(true)) {
            break; // what was taken from a pipe is nowhere else
        }
    }
    Ok(Stop::Pause)
}

/// Waits until a read would not block: there is data, or the end, or an error to be read.
fn is_readable(input: BorrowedFd<'_>, wait: Duration) -> Result<bool, Errno> {
    let wait = Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    };
    match poll(&mut [PollFd::new(&input, PollFlags::IN)], Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false), // a signal: the caller has a look at what it means
        Err(error) => Err(error),
    }
}

fn failed(error: Errno) -> SourceError {
    SourceError::Stdin(error.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn a_complete_line_is_handed_over_while_the_writer_goes_on() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut source = StdinSource::new(reader, 1024);
        let mut block = Block::default();
        writer.write_all(b"{\"a\":1}\n{\"b\"").unwrap();
        assert_eq!(source.read(&mut block, LONG).unwrap(), Read::Lines(Position(12)));
        assert_eq!(block.text, b"{\"a\":1}\n");
    }

    #[test]
    fn a_silent_writer_holds_nobody_up() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut source = StdinSource::new(reader, 1024);
        let mut block = Block::default();
        assert_eq!(source.read(&mut block, NOW).unwrap(), Read::Idle);
        writer.write_all(b"{\"no end\"").unwrap();
        assert_eq!(source.read(&mut block, Duration::from_millis(1)).unwrap(), Read::Idle);
        assert!(block.is_empty());
    }

    #[test]
    fn the_last_line_needs_no_line_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut source = StdinSource::new(reader, 1024);
        let mut block = Block::default();
        writer.write_all(b"1\r\n2").unwrap();
        drop(writer);
        let mut text = Vec::new();
        while let Read::Lines(_) = source.read(&mut block, LONG).unwrap() {
            text.append(&mut block.text);
        }
        assert_eq!(text, b"1\r\n2");
        assert_eq!(source.read(&mut block, LONG).unwrap(), Read::End);
    }

    #[test]
    fn everything_that_a_busy_writer_sends_comes_through() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let line = [b"{\"text\":\"".to_vec(), vec![b'x'; 1000], b"\"}\n".to_vec()].concat();
        let sent = line.repeat(2000);
        let expected = sent.clone();
        let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
        let mut source = StdinSource::new(reader, 4096);
        let (mut block, mut received) = (Block::default(), Vec::new());
        while let Read::Lines(_) = source.read(&mut block, LONG).unwrap() {
            received.append(&mut block.text);
        }
        writing.join().unwrap();
        assert!(received == expected);
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"1\n2").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut source = StdinSource::new(file, 1024);
        let mut block = Block::default();
        assert!(matches!(source.read(&mut block, NOW).unwrap(), Read::Lines(_)));
        assert_eq!(block.text, b"1\n2");
        block.clear();
        assert_eq!(source.read(&mut block, NOW).unwrap(), Read::End);
    }

    #[test]
    fn empty_input_ends_at_once() {
        let mut source = StdinSource::new(tempfile::tempfile().unwrap(), 1024);
        assert_eq!(source.read(&mut Block::default(), LONG).unwrap(), Read::End);
    }

    #[test]
    fn an_input_that_cannot_be_read_is_an_error() {
        let folder = std::fs::File::open("/").unwrap();
        let mut source = StdinSource::new(folder, 1024);
        let error = source.read(&mut Block::default(), NOW).unwrap_err();
        assert!(matches!(error, SourceError::Stdin(_)));
    }

    #[test]
    fn an_endless_line_holds_nobody_up() {
        let mut source = StdinSource::new(std::fs::File::open("/dev/zero").unwrap(), 1024);
        assert_eq!(source.read(&mut Block::default(), NOW).unwrap(), Read::Idle);
    }

    #[test]
    fn a_long_line_is_left_out_and_the_next_one_kept() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut source = StdinSource::new(reader, 10);
        writer.write_all(&[b'x'; 100]).unwrap();
        writer.write_all(b"\n{}\n").unwrap();
        let mut block = Block::default();
        assert!(matches!(source.read(&mut block, LONG).unwrap(), Read::Lines(_)));
        assert_eq!(block.text, b"{}\n");
        assert_eq!(block.oversize[0].bytes, 100);
    }
}
