//! One connection: it costs next to nothing until something comes, then it is encrypted if that is asked for, and its
//! requests are answered one after the other.

use std::{convert::Infallible, pin::pin, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    desk::Desk,
    places::{Place, Places},
    stream::{Phase, TimedStream},
};

/// What all connections have in common.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) desk: Arc<Desk>,
    /// Places for those of them that have sent something.
    pub(super) talkers: Arc<Places>,
    /// Encrypts, if that is asked for.
    pub(super) tls: Option<TlsAcceptor>,
    /// Asks connections to end after the answer at hand.
    pub(super) stop: watch::Receiver<bool>,
}

impl Service {
    /// Serves a connection until it ends, or is to make room for another one.
    pub(super) async fn serve(self, stream: TcpStream, place: Arc<Place>) {
        let evicted = Arc::clone(&place);
        tokio::select! {
            () = self.serve_all(stream, place) => {}
            () = evicted.evicted() => {}
        }
    }

    async fn serve_all(mut self, stream: TcpStream, place: Arc<Place>) {
        let idle = self.desk.limits.idle;
        let talker = async {
            // `readable` would do for hints alone, which a new connection may have without anything to read.
            stream.peek(&mut [0]).await.ok().filter(|read| *read > 0)?;
            Some(self.talkers.take().await)
        };
        let talker = tokio::select! {
            talker = timeout(idle, talker) => talker.ok().flatten(),
            _ = self.stop.wait_for(|stop| *stop) => None,
        };
        let Some(talker) = talker else { return };
        let evicted = Arc::clone(&talker);
        // Boxed, and so not part of what a client costs that says nothing.
        let talk = Box::pin(self.talk(stream, [place, talker]));
        tokio::select! {
            () = talk => {}
            () = evicted.evicted() => {}
        }
    }

    async fn talk(mut self, stream: TcpStream, places: [Arc<Place>; 2]) {
        let limits = self.desk.limits;
        // Small answers must not wait for more to send.
        let _ = stream.set_nodelay(true);
        let stream = TimedStream::new(stream, places, limits);
        let phase = stream.phase();
        match self.tls.take() {
            None => self.converse(stream, phase).await,
            Some(tls) => {
                // What goes wrong here is told to the client by an alert.
                if let Ok(Ok(stream)) = timeout(limits.head, tls.accept(stream)).await {
                    self.converse(stream, phase).await;
                }
            }
        }
    }

    async fn converse<S>(mut self, stream: S, phase: Arc<Phase>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.desk.limits;
        let desk = Arc::clone(&self.desk);
        let service = service_fn(move |request| {
            let (desk, working) = (Arc::clone(&desk), phase.work());
            async move {
                let response = desk.answer(request).await;
                drop(working);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_headers(limits.headers)
            .max_header_size(limits.head_bytes)
            // Also how much of a body is read at a time.
            .max_buf_size(limits.head_bytes)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        // An error is about the client, which has gone or speaks no HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = self.stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
