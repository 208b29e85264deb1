//! The sink that prints: each message's records in one piece on standard output.
//!
//! All partitions share the stream; a delivery is written under its lock, straight from the batch. What an
//! error leaves half written is kept and completed before anything else is, so no line is ever torn.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, IoSlice, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    io::Errno,
};

use super::{Delivery, Durable, Sink, WriteError, Writer, lines::terminated, tenure::Tenure};

/// How long a full pipe is waited for at a time.
const PIPE_WAIT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Prints records.
#[derive(Debug)]
pub struct StdoutSink(Arc<Mutex<Output>>);

#[derive(Debug)]
struct Output {
    target: File,
    name: &'static str,
    /// The rest of a delivery whose beginning is out already.
    unfinished: Vec<u8>,
}

#[derive(Debug)]
struct StdoutWriter {
    output: Arc<Mutex<Output>>,
    /// The message that an error left half written; it is not to be printed again.
    begun: Option<i64>,
}

impl StdoutSink {
    /// Prints on the standard output of this process.
    pub fn new() -> Result<Self, WriteError> {
        let name = "standard output";
        let handle = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let handle = handle.and_then(unblocked).map_err(|source| WriteError::Io {
            action: "open",
            target: name.into(),
            source,
        })?;
        Ok(Self::over(handle, name))
    }

    fn over(target: File, name: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Output { target, name, unfinished: Vec::new() })))
    }
}

impl Sink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn open(&self, _: &str, _: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        Ok(Box::new(StdoutWriter { output: Arc::clone(&self.0), begun: None }))
    }
}

impl StdoutWriter {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer for StdoutWriter {
    fn write(&mut self, delivery: &Delivery<'_>, _now: Instant) -> Result<Durable, WriteError> {
        let mut output = self.lock();
        output.finish()?;
        if self.begun == Some(delivery.offset) {
            drop(output);
            self.begun = None;
            return Ok(Durable::All);
        }
        let result = output.print(&terminated(delivery));
        let is_torn = !output.unfinished.is_empty();
        drop(output);
        self.begun = is_torn.then_some(delivery.offset);
        result.map(|()| Durable::All)
    }

    fn flush(&mut self) -> Result<Durable, WriteError> {
        self.lock().finish()?;
        Ok(Durable::All)
    }
}

impl Output {
    fn print(&mut self, lines: &[&[u8]]) -> Result<(), WriteError> {
        let (written, result) = write_all(&self.target, lines);
        if result.is_err() && written > 0 {
            self.unfinished = lines.concat().split_off(written);
        }
        result.map_err(|source| self.failed(source))
    }

    /// Completes what an earlier error left half written.
    fn finish(&mut self) -> Result<(), WriteError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        let (written, result) = write_all(&self.target, &[&self.unfinished]);
        self.unfinished.drain(..written);
        result.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        let target = self.name.to_owned();
        if source.kind() == ErrorKind::BrokenPipe {
            WriteError::Closed { target }
        } else {
            WriteError::Io { action: "write to", target, source }
        }
    }
}

/// The same stream, but for a pipe one that does not hold us up when nobody reads it. Opening it anew leaves alone
/// whoever shares it with us, which changing its flags would not.
fn unblocked(stream: File) -> io::Result<File> {
    if !stream.metadata()?.file_type().is_fifo() {
        return Ok(stream);
    }
    let path = format!("/proc/self/fd/{}", stream.as_fd().as_raw_fd());
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag of open(2) is an int");
    // Where there is no /proc, a full pipe holds us up until somebody reads.
    Ok(OpenOptions::new().write(true).custom_flags(flags).open(path).unwrap_or(stream))
}

