//! controller: which pipeline is looked at when, and what a look consists of.
//!
//! One loop owns the queue. Looks run beside each other, bounded in number and time; one that panics or hangs costs its
//! own pipeline a retry and the others nothing.

mod correct;
mod leftovers;
pub mod memory;
mod pace;
mod publish;
pub mod queue;
mod reconcile;
mod unreadable;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use self::{
    queue::{Next, Queue},
    reconcile::reconcile,
};
use crate::{
    caches::{Key, Touched},
    context::Context,
    lease::Leadership,
};

/// How long a look may take: some requests to the API server and to pods, each with a limit of its own.
const LONGEST_LOOK: Duration = Duration::from_mins(1);
/// How often what is kept of pods that are gone is dropped.
const TIDY_EVERY: Duration = Duration::from_mins(5);
/// How long looks may take to come to their end when the process is to stop.
const LAST_LOOKS: Duration = Duration::from_secs(5);

/// The loop.
pub struct Controller {
    ctx: Arc<Context>,
    touched: UnboundedReceiver<Touched>,
    concurrency: usize,
    queue: Queue<Key>,
    looks: JoinSet<Next>,
    looking: BTreeMap<Id, Key>,
}

impl Controller {
    /// A controller that hears of changes by `touched`.
    pub fn new(ctx: Arc<Context>, touched: UnboundedReceiver<Touched>, concurrency: usize) -> Self {
        Self {
            ctx,
            touched,
            concurrency: concurrency.max(1),
            queue: Queue::default(),
            looks: JoinSet::new(),
            looking: BTreeMap::new(),
        }
    }

    /// Looks after pipelines while this process leads, until it is stopped.
    pub async fn run(mut self, leadership: &Leadership, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.stand_by(leadership, stop).await;
            if !stop.is_cancelled() {
                self.ctx.metrics.leads(true);
                self.lead(leadership, stop).await;
                self.ctx.metrics.leads(false);
                self.ctx.forget_all();
            }
        }
    }

    /// Hears of changes without doing anything: the caches stay warm, and the channel stays empty.
    async fn stand_by(&mut self, leadership: &Leadership, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = leadership.begun() => return,
                () = stop.cancelled() => return,
                _ = self.touched.recv() => {}
            }
        }
    }

    async fn lead(&mut self, leadership: &Leadership, stop: &CancellationToken) {
        self.queue = Queue::default();
        self.ctx.caches.renew();
        self.touch_all();
        let mut ended = std::pin::pin!(leadership.ended());
        let mut tidying = tokio::time::interval(TIDY_EVERY);
        loop {
            self.start_looks();
            let due = self.queue.next_due().filter(|_| self.looks.len() < self.concurrency);
            let due = due.map(tokio::time::Instant::from_std);
            tokio::select! {
                () = &mut ended => {
                    // Whatever they wait for, the next leader looks again.
                    self.looks.shutdown().await;
                    self.looking.clear();
                    return;
                }
                () = stop.cancelled() => return self.finish().await,
                Some(touched) = self.touched.recv() => self.touch(&touched),
                _ = tidying.tick() => self.ctx.tidy(),
                Some(ended) = self.looks.join_next_with_id() => self.ended(ended),
                () = async { tokio::time::sleep_until(due.unwrap_or_else(tokio::time::Instant::now)).await },
                    if due.is_some() => {}
            }
        }
    }

    fn touch_all(&mut self) {
        let now = Instant::now();
        for set in self.ctx.caches.sets() {
            for pipeline in set.pipelines.store().state() {
                self.queue.touch(&Key::of(&*pipeline), now);
            }
        }
    }

    fn touch(&mut self, touched: &Touched) {
        let now = Instant::now();
        match touched {
            Touched::Child(key) => {
                self.queue.touch(key, now);
                // Its last pod may be what another one waits for.
                self.touch_all_of(&self.ctx.memories.waiting_for(key), now);
            }
            Touched::Pipeline(key) => {
                self.queue.touch(key, now);
                // What it gave up or took may be what another one waits for.
                self.touch_all_of(&self.ctx.memories.waiting_beside(key), now);
            }
        }
    }

    fn touch_all_of(&mut self, keys: &[Key], now: Instant) {
        for key in keys {
            self.queue.touch(key, now);
        }
    }

    fn start_looks(&mut self) {
        while self.looks.len() < self.concurrency
            && let Some(key) = self.queue.take(Instant::now())
        {
            let (ctx, of) = (Arc::clone(&self.ctx), key.clone());
            let look = self.looks.spawn(async move { look(&ctx, &of).await });
            self.looking.insert(look.id(), key);
        }
    }

    fn ended(&mut self, ended: Result<(Id, Next), JoinError>) {
        let (id, next) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(error = %error, "a reconciliation did not come to its end");
                self.ctx.metrics.failed("Panic");
                (error.id(), Next::Retry)
            }
        };
        if let Some(key) = self.looking.remove(&id) {
            self.queue.finish(&key, next, Instant::now());
        }
    }

    /// Lets looks that have begun come to their end. Of those that do not, the leadership knows what was sent and not
    /// awaited.
    async fn finish(&mut self) {
        let all = async { while self.looks.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_LOOKS, all).await.is_err() {
            tracing::warn!(
                "reconciliations are given up in the middle; the next process goes on with them"
            );
            self.looks.shutdown().await;
        }
    }
}

async fn look(ctx: &Context, key: &Key) -> Next {
    let begun = Instant::now();
    let Ok(looked) = tokio::time::timeout(LONGEST_LOOK, Box::pin(reconcile(ctx, key))).await else {
        tracing::warn!(pipeline = %key, "the reconciliation took too long and is tried again");
        ctx.metrics.reconciled("timeout", begun.elapsed());
        ctx.metrics.failed("Timeout");
        return Next::Retry;
    };
    ctx.metrics.reconciled(looked.outcome, begun.elapsed());
    looked.next
}
