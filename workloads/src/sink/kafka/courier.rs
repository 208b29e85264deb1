//! The thread that sends: it owns the outbox, gives each record its partition, and tells writers what became of theirs.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};

use super::{
    in_our_words,
    parcel::{Parcel, Token},
    partition_of,
};
use crate::{
    clock::unix_ms,
    kafka::{
        outbox::{Event, Health, Outbox, Settings},
        waiting::Waiting,
    },
};

/// The loop turns at least this often.
const TICK: Duration = Duration::from_millis(500);
/// How many reports are taken in before messages are handed over again.
const REPORTS_AT_ONCE: usize = 1000;

enum Request {
    Send(Parcel),
    /// Forget what nobody waits for any more.
    Forget,
}

/// A writer's access to the thread. The thread ends with the last of them.
#[derive(Clone)]
pub(super) struct Courier {
    requests: Sender<Request>,
    told: Arc<Told>,
}

/// What the thread tells.
#[derive(Default)]
struct Told {
    /// Why records wait.
    trouble: Mutex<Option<Waiting>>,
    /// How many were sent again although the first one may have arrived.
    resent: AtomicU64,
}

impl Courier {
    /// Starts the thread, which connects at once.
    ///
    /// # Panics
    /// When the system gives no more threads.
    pub(super) fn start(settings: Settings) -> Self {
        let (requests, incoming) = crossbeam_channel::unbounded();
        let told = Arc::<Told>::default();
        let thread = Arc::clone(&told);
        std::thread::Builder::new()
            .name("kafka-sink".to_owned())
            .spawn(move || Round::new(settings, thread).run(&incoming))
            .expect("the system can start a thread");
        Self { requests, told }
    }

    /// Sends records; false when the thread has died.
    pub(super) fn send(&self, parcel: Parcel) -> bool {
        self.requests.send(Request::Send(parcel)).is_ok()
    }

    /// Takes back what was abandoned, as far as it is not on its way.
    pub(super) fn forget(&self) {
        let _ = self.requests.send(Request::Forget); // a thread that is gone has forgotten all
    }

    /// Why records wait, if they do.
    pub(super) fn trouble(&self) -> Option<Waiting> {
        self.told.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many records were sent again without knowing whether the first ones had arrived.
    pub(super) fn resent(&self) -> u64 {
        self.told.resent.load(Ordering::Relaxed)
    }
}

struct Round {
    topic: String,
    outbox: Outbox<Token>,
    events: Vec<Event<Token>>,
    /// What came before the topic's partitions were known.
    early: VecDeque<Parcel>,
    /// Where the next records without a key go.
    turn: u32,
    told: Arc<Told>,
}

impl Round {
    fn new(settings: Settings, told: Arc<Told>) -> Self {
        Self {
            topic: settings.topic.name.clone(),
            outbox: Outbox::new(settings),
            events: Vec::new(),
            early: VecDeque::new(),
            turn: 0,
            told,
        }
    }

    fn run(mut self, incoming: &Receiver<Request>) {
        let reports = self.outbox.reports();
        loop {
            self.sort();
            let now = Instant::now();
            let again = self.outbox.pump(now, &mut self.events);
            let more = self.settle();
            self.tell();
            let wait = if more {
                Duration::ZERO
            } else {
                again.map_or(TICK, |at| at.saturating_duration_since(now).min(TICK))
            };
            crossbeam_channel::select! {
                recv(reports) -> report => {
                    for report in report.into_iter().chain(reports.try_iter().take(REPORTS_AT_ONCE)) {
                        self.outbox.report(report, &mut self.events);
                    }
                    self.settle();
                },
                recv(incoming) -> request => match request {
                    Ok(Request::Send(parcel)) => self.early.push_back(parcel),
                    Ok(Request::Forget) => self.forget(),
                    Err(_) => return, // every writer has gone, and waits for nothing
                },
                default(wait) => {}
            }
        }
    }

    /// Gives records their partitions, once it is known how many there are.
    fn sort(&mut self) {
        let Some(partitions) = self.outbox.partitions() else { return };
        for parcel in self.early.drain(..).filter(|parcel| !parcel.is_abandoned()) {
            let Parcel { items, ticket } = parcel;
            for item in items {
                let partition = partition_of(item.key.as_deref(), partitions, self.turn);
                self.outbox.push(partition, item.into_message(unix_ms(), Arc::clone(&ticket)));
            }
            self.turn = self.turn.wrapping_add(1);
        }
    }

    fn forget(&mut self) {
        self.early.retain(|parcel| !parcel.is_abandoned());
        self.outbox.forget(Token::is_abandoned);
    }

    /// Tells what became of records; true when there is more to send.
    fn settle(&mut self) -> bool {
        let mut more = false;
        for event in self.events.drain(..) {
            match event {
                Event::Delivered(message) => message.token.settle(),
                Event::TooLarge { partition, message } => {
                    self.outbox.replace(partition, std::iter::empty());
                    message.token.refuse();
                    more = true;
                }
            }
        }
        more
    }

    /// Says why records wait, and what came twice perhaps. Before the topic was found they would.
    fn tell(&self) {
        let is_idle = self.outbox.is_empty() && self.outbox.partitions().is_some();
        let waiting = match self.outbox.health() {
            Health::Waiting(waiting) if !is_idle => Some(in_our_words(waiting, &self.topic)),
            _ => None,
        };
        self.told.resent.store(self.outbox.resent(), Ordering::Relaxed);
        *self.told.trouble.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }
}