/// Writes everything, normally with one system call; says how many bytes are out also when it fails.
fn write_all(mut target: &File, lines: &[&[u8]]) -> (usize, io::Result<()>) {
    let mut slices: Vec<_> = lines.iter().map(|line| IoSlice::new(line)).collect();
    let mut left = slices.as_mut_slice();
    let mut written = 0;
    while !left.is_empty() {
        match target.write_vectored(left) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(bytes) => {
                written += bytes;
                IoSlice::advance_slices(&mut left, bytes);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => match wait_for(target) {
                Ok(true) => {}
                Ok(false) => return (written, Err(error)),
                Err(error) => return (written, Err(error)),
            },
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Waits until the target takes bytes again; false when it does not within [`PIPE_WAIT`].
fn wait_for(target: &File) -> io::Result<bool> {
    match poll(&mut [PollFd::new(target, PollFlags::OUT)], Some(&PIPE_WAIT)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::OwnedFd, thread};

    use rustix::fs::fcntl_setfl;

    use super::*;
    use crate::sink::tenure::lasting;

    fn write(writer: &mut dyn Writer, offset: i64, text: &[u8]) -> Result<Durable, WriteError> {
        let whole = 0..text.len();
        let runs = std::slice::from_ref(&whole);
        let delivery = Delivery { offset, timestamp_ms: 0, text, runs, records: 1, packed: None };
        writer.write(&delivery, Instant::now())
    }

    fn piped() -> (io::PipeReader, StdoutSink) {
        let (reader, end) = io::pipe().unwrap();
        (reader, StdoutSink::over(File::from(OwnedFd::from(end)), "the pipe"))
    }

    #[test]
    fn records_come_out_as_lines() {
        let (mut reader, sink) = piped();
        let mut writer = sink.open("t", lasting(0)).unwrap();
        let delivery = Delivery {
            offset: 0,
            timestamp_ms: 0,
            text: b"1\nx\n2",
            runs: &[0..1, 4..5],
            records: 2,
            packed: None,
        };
        assert_eq!(writer.write(&delivery, Instant::now()).unwrap(), Durable::All);
        drop((writer, sink));
        let mut printed = String::new();
        reader.read_to_string(&mut printed).unwrap();
        assert_eq!(printed, "1\n2\n");
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up() {
        let (reader, end) = io::pipe().unwrap();
        let sink = StdoutSink::over(unblocked(File::from(OwnedFd::from(end))).unwrap(), "the pipe");
        let mut writer = sink.open("t", lasting(0)).unwrap();
        let error = write(&mut *writer, 0, &vec![b'x'; 1 << 20]).unwrap_err();
        assert!(matches!(error, WriteError::Io { .. }), "{error}");
        let reading = thread::spawn(move || io::read_to_string(reader).unwrap().len());
        while write(&mut *writer, 0, &vec![b'x'; 1 << 20]).is_err() {}
        drop((writer, sink));
        assert_eq!(reading.join().unwrap(), (1 << 20) + 1);
    }

    #[test]
    fn a_reader_that_went_away_is_told_apart_from_a_fault() {
        let (reader, sink) = piped();
        drop(reader);
        let error = write(sink.open("t", lasting(0)).unwrap().as_mut(), 0, b"1").unwrap_err();
        assert!(matches!(&error, WriteError::Closed { target } if target == "the pipe"), "{error}");
    }

    #[test]
    fn a_full_device_is_an_error_that_can_be_tried_again() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let sink = StdoutSink::over(full, "the device");
        let mut writer = sink.open("t", lasting(0)).unwrap();
        let error = write(writer.as_mut(), 0, b"1").unwrap_err();
        assert_eq!(error.to_string(), "cannot write to the device");
        let file = tempfile::NamedTempFile::new().unwrap();
        sink.0.lock().unwrap().target = file.reopen().unwrap();
        write(writer.as_mut(), 0, b"1").unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"1\n");
    }

    #[test]
    fn deliveries_of_several_partitions_never_mix() {
        let (mut reader, sink) = piped();
        let threads: Vec<_> = (0..4_u8)
            .map(|partition| {
                let mut writer = sink.open("t", lasting(partition.into())).unwrap();
                // Far more than a pipe holds, so that every delivery needs several writes.
                let text = vec![[b'a' + partition].repeat(999); 400].join(&b'\n');
                thread::spawn(move || {
                    for offset in 0..5 {
                        write(writer.as_mut(), offset, &text).unwrap();
                    }
                })
            })
            .collect();
        drop(sink);
        let mut printed = Vec::new();
        reader.read_to_end(&mut printed).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(printed.len(), 4 * 5 * 400 * 1000);
        for delivery in printed.chunks(400 * 1000) {
            assert!(delivery.iter().all(|byte| *byte == delivery[0] || *byte == b'\n'));
        }
    }

    #[test]
    fn what_an_error_tore_is_completed_before_anything_else() {
        let (mut reader, sink) = piped();
        fcntl_setfl(&sink.0.lock().unwrap().target, OFlags::NONBLOCK).unwrap();
        let (mut first, mut second) =
            (sink.open("t", lasting(0)).unwrap(), sink.open("t", lasting(1)).unwrap());
        let (long, short) = (vec![b'a'; 1_000_000], b"b");
        assert!(write(first.as_mut(), 5, &long).is_err(), "nobody reads, and the pipe is smaller");
        let reading = thread::spawn(move || {
            let mut printed = Vec::new();
            reader.read_to_end(&mut printed).unwrap();
            printed
        });
        write(second.as_mut(), 9, short).unwrap();
        write(first.as_mut(), 5, &long).unwrap();
        drop((first, second, sink));
        assert_eq!(reading.join().unwrap(), [&long[..], b"\nb\n"].concat());
    }
}
