//! run: puts the parts together and takes them apart again in the right order. Nothing here knows what a pipeline is.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{
    Api, Client,
    api::ListParams,
    runtime::events::{Recorder, Reporter},
};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin::{self, Admin, AdminError, Stage},
    caches::{Caches, Stored, Supplies},
    client::{Contact, Instruments},
    context::Context,
    controller::Controller,
    error::words,
    lease::{self, Elector},
    observe::Reports,
    readable::Readable,
    settings::{FIELD_MANAGER, Settings},
};

/// How long to wait before looking again whether the kind is served.
const RECHECK: Duration = Duration::from_secs(5);

/// What one operator process is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// What pipelines are built with.
    pub settings: Settings,
    /// Which Lease says who writes.
    pub lease: lease::Settings,
    /// How many pipelines are looked at at the same time.
    pub concurrency: usize,
    /// Where the admin server listens; absent: there is none.
    pub admin: Option<SocketAddr>,
}

/// Looks after pipelines until it is stopped; then gives the Lease back.
pub async fn run(
    client: Client,
    options: Options,
    instruments: Instruments,
    stop: CancellationToken,
) -> Result<(), AdminError> {
    let tasks = TaskTracker::new();
    let (stage, staged) = watch::channel(Stage::Starting("not started yet".to_owned()));
    // The admin server and the watches outlive the controller: they answer while it comes to its end.
    let end = CancellationToken::new();
    if let Some(address) = options.admin {
        let listener = admin::listen(address).await?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "the admin server listens");
        }
        let admin = Admin { instruments: instruments.clone(), stage: staged };
        tasks.spawn(admin::serve(listener, admin, end.clone()));
    }
    let namespaces = &options.settings.watch_namespaces;
    let kind = Kind::new(&client, namespaces, &instruments.contact);
    if stop.run_until_cancelled(kind.served(&stage)).await.is_some() {
        let supplies = Supplies {
            client: client.clone(),
            metrics: instruments.metrics.clone(),
            touched: mpsc::unbounded_channel().0,
            tasks: tasks.clone(),
            stop: end.clone(),
        };
        watch_and_lead(supplies, options, &instruments, (&stage, &stop)).await;
    }
    end.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

async fn watch_and_lead(
    supplies: Supplies,
    options: Options,
    instruments: &Instruments,
    (stage, stop): (&watch::Sender<Stage>, &CancellationToken),
) {
    let (touched, changes) = mpsc::unbounded_channel();
    let client = supplies.client.clone();
    let caches =
        Caches::start(&options.settings.watch_namespaces, &Supplies { touched, ..supplies });
    stage.send_replace(Stage::Watching(caches.clone()));
    let context = context(client.clone(), &options, instruments, caches);
    let controller = Controller::new(Arc::new(context), changes, options.concurrency);
    let mut elector = Elector::new(client, options.lease, instruments.leadership.clone());
    // The elector goes on while the controller comes to its end, so that its last writes are still allowed.
    let finished = CancellationToken::new();
    let looking = async {
        controller.run(&instruments.leadership, stop).await;
        finished.cancel();
    };
    tokio::join!(looking, elector.run(&finished));
    elector.release().await;
}

fn context(
    client: Client,
    options: &Options,
    instruments: &Instruments,
    caches: Caches,
) -> Context {
    let reporter = Reporter {
        controller: FIELD_MANAGER.to_owned(),
        instance: Some(options.lease.identity.clone()),
    };
    Context {
        recorder: Recorder::new(client.clone(), reporter),
        client,
        settings: options.settings.clone(),
        caches,
        reports: Reports::default(),
        granted: crate::conflict::Granted::default(),
        written: crate::apply::Written::default(),
        topics: crate::apply::SeenTopics::default(),
        resolved: crate::resolve::Recent::default(),
        memories: crate::controller::memory::Memories::default(),
        metrics: instruments.metrics.clone(),
    }
}

/// Whether the API server knows the kind.
struct Kind {
    pipelines: Api<Readable<Stored>>,
    contact: Contact,
}

impl Kind {
    fn new(client: &Client, namespaces: &[String], contact: &Contact) -> Self {
        let pipelines = match namespaces.first() {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        Self { pipelines, contact: contact.clone() }
    }

    /// Returns once it does. To end instead would only be a crash loop that hides the reason.
    async fn served(&self, stage: &watch::Sender<Stage>) {
        while let Err(why) = self.look().await {
            tracing::warn!("{why}");
            stage.send_replace(Stage::Starting(why));
            tokio::time::sleep(RECHECK).await;
        }
    }

    /// Why it is not known to be; for people.
    async fn look(&self) -> Result<(), String> {
        // One that cannot be read must not keep all others waiting.
        let found = self.pipelines.list(&ListParams::default().limit(1)).await;
        if matches!(found, Ok(_) | Err(kube::Error::Api(_))) {
            // Nothing is wrong with this process while it is told what it waits for.
            self.contact.note(Instant::now());
        }
        match found {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => {
                Err("the kind BatchPipeline is not installed; run: \
                     batchpipe-operator crd | kubectl apply --server-side -f -"
                    .to_owned())
            }
            Err(error) => {
                Err(format!("cannot list batchpipelines.batchpipe.dev: {}", words(&error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::client::Body;

    use super::*;

    /// How long the process believes that nothing has worked, after an answer with this code or none.
    async fn silence(code: Option<u16>) -> Duration {
        let server = tower::service_fn(move |_: http::Request<Body>| async move {
            let code = code.ok_or("cut")?;
            let status = format!(r#"{{"kind": "Status", "status": "Failure", "code": {code}}}"#);
            let answer = http::Response::builder().status(code);
            Ok::<_, tower::BoxError>(answer.body(Body::from(status.into_bytes())).unwrap())
        });
        let contact = Contact::silent_for(Duration::from_mins(4));
        let kind = Kind::new(&Client::new(server, "default"), &[], &contact);
        kind.look().await.unwrap_err();
        contact.age(Instant::now())
    }

    #[tokio::test]
    async fn whoever_is_told_that_the_kind_is_not_there_is_alive() {
        for code in [404, 403, 503] {
            assert!(silence(Some(code)).await < Duration::from_mins(1), "{code}");
        }
        assert!(silence(None).await >= Duration::from_mins(4));
    }
}
