//! One round of asking: how many at the same time, and for how long. Whoever is asked knows nothing of the other
//! pipelines, so that none of theirs waits for these.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

/// How long all of a round takes at most, however many are silent.
pub(super) const LONGEST: Duration = Duration::from_secs(2);
/// Later in a round nobody is asked any more: who is asked has time to answer.
const LATEST: Duration = Duration::from_secs(1);
/// How many are asked at the same time.
const AT_ONCE: usize = 64;

/// Asks in this order. What would begin too late is left out, and should come first in the next round; whoever asks
/// gives up when the round has taken its longest.
pub(super) async fn ask_each<A: Future<Output = ()>>(all: Vec<A>, begun: Instant) {
    let (mut waiting, mut asked) = (all.into_iter(), FuturesUnordered::new());
    loop {
        while asked.len() < AT_ONCE
            && begun.elapsed() < LATEST
            && let Some(next) = waiting.next()
        {
            asked.push(next);
        }
        if asked.next().await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::time::timeout_at;

    use super::*;

    /// Asks so many that never answer; gives how many were asked.
    async fn silent(count: usize) -> usize {
        let (begun, asked) = (Instant::now(), AtomicUsize::new(0));
        let ask = async |_: usize| {
            asked.fetch_add(1, Ordering::SeqCst);
            timeout_at(begun + LONGEST, pending::<()>()).await.unwrap_err();
        };
        ask_each((0..count).map(ask).collect(), begun).await;
        asked.into_inner()
    }

    #[tokio::test]
    async fn of_pods_that_never_answer_no_more_are_asked_than_at_one_time() {
        assert_eq!(silent(640).await, AT_ONCE);
    }

    #[tokio::test]
    async fn of_pods_that_answer_all_are_asked_and_never_too_many_at_the_same_time() {
        let [now, most, all] = [const { AtomicUsize::new(0) }; 3];
        let ask = async |_: usize| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            all.fetch_add(1, Ordering::SeqCst);
        };
        ask_each((0..1000).map(ask).collect(), Instant::now()).await;
        assert_eq!((all.into_inner(), most.into_inner()), (1000, AT_ONCE));
    }

    #[tokio::test]
    async fn a_pipeline_does_not_wait_for_the_silent_pods_of_another() {
        let answering = ask_each((0..200).map(async |_: usize| ()).collect(), Instant::now());
        tokio::select! {
            biased;
            _ = silent(640) => panic!("the silent ones were waited for"),
            () = answering => {}
        }
    }
}
