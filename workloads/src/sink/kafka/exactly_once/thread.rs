//! The thread that sends: takes what writers hand over, and puts it into one transaction after the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::{
    Desk, Letters,
    client::{Client, Failure},
    parcel::{Parcel, Request},
    sizes::Sizes,
    transaction::Transaction,
};
use crate::{
    backoff::Backoff,
    kafka::{
        topics::{Admin, TopicError},
        waiting::Waiting,
    },
    produce::incarnation,
    sink::kafka::in_our_words,
};

/// How long a transaction stays open for more messages. Each costs four requests, and markers in every partition.
pub(super) const PERIOD: Duration = Duration::from_millis(100);
/// How often to look after the client when nothing comes.
const TICK: Duration = Duration::from_millis(500);
/// The first and the longest wait after something failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The thread's state.
pub(super) struct Thread {
    desk: Arc<Desk>,
    /// Brokers know our transactions by this id: another client that has it ends ours.
    transactional_id: String,
    client: Option<Client>,
    backoff: Backoff,
    sizes: Sizes,
    /// Where the next records without a key go.
    turn: u32,
}

impl Thread {
    /// Starts it. It ends with the last sender.
    ///
    /// # Panics
    /// When the system gives no more threads.
    pub(super) fn start(desk: Arc<Desk>) -> Sender<Request> {
        let (requests, incoming) = crossbeam_channel::unbounded();
        let transactional_id = format!("{}.{}", desk.settings.group, incarnation());
        let thread = Self {
            desk,
            transactional_id,
            client: None,
            backoff: Backoff::spread(RETRY.0, RETRY.1),
            sizes: Sizes::new(Instant::now()),
            turn: 0,
        };
        std::thread::Builder::new()
            .name("transactions".to_owned())
            .spawn(move || thread.run(&incoming))
            .expect("the system can start a thread");
        requests
    }

