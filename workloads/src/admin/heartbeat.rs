//! Which loops are alive. A loop that waits for something outside still ticks; one that hangs or died does not.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a loop may be silent, before it counts as hanging.
pub const SILENCE: Duration = Duration::from_mins(1);
/// Instead of a time: the loop came to its end.
const ENDED: u64 = u64::MAX;

/// The loops of one side.
#[derive(Debug)]
pub struct Heartbeats {
    epoch: Instant,
    loops: Mutex<Vec<(String, Arc<AtomicU64>)>>,
}

/// One loop's sign of life. Dropping it says that the loop has ended as it should; a loop that panics is not
/// forgotten.
#[derive(Debug)]
#[must_use = "a dropped beat counts as the end of its loop"]
pub struct Beat {
    epoch: Instant,
    last: Arc<AtomicU64>,
}

/// A loop that is silent for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    /// Name of the loop.
    pub name: String,
    /// How long ago it last ticked.
    pub silence: Duration,
}

impl Heartbeats {
    /// No loops yet.
    pub fn new(now: Instant) -> Self {
        Self { epoch: now, loops: Mutex::default() }
    }

    /// A loop that begins now.
    pub fn register(&self, name: &str, now: Instant) -> Beat {
        let beat = Beat { epoch: self.epoch, last: Arc::default() };
        beat.tick_at(now);
        let mut loops = self.lock();
        loops.retain(|(_, last)| last.load(Ordering::Relaxed) != ENDED);
        loops.push((name.to_owned(), Arc::clone(&beat.last)));
        beat
    }

    /// The loops that have not ticked for [`SILENCE`].
    pub fn silent(&self, now: Instant) -> Vec<Silent> {
        let now = millis(now, self.epoch);
        let silence = |last: u64| Duration::from_millis(now.saturating_sub(last));
        let loops = self.lock();
        let ages = loops.iter().map(|(name, last)| (name, silence(last.load(Ordering::Relaxed))));
        ages.filter(|(_, silence)| *silence >= SILENCE)
            .map(|(name, silence)| Silent { name: name.clone(), silence })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Arc<AtomicU64>)>> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    /// The loop is alive.
    pub fn tick(&self) {
        self.tick_at(Instant::now());
    }

    /// The loop was alive at `now`; for loops that know the time already.
    pub fn tick_at(&self, now: Instant) {
        self.last.store(millis(now, self.epoch), Ordering::Relaxed);
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.last.store(ENDED, Ordering::Relaxed);
        }
    }
}

fn millis(now: Instant, epoch: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(epoch).as_millis()).unwrap_or(ENDED - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_does_not_tick_is_named() {
        let start = Instant::now();
        let beats = Heartbeats::new(start);
        let (hanging, lively) = (beats.register("engine", start), beats.register("poll", start));
        lively.tick_at(start + SILENCE);
        assert_eq!(beats.silent(start + Duration::from_millis(59_999)), []);
        let expected = Silent { name: "engine".to_owned(), silence: SILENCE };
        assert_eq!(beats.silent(start + SILENCE), [expected]);
        hanging.tick_at(start + SILENCE);
        assert_eq!(beats.silent(start + SILENCE), []);
    }

    #[test]
    fn a_loop_that_ended_is_not_missed() {
        let start = Instant::now();
        let beats = Heartbeats::new(start);
        drop(beats.register("partition 3", start));
        assert_eq!(beats.silent(start + 9 * SILENCE), []);
    }

    #[test]
    fn a_loop_that_panicked_is_missed() {
        let start = Instant::now();
        let beats = Heartbeats::new(start);
        let beat = beats.register("engine", start);
        let thread = std::thread::spawn(move || {
            beat.tick_at(start);
            std::panic::resume_unwind(Box::new("over"));
        });
        assert!(thread.join().is_err());
        assert_eq!(beats.silent(start + SILENCE).len(), 1);
    }

    #[test]
    fn loops_that_come_and_go_take_no_memory() {
        let start = Instant::now();
        let beats = Heartbeats::new(start);
        for _ in 0..100 {
            drop(beats.register("partition", start));
        }
        assert_eq!(beats.lock().len(), 1);
    }
}
