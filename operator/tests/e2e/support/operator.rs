//! An operator in this process, with a runtime of its own, so that it can be stopped in good order or like a crash.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use batchpipe_operator::{
    client::{self, Instruments},
    lease::{self, Timing},
    run::{Options, run},
    settings::Settings,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::layer::layer_fn;

use super::{Faults, Namespace, kubeconfig};

/// The image that pods are built with; nothing runs it.
pub(crate) const IMAGE: &str = "example.com/batchpipe:test";

/// An operator that looks after one namespace.
pub(crate) struct Operator {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    ended: std::sync::mpsc::Receiver<()>,
    pub(crate) faults: Faults,
    pub(crate) instruments: Instruments,
}

impl Operator {
    /// Starts an operator without faults.
    pub(crate) fn start(namespace: Namespace<'_>) -> Self {
        Self::with(namespace, "operator", Faults::none())
    }

    /// Starts an operator of a name of its own. It may do what the chart lets it do.
    pub(crate) fn with(namespace: Namespace<'_>, identity: &str, faults: Faults) -> Self {
        Self::at(&kubeconfig(namespace), options(namespace.name, identity), faults)
    }

    /// Starts an operator that is told everything.
    pub(crate) fn at(kubeconfig: &Path, options: Options, faults: Faults) -> Self {
        log();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (stop, instruments) = (CancellationToken::new(), Instruments::default());
        let (tell, ended) = std::sync::mpsc::channel();
        let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
        let (around, given, asked) = (faults.clone(), instruments.clone(), stop.clone());
        runtime.spawn(async move {
            let defaults = KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(kubeconfig, &defaults).await.unwrap();
            let transport = client::transport(config).unwrap();
            let around_it = transport.with_layer(&layer_fn(|inner| around.layer(inner)));
            let client = client::layered(around_it, &given).build();
            run(client, options, given, asked).await.unwrap();
            tell.send(()).unwrap();
        });
        Self { runtime: Some(runtime), stop, ended, faults, instruments }
    }

    /// Whether it may write.
    pub(crate) fn leads(&self) -> bool {
        self.instruments.leadership.is_leader(Instant::now())
    }

    /// Whether it looks after pipelines, or is about to stop: looks may be under way.
    pub(crate) fn is_at_work(&self) -> bool {
        let scrape = self.instruments.metrics.scrape().unwrap();
        scrape.lines().any(|line| line == "batchpipe_operator_leader 1")
    }

    /// How often it has looked at a pipeline and come to an end.
    pub(crate) fn looks(&self) -> usize {
        let scrape = self.instruments.metrics.scrape().unwrap();
        let count = |line: &str| {
            let rest = line.strip_prefix("batchpipe_operator_reconciliations_total{")?;
            let is_one = !rest.contains("not_ready");
            rest.rsplit(' ').next()?.parse::<usize>().ok().filter(|_| is_one)
        };
        scrape.lines().filter_map(count).sum()
    }

    /// Stops it as SIGTERM does, and waits until it has.
    pub(crate) fn stop(self) {
        self.stop.cancel();
        self.ended.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    /// Ends it in the middle of whatever it does, as a crash would.
    pub(crate) fn crash(self) {
        drop(self);
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Logs what operators say when `BATCHPIPE_LOG` asks for it.
fn log() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    if std::env::var_os("BATCHPIPE_LOG").is_some() {
        ONCE.call_once(|| batchpipe_operator::telemetry::init().unwrap());
    }
}

/// Leadership without renewals in between: what is asked does not depend on how long it takes.
pub(crate) const fn lasting() -> Timing {
    Timing {
        duration: Duration::from_mins(3),
        renew_deadline: Duration::from_mins(2),
        retry: Duration::from_mins(1),
    }
}

/// What an operator of one namespace is told. Leadership is short, so that tests of it are.
pub(crate) fn options(namespace: &str, identity: &str) -> Options {
    let timing = Timing {
        duration: Duration::from_secs(3),
        renew_deadline: Duration::from_secs(2),
        retry: Duration::from_millis(500),
    };
    Options {
        settings: Settings {
            workload_image: IMAGE.to_owned(),
            operator_namespace: namespace.to_owned(),
            monitoring_namespace: None,
            watch_namespaces: vec![namespace.to_owned()],
        },
        lease: lease::Settings {
            namespace: namespace.to_owned(),
            name: "batchpipe-operator".to_owned(),
            identity: identity.to_owned(),
            timing,
        },
        concurrency: 4,
        admin: None,
    }
}
