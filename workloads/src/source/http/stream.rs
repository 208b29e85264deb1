//! A connection with deadlines: how long a client may be silent, and how long the head of a request may take.
//!
//! While a request is read and answered there is none here: its body has one of its own, and the broker may take as
//! long as it takes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::{limits::Limits, places::Place};

/// What a connection is doing; shared by its stream and its requests.
#[derive(Debug)]
pub(super) struct Phase {
    now: AtomicU8,
    /// Among all connections, and among those that have sent something.
    places: [Arc<Place>; 2],
}

/// Nothing has come since the start or the last answer.
const IDLE: u8 = 0;
/// The head of a request is coming.
const HEAD: u8 = 1;
/// A request is being read or answered.
const BUSY: u8 = 2;
/// The answer is ready to be written.
const ANSWERED: u8 = 3;

/// A request being worked on; when this is dropped its answer is ready.
pub(super) struct Working(Arc<Phase>);

impl Phase {
    // Relaxed: stream and requests of a connection belong to one task.
    fn get(&self) -> u8 {
        self.now.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.now.store(phase, Ordering::Relaxed);
    }

    fn set_busy(&self) {
        self.places.iter().for_each(|place| place.set_busy());
    }

    fn set_idle(&self) {
        self.places.iter().for_each(|place| place.set_idle());
    }

    /// The head of a request was read.
    pub(super) fn work(self: &Arc<Self>) -> Working {
        self.set(BUSY);
        self.set_busy(); // this head may have come together with the request before
        Working(Arc::clone(self))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.set(ANSWERED);
    }
}

/// A connection with deadlines.
pub(super) struct TimedStream {
    stream: TcpStream,
    phase: Arc<Phase>,
    deadline: Pin<Box<Sleep>>,
    limits: Limits,
}

impl TimedStream {
    pub(super) fn new(stream: TcpStream, places: [Arc<Place>; 2], limits: Limits) -> Self {
        let deadline = Box::pin(sleep(limits.idle));
        let phase = Arc::new(Phase { now: AtomicU8::new(IDLE), places });
        Self { stream, phase, deadline, limits }
    }

    pub(super) fn phase(&self) -> Arc<Phase> {
        Arc::clone(&self.phase)
    }

    /// Turns waiting into an error once the time is over.
    fn expired<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if matches!(self.phase.get(), IDLE | HEAD) {
            ready!(self.deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    fn allow(&mut self, time: std::time::Duration) {
        self.deadline.as_mut().reset(Instant::now() + time);
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => self.expired(cx),
            read @ Poll::Ready(_) => {
                if self.phase.get() == IDLE {
                    self.phase.set(HEAD);
                    self.phase.set_busy();
                    let time = self.limits.head;
                    self.allow(time);
                }
                read
            }
        }
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.phase.get() == ANSWERED {
            self.phase.set(IDLE);
            self.phase.set_idle();
            let time = self.limits.idle;
            self.allow(time);
            // Nothing need be read again before that time is over, so its end must wake this task by itself.
            let _ = self.deadline.as_mut().poll(cx);
        }
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => self.expired(cx), // a client that does not read its answers
            written @ Poll::Ready(_) => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
