//! The consumer's dead letters: a thread that sends them, and the handle by which workers wait for it.
//!
//! A worker goes on only when its letters are acknowledged; no dead-letter topic, no progress of the partition. A worker
//! that gives up, because its partition is given back, takes its letters back as far as they are not on their way:
//! whoever gets the partition next sends them again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use batchpipe_api::conditions::reasons;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::{Shared, desk::LETTERS};
use crate::{
    admin::Side,
    clock::unix_ms,
    dead_letter::{self, DeadLetter, Token},
    kafka::outbox::{Event, Health, Outbox, Settings},
    receipt::{Receipt, Share},
};

/// How often a waiting worker looks whether it should give up.
const RECHECK: Duration = Duration::from_millis(100);
/// The sender's loop turns at least this often.
const TICK: Duration = Duration::from_millis(500);

/// What workers ask for.
enum Request {
    /// Send these.
    Send(Vec<DeadLetter>, Owed),
    /// Forget what nobody waits for any more.
    Forget,
}

/// What a letter owes to the worker that waits for it.
struct Owed {
    /// Settled by the acknowledgement.
    share: Share,
    /// Never used: the worker wakes up when the last one is dropped, and looks at its receipt.
    wake: Sender<()>,
    /// Whether the worker waits no longer.
    abandoned: Arc<AtomicBool>,
}

impl Owed {
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}

type Letters = Outbox<Token<Owed>>;

/// A worker's access to the dead-letter topic.
#[derive(Clone)]
pub(super) struct DeadLetters {
    requests: Sender<Request>,
}

impl DeadLetters {
    /// Starts the sender; it ends when the last handle is dropped and nothing is on its way.
    pub(super) fn start(settings: Settings, shared: Shared) -> Self {
        let (requests, incoming) = crossbeam_channel::unbounded();
        std::thread::Builder::new()
            .name("dead-letters".to_owned())
            .spawn(move || send_all(settings, &incoming, &shared))
            .expect("the system can start a thread");
        Self { requests }
    }

    /// Sends letters and waits until the broker has all of them. False when `give_up` said so first; those that are on
    /// their way may still arrive then.
    pub(super) fn send(&self, letters: Vec<DeadLetter>, give_up: impl Fn() -> bool) -> bool {
        if letters.is_empty() {
            return true;
        }
        let (receipt, share) = Receipt::new();
        let (wake, woken) = crossbeam_channel::bounded(0);
        let abandoned = Arc::<AtomicBool>::default();
        let owed = Owed { share, wake, abandoned: Arc::clone(&abandoned) };
        if self.requests.send(Request::Send(letters, owed)).is_err() {
            return false;
        }
        while woken.recv_timeout(RECHECK) == Err(RecvTimeoutError::Timeout) {
            if give_up() {
                abandoned.store(true, Ordering::Release);
                let _ = self.requests.send(Request::Forget); // a sender that is gone has forgotten all
                return false;
            }
        }
        receipt.is_settled()
    }
}

fn send_all(settings: Settings, incoming: &Receiver<Request>, shared: &Shared) {
    // Nothing connects before the first letter: most consumers never have one.
    let Ok(first) = incoming.recv() else { return };
    let mut outbox = Letters::new(settings);
    let reports = outbox.reports();
    let mut events = Vec::new();
    serve(&mut outbox, first);
    let mut waiting = false;
    let (mut copies, mut told) = (0, 0);
    loop {
        let now = Instant::now();
        let again = outbox.pump(now, &mut events);
        let more = settle(&mut outbox, &mut events, &mut copies);
        tell(&shared.side, &outbox, &mut waiting);
        let resent = outbox.resent() + copies;
        if resent > told {
            shared.ledger.update(|counts| counts.resent += resent - told);
            told = resent;
        }
        let wait = if more {
            Duration::ZERO
        } else {
            again.map_or(TICK, |at| at.saturating_duration_since(now).min(TICK))
        };
        crossbeam_channel::select! {
            recv(reports) -> report => if let Ok(report) = report {
                outbox.report(report, &mut events);
                settle(&mut outbox, &mut events, &mut copies);
            },
            recv(incoming) -> request => match request {
                Ok(request) => serve(&mut outbox, request),
                // Whoever still waits has given up; see `DeadLetters::send`.
                Err(_) => return,
            },
            default(wait) => {}
        }
    }
}

fn serve(outbox: &mut Letters, request: Request) {
    match request {
        Request::Send(letters, owed) => push(outbox, letters, owed),
        Request::Forget => outbox.forget(|token| token.inner.is_abandoned()),
    }
}

fn push(outbox: &mut Letters, letters: Vec<DeadLetter>, owed: Owed) {
    if owed.is_abandoned() {
        return;
    }
    let Owed { share, wake, abandoned } = owed;
    for letter in letters {
        let (wake, abandoned) = (wake.clone(), Arc::clone(&abandoned));
        let owed = Owed { share: share.another(), wake, abandoned };
        outbox.push(0, letter.into_message(unix_ms(), owed));
    }
    share.settle();
}

/// Forgets what was acknowledged, shortens what was too large; true when there is more to send. `copies` counts letters
/// that arrived after their worker had given up, and are sent again by whoever has the partition now.
fn settle(outbox: &mut Letters, events: &mut Vec<Event<Token<Owed>>>, copies: &mut u64) -> bool {
    let mut more = false;
    for event in events.drain(..) {
        match event {
            Event::Delivered(message) => {
                *copies += u64::from(message.token.inner.is_abandoned());
                message.token.inner.share.settle();
            }
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
            side.stalled_at(LETTERS, reasons::DEAD_LETTER_UNAVAILABLE, &why.what);
            *waiting = true;
        }
        _ if *waiting => {
            side.clear_stalled_at(LETTERS);
            *waiting = false;
        }
        _ => {}
    }
}
