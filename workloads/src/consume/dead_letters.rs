//! The consumer's dead letters: a thread that sends them, and the handle by which workers wait for it.
//!
//! A worker goes on only when its letters are acknowledged; no dead-letter topic, no progress of the partition.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::{
    admin::Side,
    clock::unix_ms,
    dead_letter::{self, DeadLetter, Token},
    kafka::outbox::{Event, Health, Outbox, Settings},
    receipt::{Receipt, Share},
};

/// What waits when dead letters do.
const PART: &str = "dead letters";
/// How often a waiting worker looks whether it should give up.
const RECHECK: Duration = Duration::from_millis(100);
/// The sender's loop turns at least this often.
const TICK: Duration = Duration::from_millis(500);

struct Request {
    letters: Vec<DeadLetter>,
    owed: Owed,
}

/// What a letter owes to the worker that waits for it.
struct Owed {
    /// Settled by the acknowledgement.
    share: Share,
    /// Never used: the worker wakes up when the last one is dropped, and looks at its receipt.
    wake: Sender<()>,
}

type Letters = Outbox<Token<Owed>>;

/// A worker's access to the dead-letter topic.
#[derive(Clone)]
pub(super) struct DeadLetters {
    requests: Sender<Request>,
}

impl DeadLetters {
    /// Starts the sender; it ends when the last handle is dropped and nothing is on its way.
    pub(super) fn start(settings: Settings, side: Arc<Side>) -> Self {
        let (requests, incoming) = crossbeam_channel::unbounded();
        std::thread::Builder::new()
            .name("dead-letters".to_owned())
            .spawn(move || send_all(settings, &incoming, &side))
            .expect("the system can start a thread");
        Self { requests }
    }

    /// Sends letters and waits until the broker has all of them. False when `give_up` said so first; they may
    /// still arrive then.
    pub(super) fn send(&self, letters: Vec<DeadLetter>, give_up: impl Fn() -> bool) -> bool {
        if letters.is_empty() {
            return true;
        }
        let (receipt, share) = Receipt::new();
        let (wake, woken) = crossbeam_channel::bounded(0);
        if self.requests.send(Request { letters, owed: Owed { share, wake } }).is_err() {
            return false;
        }
        while woken.recv_timeout(RECHECK) == Err(RecvTimeoutError::Timeout) {
            if give_up() {
                return false;
            }
        }
        receipt.is_settled()
    }
}

fn send_all(settings: Settings, incoming: &Receiver<Request>, side: &Side) {
    // Nothing connects before the first letter: most consumers never have one.
    let Ok(first) = incoming.recv() else { return };
    let mut outbox = Letters::new(settings);
    let reports = outbox.reports();
    let mut events = Vec::new();
    push(&mut outbox, first);
    let mut waiting = false;
    loop {
        let now = Instant::now();
        let again = outbox.pump(now, &mut events);
        let more = settle(&mut outbox, &mut events);
        tell(side, &outbox, &mut waiting);
        let wait = if more {
            Duration::ZERO
        } else {
            again.map_or(TICK, |at| at.saturating_duration_since(now).min(TICK))
        };
        crossbeam_channel::select! {
            recv(reports) -> report => if let Ok(report) = report {
                outbox.report(report, &mut events);
                settle(&mut outbox, &mut events);
            },
            recv(incoming) -> request => match request {
                Ok(request) => push(&mut outbox, request),
                // Whoever still waits has given up; see `DeadLetters::send`.
                Err(_) => return,
            },
            default(wait) => {}
        }
    }
}

fn push(outbox: &mut Letters, request: Request) {
    let Owed { share, wake } = request.owed;
    for letter in request.letters {
        let owed = Owed { share: share.another(), wake: wake.clone() };
        outbox.push(0, letter.into_message(unix_ms(), owed));
    }
    share.settle();
}

/// Forgets what was acknowledged, shortens what was too large; true when there is more to send.
fn settle(outbox: &mut Letters, events: &mut Vec<Event<Token<Owed>>>) -> bool {
    let mut more = false;
    for event in events.drain(..) {
        match event {
            Event::Delivered(message) => message.token.inner.share.settle(),
            Event::TooLarge { partition, message } => {
                match dead_letter::shorten(message) {
                    Ok(shorter) => outbox.replace(partition, std::iter::once(shorter)),
                    Err(smallest) => outbox.put_back(partition, smallest),
                }
                more = true;
            }
        }
    }
    more
}

fn tell(side: &Side, outbox: &Letters, waiting: &mut bool) {
    match outbox.health() {
        Health::Waiting(why) if !outbox.is_empty() => {
            side.stalled_at(PART, reasons::DEAD_LETTER_UNAVAILABLE, &why.what);
            *waiting = true;
        }
        _ if *waiting => {
            side.clear_stalled_at(PART);
            *waiting = false;
        }
        _ => {}
    }
}
