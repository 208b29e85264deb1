//! The server: one thread that accepts connections and answers requests, and one that checks what they hold.

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rustls::{ServerConfig, crypto::ring};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{self, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    connection::Service, desk::Desk, limits::SILENT_CONNECTION, places::Places, secrets::Secrets,
};
use crate::{admin::Side, budget::Budget};

/// How often files of Secrets are looked at, and the thread shows that it lives.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How long to wait when no connection can be accepted: there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long answers that are on their way may take at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// A running server; dropping it stops it.
pub(super) struct Server {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves requests at this address.
    pub(super) fn start(
        listener: TcpListener,
        desk: Desk,
        budget: Arc<Budget>,
        side: Arc<Side>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || runtime.block_on(run(listener, desk, budget, side, stopped)))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the HTTP server had panicked");
        }
    }
}

async fn run(
    listener: TcpListener,
    desk: Desk,
    budget: Arc<Budget>,
    side: Arc<Side>,
    mut stopped: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot serve HTTP"),
    };
    let limits = desk.limits;
    let places = Places::new(limits.connections, SILENT_CONNECTION, Arc::clone(&budget));
    let talkers = Places::new(limits.talkers, limits.talker_bytes, budget);
    tokio::spawn(look(Arc::clone(&desk.secrets), side));
    let tls = desk.secrets.is_encrypted().then(|| acceptor(Arc::clone(&desk.secrets)));
    let service = Service { desk: Arc::new(desk), talkers, tls, stop: stopped.clone() };
    tokio::select! {
        () = accept(&listener, &places, &service) => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    // Connections that are still busy after that are cut off with the runtime.
    let _ = timeout(LAST_ANSWERS, places.empty()).await;
}

async fn accept(listener: &tokio::net::TcpListener, places: &Arc<Places>, service: &Service) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = places.take().await;
                tokio::spawn(service.clone().serve(stream, place));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection cannot be accepted");
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Looks at the files of Secrets until the runtime ends.
async fn look(secrets: Arc<Secrets>, side: Arc<Side>) {
    let heartbeat = side.heartbeat("http server");
    let mut period = time::interval(LOOK_PERIOD);
    loop {
        period.tick().await;
        heartbeat.tick();
        let secrets = Arc::clone(&secrets);
        let _ = spawn_blocking(move || secrets.look()).await;
    }
}

fn acceptor(secrets: Arc<Secrets>) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for the default versions")
        .with_no_client_auth()
        .with_cert_resolver(secrets);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}
