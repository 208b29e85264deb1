//! How many connections there are, and how many of them have sent something. When there is no place for another one, the
//! one that has been idle longest goes; when none is idle, the new one waits.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Duration, Instant, sleep_until},
};

use crate::budget::{Budget, Charge};

/// How long a connection must have been idle to make room for another one: what a client sends right after it has
/// connected takes a moment to be seen.
pub(super) const EVICTABLE_AFTER: Duration = Duration::from_millis(500);

/// All places of a kind.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    /// What is charged for each, in bytes.
    each: usize,
    budget: Arc<Budget>,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    /// Connections that are idle, in the order in which they became so.
    idle: BTreeMap<u64, Idle>,
    next: u64,
}

#[derive(Debug)]
struct Idle {
    since: Instant,
    evicted: Arc<Notify>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// One was asked to make room, or all are busy.
    Until,
    /// One may be asked then.
    At(Instant),
}

/// The place of one connection; free again when it is dropped. A new connection is idle.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    evicted: Arc<Notify>,
    /// Its number among the idle ones, unless it is busy.
    idle: Mutex<Option<u64>>,
    _charge: Charge,
}

impl Places {
    pub(super) fn new(most: usize, each: usize, budget: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self { most, each, budget, taken: Mutex::default(), freed: Notify::new() })
    }

    /// A place, as soon as there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Arc<Place> {
        loop {
            match self.try_take(Instant::now()) {
                Ok(place) => return Arc::new(place),
                Err(Full::Until) => self.freed.notified().await,
                Err(Full::At(at)) => tokio::select! {
                    () = self.freed.notified() => {}
                    () = sleep_until(at) => {}
                },
            }
        }
    }

    fn try_take(self: &Arc<Self>, now: Instant) -> Result<Place, Full> {
        let mut taken = self.lock();
        if taken.count >= self.most {
            let Some(oldest) = taken.idle.first_entry() else { return Err(Full::Until) };
            let at = oldest.get().since + EVICTABLE_AFTER;
            if now < at {
                return Err(Full::At(at));
            }
            oldest.remove().evicted.notify_one();
            return Err(Full::Until);
        }
        taken.count += 1;
        let evicted = Arc::new(Notify::new());
        let number = taken.enter(Arc::clone(&evicted));
        drop(taken);
        // What is held for it is bounded by the number of places, so it need not wait.
        let charge = self.budget.charge_now(self.each);
        let idle = Mutex::new(Some(number));
        Ok(Place { places: Arc::clone(self), evicted, idle, _charge: charge })
    }

    /// Waits until all places are free.
    pub(super) async fn empty(&self) {
        while self.lock().count > 0 {
            self.freed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn enter(&mut self, evicted: Arc<Notify>) -> u64 {
        self.next += 1;
        self.idle.insert(self.next, Idle { since: Instant::now(), evicted });
        self.next
    }
}

impl Place {
    /// Something has come.
    pub(super) fn set_busy(&self) {
        let idle = self.lock().take();
        if let Some(number) = idle {
            self.places.lock().idle.remove(&number);
        }
    }

    /// An answer goes out.
    pub(super) fn set_idle(&self) {
        let number = self.places.lock().enter(Arc::clone(&self.evicted));
        *self.lock() = Some(number);
        // Whoever waits for a place can have this one now.
        self.places.freed.notify_one();
    }

    /// Waits until the place is needed for another connection.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<u64>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.lock().take();
        let mut taken = self.places.lock();
        taken.count -= 1;
        if let Some(number) = number {
            taken.idle.remove(&number);
        }
        drop(taken);
        self.places.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn the_connection_that_was_idle_longest_makes_room() {
        runtime().block_on(async {
            let places = Places::new(2, 10, Budget::new(1 << 20));
            let (first, second) = (places.take().await, places.take().await);
            first.set_busy();
            first.set_idle(); // now the second has been idle longer
            let now = Instant::now();
            assert!(matches!(places.try_take(now), Err(Full::At(at)) if at > now));
            assert_eq!(places.try_take(now + EVICTABLE_AFTER).unwrap_err(), Full::Until);
            second.evicted().await;
            drop(second);
            let third = places.take().await;
            assert_eq!((places.lock().count, places.budget.used()), (2, 20));
            drop((first, third));
            places.empty().await;
            assert_eq!(places.budget.used(), 0);
        });
    }

    #[test]
    fn busy_connections_are_left_alone() {
        runtime().block_on(async {
            let places = Places::new(1, 10, Budget::new(1 << 20));
            let busy = places.take().await;
            busy.set_busy();
            let late = Instant::now() + EVICTABLE_AFTER;
            assert_eq!(places.try_take(late).unwrap_err(), Full::Until);
            let waits = tokio::spawn({
                let places = Arc::clone(&places);
                async move { drop(places.take().await) }
            });
            tokio::task::yield_now().await;
            assert!(!waits.is_finished());
            busy.set_idle();
            busy.evicted().await;
            drop(busy);
            waits.await.unwrap();
        });
    }
}
