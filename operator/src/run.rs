//! run: puts the parts together and takes them apart again in the right order. Nothing here knows what a pipeline is.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use batchpipe_api::pipeline::BatchPipeline;
use kube::{
    Api, Client,
    api::ListParams,
    runtime::events::{Recorder, Reporter},
};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin::{self, Admin, AdminError, Stage},
    caches::{Caches, Supplies},
    client::Instruments,
    context::Context,
    controller::{Controller, Ending},
    error::words,
    lease::{self, Elector},
    observe::Reports,
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
        tracing::info!(address = ?listener.local_addr().ok(), "the admin server listens");
        let admin = Admin { instruments: instruments.clone(), stage: staged };
        tasks.spawn(admin::serve(listener, admin, end.clone()));
    }
    let namespaces = &options.settings.watch_namespaces;
    if stop.run_until_cancelled(served(&client, namespaces, &stage)).await.is_some() {
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
        let ending = controller.run(&instruments.leadership, stop).await;
        finished.cancel();
        ending
    };
    let (ending, ()) = tokio::join!(looking, elector.run(&finished));
    match ending {
        Ending::InOrder => elector.release().await,
        Ending::GivenUp => elector.abandon(),
    }
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

/// Returns once the API server knows the kind. To end instead would only be a crash loop that hides the reason.
async fn served(client: &Client, namespaces: &[String], stage: &watch::Sender<Stage>) {
    let api: Api<BatchPipeline> = match namespaces.first() {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    loop {
        let why = match api.list(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 404 => {
                "the kind BatchPipeline is not installed; run: \
                 batchpipe-operator crd | kubectl apply --server-side -f -"
                    .to_owned()
            }
            Err(error) => format!("cannot list batchpipelines.batchpipe.dev: {}", words(&error)),
        };
        tracing::warn!("{why}");
        stage.send_replace(Stage::Starting(why));
        tokio::time::sleep(RECHECK).await;
    }
}
