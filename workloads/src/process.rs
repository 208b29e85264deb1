//! A process that produces, consumes, or does both: what all of these have in common.
//!
//! Budget, signals, admin server, progress and the exit report are put together here; the work is elsewhere.

use std::{
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use batchpipe_api::report::{ExitReport, Role, WorkloadState};

use crate::{
    admin::{
        Gate, Side,
        server::{AdminError, AdminServer},
        state::State,
        status::accounting,
    },
    budget::{Budget, TooLittleMemory, cgroup_limit},
    config::{ConfigError, ConsumerSetup, ProducerSetup},
    consume::{self, CatchUp, ConsumeError},
    ledger::Ledger,
    patience,
    produce::{self, ProduceError, Shared},
    progress::Progress,
    shutdown::Shutdown,
    signals,
};

/// Set to 1 where something restarts a process that ends: it idles instead when its work is done.
pub const STAY_VARIABLE: &str = "BATCHPIPE_STAY";

/// What a process is to do.
pub struct Plan {
    /// Its producer.
    pub producer: Option<ProducerSetup>,
    /// Its consumer.
    pub consumer: Option<ConsumerSetup>,
    /// Asks the consumer to end when it has caught up; asked here when the producer is done.
    pub catch_up: CatchUp,
    /// Where the admin server listens.
    pub admin: SocketAddr,
    /// Whether to idle when the work is done.
    pub stays: bool,
}

impl Plan {
    /// How long work at hand is waited for after a request to stop.
    fn grace(&self) -> Duration {
        let producer = self.producer.as_ref().map(|setup| setup.config.grace);
        let consumer = self.consumer.as_ref().map(|setup| setup.config.grace);
        producer.max(consumer).unwrap_or_default()
    }
}

/// Why a process failed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Signals cannot be watched.
    #[error("cannot watch for signals")]
    Signals(#[source] std::io::Error),
    /// What is asked for cannot be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The admin server cannot start.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The producer failed.
    #[error("the producer failed")]
    Produce(#[from] ProduceError),
    /// The consumer failed.
    #[error("the consumer failed")]
    Consume(#[from] ConsumeError),
    /// A thread of ours died.
    #[error("the {0} died; this is a defect of batchpipe")]
    Died(&'static str),
}

/// How a process ended.
pub struct Outcome {
    /// A report for each side.
    pub reports: Vec<ExitReport>,
    /// The first thing that went wrong.
    pub error: Option<ProcessError>,
}

/// One side at work.
struct Running<E> {
    shared: Shared,
    started: Instant,
    thread: JoinHandle<Result<(), E>>,
}

/// Does what is planned, until it is done or a signal comes.
pub fn run(plan: Plan) -> Result<Outcome, ProcessError> {
    let shutdown = Shutdown::new();
    signals::watch(&shutdown).map_err(ProcessError::Signals)?;
    let limit = Budget::limit_for(cgroup_limit());
    let has_both = plan.producer.is_some() && plan.consumer.is_some();
    let share = if has_both { limit / 2 } else { limit };
    check_memory(&plan, share)?;
    let budget = Budget::new(limit);
    let shared = |role| {
        let ledger = Arc::new(Ledger::new());
        let side = Side::new(role, Arc::clone(&ledger));
        side.gate(Gate::Configuration).open();
        Shared { ledger, side, budget: Arc::clone(&budget), share, shutdown: shutdown.clone() }
    };
    let grace = plan.grace();
    let producer = plan.producer.map(|setup| {
        let shared = shared(Role::Producer);
        shared.side.set_topic(&setup.config.topic.name);
        shared.side.set_codec(setup.config.codec.name());
        (setup, shared)
    });
    let consumer = plan.consumer.map(|setup| {
        let shared = shared(Role::Consumer);
        shared.side.set_topic(&setup.config.topic.name);
        shared.side.set_sink(setup.sink.name());
        (setup, shared)
    });
    let sides =
        [producer.as_ref().map(|(_, shared)| shared), consumer.as_ref().map(|(_, shared)| shared)];
    let sides: Vec<Shared> = sides.into_iter().flatten().cloned().collect();
    let state = State::new(
        Arc::clone(&budget),
        sides.iter().map(|shared| Arc::clone(&shared.side)).collect(),
    );
    let admin = AdminServer::start(plan.admin, state)?;
    tracing::info!(address = %admin.local_addr(), "admin server listens");
    patience::watch(&sides, &shutdown, grace);
    let progress = Progress::start(&sides);
    let outcome =
        work(producer.map(start_producer), consumer.map(start_consumer), &plan.catch_up, &shutdown);
    drop(progress);
    if plan.stays && outcome.error.is_none() {
        idle(&shutdown);
    }
    Ok(outcome)
}

/// Refuses what could not work, or not beside the other side, before anything starts.
fn check_memory(plan: &Plan, share: usize) -> Result<(), ConfigError> {
    let refuse = |path: &'static str| {
        move |error: TooLittleMemory| ConfigError::Field { path, problem: error.to_string() }
    };
    if let Some(setup) = &plan.producer {
        let of_source = setup.source.memory(share);
        setup.config.check_memory(share, of_source).map_err(refuse("spec.batch.maxBytes"))?;
    }
    if let Some(setup) = &plan.consumer {
        setup.config.check_memory(share).map_err(refuse("spec.consumer.limits.maxBatchBytes"))?;
    }
    Ok(())
}

fn start_producer((setup, shared): (ProducerSetup, Shared)) -> Running<ProduceError> {
    let ProducerSetup { config, source } = setup;
    start("producer", shared, move |shared| produce::run(&config, source, shared))
}

fn start_consumer((setup, shared): (ConsumerSetup, Shared)) -> Running<ConsumeError> {
    let ConsumerSetup { config, sink } = setup;
    start("consumer", shared, move |shared| consume::run(config, sink, shared))
}

fn start<E: Send + 'static>(
    name: &str,
    shared: Shared,
    work: impl FnOnce(&Shared) -> Result<(), E> + Send + 'static,
) -> Running<E> {
    shared.side.set_state(WorkloadState::Running);
    let theirs = shared.clone();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(&theirs))
        .expect("the system can start a thread");
    Running { shared, started: Instant::now(), thread }
}

/// Waits for both sides. When the producer is done, the consumer ends as soon as it has caught up; when one of
/// them fails, the other is asked to stop.
fn work(
    producer: Option<Running<ProduceError>>,
    consumer: Option<Running<ConsumeError>>,
    catch_up: &CatchUp,
    shutdown: &Shutdown,
) -> Outcome {
    let ends = std::thread::scope(|scope| {
        let first = producer.map(|running| {
            scope.spawn(|| {
                let end = finish("producer", running, shutdown);
                catch_up.want();
                end
            })
        });
        let second = consumer.map(|running| scope.spawn(|| finish("consumer", running, shutdown)));
        let join = "a thread that only waits does not panic";
        [first.map(|it| it.join().expect(join)), second.map(|it| it.join().expect(join))]
    });
    let mut outcome = Outcome { reports: Vec::new(), error: None };
    for (report, error) in ends.into_iter().flatten() {
        outcome.reports.push(report);
        outcome.error = outcome.error.or(error);
    }
    outcome
}

/// Waits for a side to end and makes its report.
fn finish<E: Into<ProcessError>>(
    name: &'static str,
    running: Running<E>,
    shutdown: &Shutdown,
) -> (ExitReport, Option<ProcessError>) {
    let Running { shared, started, thread } = running;
    let error = match thread.join() {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.into()),
        Err(_) => Some(ProcessError::Died(name)),
    };
    if error.is_some() {
        shutdown.request();
    }
    let state =
        if shutdown.is_requested() { WorkloadState::Stopping } else { WorkloadState::Completed };
    shared.side.set_state(state);
    let counts = shared.ledger.snapshot();
    let report =
        ExitReport::new(shared.side.role(), &accounting(&counts), started.elapsed().as_secs_f64());
    (report, error)
}

/// The work is done, but whoever started us would only start us again.
fn idle(shutdown: &Shutdown) {
    if !shutdown.is_requested() {
        tracing::info!("the work is done; idling until asked to stop");
    }
    while !shutdown.wait(Duration::from_hours(1)) {}
}