    fn run(mut self, incoming: &Receiver<Request>) {
        self.look();
        loop {
            match incoming.recv_timeout(TICK) {
                Ok(Request::Store(parcel)) => self.store(parcel, incoming),
                Ok(Request::Commit) => {} // what it is about is committed already, or came to nothing
                Ok(Request::PrepareLetters) => self.prepare_letters(),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Connects, while there is nothing to do: what is wrong is said before the first message comes.
    fn look(&mut self) {
        self.renew();
        let connected = self.connect();
        *self.desk.trouble() = connected.as_ref().err().cloned();
        self.client = connected.ok();
    }

    /// Gives up a client for other credentials that work; notices new partitions.
    fn renew(&mut self) {
        let Some(client) = &mut self.client else { return };
        if client.renewal.is_due(Instant::now()) {
            self.client = None;
        } else {
            client.look(&self.desk.settings);
        }
    }

    /// Puts a message into a transaction, and with it what comes meanwhile.
    fn store(&mut self, parcel: Parcel, incoming: &Receiver<Request>) {
        self.renew();
        while !drop_stale(&parcel) {
            match self.connect() {
                Ok(client) => {
                    let outcome = self.transact(&client, parcel, incoming);
                    self.conclude(client, outcome);
                    return;
                }
                Err(waiting) => self.wait(waiting),
            }
        }
    }

    fn connect(&mut self) -> Result<Client, Waiting> {
        if let Some(client) = self.client.take() {
            return Ok(client);
        }
        Client::connect(&self.desk.settings, &self.transactional_id, self.sizes.batches())
            .map_err(|waiting| in_our_words(waiting, &self.desk.settings.topic.name))
    }

    /// Says what is waited for, and waits a moment.
    fn wait(&mut self, waiting: Waiting) {
        *self.desk.trouble() = Some(waiting);
        std::thread::sleep(self.backoff.next_wait());
    }

    fn transact(
        &mut self,
        client: &Client,
        first: Parcel,
        incoming: &Receiver<Request>,
    ) -> Result<(), (Failure, Usable)> {
        let desk = Arc::clone(&self.desk);
        let mut transaction = match Transaction::begin(&desk, client) {
            Ok(transaction) => transaction,
            Err(failure) => {
                first.progress.abort("no transaction could be begun");
                return Err((failure, Usable(false)));
            }
        };
        self.add(&mut transaction, first);
        self.fill(&mut transaction, incoming);
        let Err(failure) = transaction.commit() else {
            self.sizes.store(transaction.places(), Instant::now());
            return Ok(());
        };
        if let Failure::TooLarge { is_found } = failure {
            self.sizes.refuse(transaction.places(), is_found, Instant::now());
        }
        let why = words(&failure);
        if let Failure::Lost(_) = &failure {
            transaction.lose(&why);
            return Err((failure, Usable(false)));
        }
        tracing::info!("a transaction was aborted: {why}");
        let aborted = transaction.abort(&why);
        if let Err(error) = &aborted {
            tracing::debug!("{error}; a new client ends the transaction");
        }
        Err((failure, Usable(aborted.is_ok())))
    }

    fn add(&mut self, transaction: &mut Transaction<'_>, parcel: Parcel) {
        transaction.add(parcel, self.turn);
        self.turn = self.turn.wrapping_add(1);
    }

    /// Takes what comes until the period is over, or somebody waits for the end.
    fn fill(&mut self, transaction: &mut Transaction<'_>, incoming: &Receiver<Request>) {
        let (mut until, most_bytes) = (Instant::now() + PERIOD, self.sizes.transaction_bytes());
        while !transaction.has_failed() && transaction.bytes() < most_bytes {
            match incoming.recv_deadline(until) {
                Ok(Request::Store(parcel)) => {
                    if !drop_stale(&parcel) {
                        self.add(transaction, parcel);
                    }
                }
                // What is here already goes along.
                Ok(Request::Commit) => until = Instant::now(),
                Ok(Request::PrepareLetters) => self.prepare_letters(),
                Err(_) => return,
            }
        }
    }

    /// What follows from how a transaction ended.
    fn conclude(&mut self, client: Client, outcome: Result<(), (Failure, Usable)>) {
        match outcome {
            Ok(()) => {
                self.backoff.succeed(|| ());
                *self.desk.trouble() = None;
                self.keep(Some(client));
            }
            Err((Failure::Rejoined(_) | Failure::TooLarge { .. }, usable)) => {
                self.keep(usable.0.then_some(client));
            }
            Err((Failure::Waiting(waiting), _)) => {
                // The next one finds out what of it has changed.
                *self.desk.letters() = Letters::Unasked;
                drop(client);
                self.wait(waiting);
            }
            Err((Failure::Lost(why), _)) => {
                tracing::warn!("{why}; making a new client");
                drop(client);
                std::thread::sleep(self.backoff.next_wait());
            }
        }
    }

    /// Keeps a client for the next transaction, unless that is to be sent in another way.
    fn keep(&mut self, client: Option<Client>) {
        self.client = client.filter(|client| client.batches == self.sizes.batches());
    }

    /// Looks whether dead letters can be taken, and makes their topic if it may.
    fn prepare_letters(&self) {
        if matches!(*self.desk.letters(), Letters::Ready) {
            return;
        }
        let spec = &self.desk.settings.dead_letter;
        let access = self.desk.settings.cluster.access().map_err(TopicError::from);
        let found = access.and_then(|access| Admin::new(&access)?.ensure(spec));
        *self.desk.letters() = match found {
            Ok(_) => Letters::Ready,
            Err(error) => Letters::Waiting((&error).into()),
        };
    }
}

/// Whether a client can go on after a failure.
struct Usable(bool);

/// Whether nothing may be stored of it; its writer is told.
fn drop_stale(parcel: &Parcel) -> bool {
    let is_stale = parcel.is_stale();
    if is_stale {
        parcel.progress.abort("the partition was given up");
    }
    is_stale
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Rejoined(why) | Failure::Lost(why) => why.clone(),
        Failure::Waiting(waiting) => waiting.what.clone(),
        Failure::TooLarge { .. } => "a broker refuses a size".to_owned(),
    }
}
