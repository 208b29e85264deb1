//! Limits on connections, whatever the peer does: how many there are, and how long and how much one may send
//! before it has its answer.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// What connections may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub(super) connections: usize,
    /// How long a connection may take from being accepted, or from its last answer, to its next one.
    pub(super) patience: Duration,
    /// How much it may send in that time, in bytes.
    pub(super) request_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, patience: Duration::from_secs(5), request_bytes: 16 * 1024 }
    }
}

/// A listener whose connections are limited.
#[derive(Debug)]
pub(super) struct LimitedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    limits: Limits,
}

/// A connection under limits.
#[derive(Debug)]
pub(super) struct LimitedStream {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    received: usize,
    limits: Limits,
    _place: OwnedSemaphorePermit,
}

impl LimitedListener {
    pub(super) fn new(listener: TcpListener, limits: Limits) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(limits.connections)), limits }
    }
}

impl Listener for LimitedListener {
    type Io = LimitedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        // This one's accept tries again after errors, and waits a little when they are about this process.
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let limits = self.limits;
        let deadline = Box::pin(sleep(limits.patience));
        (LimitedStream { stream, deadline, received: 0, limits, _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl LimitedStream {
    /// Turns waiting into an error once the patience is over.
    fn expired<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// An answer is going out: the next request may come.
    fn answered(&mut self) {
        let deadline = Instant::now() + self.limits.patience;
        self.deadline.as_mut().reset(deadline);
        self.received = 0;
    }
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Pending => self.expired(cx),
            Poll::Ready(Ok(())) => {
                self.received += buffer.filled().len() - before;
                let is_too_much = self.received > self.limits.request_bytes;
                let refused = || Err(io::Error::from(io::ErrorKind::InvalidData));
                Poll::Ready(if is_too_much { refused() } else { Ok(()) })
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for LimitedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Pending => self.expired(cx),
            Poll::Ready(written) => {
                self.answered();
                Poll::Ready(written)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
