//! One watch: lists, follows, and starts anew for ever, with its own backoff. It tells which pipelines to look at.

use std::{
    fmt::Debug,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use kube::{
    Api, Resource,
    runtime::{
        reflector::store::Writer,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch as channel;

use super::{Health, Round, Supplies, Touched, index::Index};
use crate::{backoff::Backoff, error::chain, readable::Readable};

/// A connection that was cut without a word is noticed a little after this.
const WATCH_SECONDS: u32 = 60;
/// A list is read in pages of so many objects: of each page all is held for a moment, and objects may be large.
const PAGE: u32 = 50;
/// How long a failed watch waits at most: an API server that is back is seen soon.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// After so long without a failure, the next one is a new beginning.
const LONG_AGO: Duration = Duration::from_mins(1);
/// After so many failures in a row the list is read again: the version to go on from may be one that the API server
/// will never know, for example after etcd was restored.
const FAILURES_BEFORE_LIST: u32 = 5;

/// A watch that fails again and again says so at most so often.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// What is refused is refused at once: a watch that was, and then says nothing for so long, works.
const NO_REFUSAL: Duration = Duration::from_secs(2);

/// Who has to look when this object changes.
pub(super) type Concerns<K> = Box<dyn Fn(&K) -> Option<Touched> + Send + Sync>;

/// A kind to watch.
pub(super) struct Watch<K> {
    pub(super) api: Api<Readable<K>>,
    pub(super) selector: Option<String>,
    pub(super) prune: fn(&mut K),
    /// Who has to look when this object changes.
    pub(super) concerns: Concerns<K>,
    /// Which objects belong to which pipeline.
    pub(super) index: Index,
    /// Which list is asked for, and which is there.
    pub(super) round: Arc<channel::Sender<Round>>,
}

/// A watch at work.
struct Following<K: Resource<DynamicType = ()> + Clone + 'static> {
    watch: Watch<K>,
    writer: Writer<K>,
    health: channel::Sender<Health>,
    supplies: Supplies,
    /// Whether this round's list is there, so that the watch is next.
    is_listed: bool,
    /// When a failure was logged last.
    warned_at: Option<Instant>,
}

/// Follows a kind until the process ends.
pub(super) async fn follow<K>(
    watch: Watch<K>,
    writer: Writer<K>,
    health: channel::Sender<Health>,
    supplies: Supplies,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let mut following =
        Following { watch, writer, health, supplies, is_listed: false, warned_at: None };
    let stop = following.supplies.stop.clone();
    stop.run_until_cancelled_owned(async move {
        let mut backoff = Backoff::new(Duration::from_millis(200), LONGEST_WAIT);
        loop {
            following.until_stuck(&mut backoff).await;
        }
    })
    .await;
}

impl<K> Following<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Lists and follows; returns when it is better to list again.
    async fn until_stuck(&mut self, backoff: &mut Backoff) {
        let mut config = watcher::Config::default().timeout(WATCH_SECONDS).page_size(PAGE);
        config.label_selector.clone_from(&self.watch.selector);
        let mut events = pin!(watcher(self.watch.api.clone(), config));
        let (mut failures, mut failed_at) = (0, Instant::now());
        self.is_listed = false;
        let mut rounds = self.watch.round.subscribe();
        let asked = rounds.borrow_and_update().asked;
        while failures < FAILURES_BEFORE_LIST {
            let event = tokio::select! {
                event = tokio::time::timeout(self.patience(), events.next()) => event,
                _ = rounds.wait_for(|round| round.asked > asked) => return,
            };
            let Ok(event) = event else {
                self.become_(Health::Ready);
                continue;
            };
            match event {
                Some(Ok(event)) => {
                    // A list that works says nothing of the watch that follows it.
                    if matches!(event, Event::Apply(_) | Event::Delete(_)) {
                        failures = 0;
                        backoff.reset();
                    }
                    let is_whole = matches!(event, Event::InitDone);
                    self.take(&plain(event).modify(self.watch.prune));
                    if is_whole {
                        self.watch.round.send_modify(|round| round.listed = asked);
                        self.tell_all();
                    }
                }
                Some(Err(error)) => {
                    if failed_at.elapsed() >= LONG_AGO {
                        failures = 0;
                        backoff.reset();
                    }
                    failed_at = Instant::now();
                    failures += 1;
                    self.failed(&error);
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                None => return,
            }
        }
    }

    /// How long to wait for an event before its lack is news.
    fn patience(&self) -> Duration {
        if self.is_listed && self.is_refused() { NO_REFUSAL } else { Duration::MAX }
    }

    fn is_refused(&self) -> bool {
        matches!(*self.health.borrow(), Health::Forbidden(_))
    }

    fn take(&mut self, event: &Event<K>) {
        let is_whole = matches!(event, Event::InitDone);
        self.is_listed |= is_whole;
        match event {
            Event::Apply(object) | Event::Delete(object) => self.tell(object),
            // What is gone since the last list is in no event: everyone who had something looks again.
            Event::InitDone => self.tell_all(),
            Event::Init | Event::InitApply(_) => {}
        }
        // That it may be listed does not say that it may be watched.
        let is_seen = matches!(event, Event::Apply(_) | Event::Delete(_));
        self.writer.apply_watcher_event(event);
        self.watch.index.take(event);
        if is_seen || (is_whole && !self.is_refused()) {
            self.become_(Health::Ready);
        }
    }

    fn tell_all(&self) {
        self.writer.as_reader().state().iter().for_each(|object| self.tell(object));
    }

    fn tell(&self, object: &K) {
        if let Some(touched) = (self.watch.concerns)(object) {
            // Nobody listens any more only when the process ends.
            let _ = self.supplies.touched.send(touched);
        }
    }

    fn failed(&mut self, error: &watcher::Error) {
        let (kind, text) = (K::kind(&()), chain(error));
        self.supplies.metrics.watch_restarted(&kind);
        let is_first = self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY);
        if let Some(why) = refusal(error) {
            if is_first {
                tracing::warn!(%kind, why, "may not be watched");
            }
            self.become_(Health::Forbidden(why));
        } else if is_first {
            tracing::warn!(%kind, error = text, "the watch failed and starts anew");
        } else {
            tracing::debug!(%kind, error = text, "the watch failed and starts anew");
        }
        if is_first {
            self.warned_at = Some(Instant::now());
        }
        let is_pending = matches!(*self.health.borrow(), Health::Pending(_));
        if is_pending {
            self.become_(Health::Pending(text));
        }
    }

    fn become_(&self, health: Health) {
        let changed = self.health.send_if_modified(|before| {
            let is_other = *before != health;
            *before = health;
            is_other
        });
        if changed {
            self.tell_all();
        }
    }
}

/// What happened to an object, however it was read.
fn plain<K>(event: Event<Readable<K>>) -> Event<K> {
    match event {
        Event::Apply(Readable(object)) => Event::Apply(object),
        Event::Delete(Readable(object)) => Event::Delete(object),
        Event::Init => Event::Init,
        Event::InitApply(Readable(object)) => Event::InitApply(object),
        Event::InitDone => Event::InitDone,
    }
}

/// The API server's words when it refuses.
fn refusal(error: &watcher::Error) -> Option<String> {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status))
    | WatchStartFailed(kube::Error::Api(status))
    | WatchFailed(kube::Error::Api(status))
    | WatchError(status)) = error
    else {
        return None;
    };
    (status.code == 403).then(|| status.message.clone())
}
