//! The loop that asks for the Lease, renews it and gives it back. IO only: what to do is decided in `decision`.

use std::time::Instant;

use k8s_openapi::{api::coordination::v1::Lease, jiff::Timestamp};
use kube::{Api, Client, api::PostParams};
use tokio_util::sync::CancellationToken;

use super::{
    Leadership, Settings,
    decision::{Action, Record, Sight, decide},
    record::{held, record, released},
};
use crate::{error::chain, settings::FIELD_MANAGER};

/// So many writes without an answer are remembered. That is more than the API server works on at the same time.
const MOST_SENT: usize = 64;

/// What comes after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The next one, when its time comes.
    Wait,
    /// Another one at once, to learn what became of the Lease that we held.
    Look,
}

/// Keeps [`Leadership`] true to the Lease.
#[derive(Debug)]
pub struct Elector {
    leases: Api<Lease>,
    settings: Settings,
    leadership: Leadership,
    sight: Option<Sight>,
    /// What this process wrote and may find: what was answered last, and what was sent since, whose answers were lost.
    sent: Vec<Record>,
    lease: Option<Lease>,
    was_leader: bool,
    /// Who is known to have the Lease while we wait for it.
    awaited: Option<String>,
}

impl Elector {
    /// An elector that has not seen the Lease yet.
    pub fn new(client: Client, settings: Settings, leadership: Leadership) -> Self {
        let leases = Api::namespaced(client, &settings.namespace);
        Self {
            leases,
            settings,
            leadership,
            sight: None,
            sent: Vec::new(),
            lease: None,
            was_leader: false,
            awaited: None,
        }
    }

    /// Asks for the Lease and renews it until it is stopped. It is not given back: see [`Self::release`].
    pub async fn run(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let next = self.attempt().await;
            self.tell();
            if next == Next::Look {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.timing.retry) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn attempt(&mut self) -> Next {
        let patience = self.settings.timing.renew_deadline / 2;
        match tokio::time::timeout(patience, self.step()).await {
            Ok(Ok(next)) => return next,
            Ok(Err(error)) => self.failed(&chain(&error)),
            Err(_) => self.failed("the API server does not answer"),
        }
        Next::Wait
    }

    /// Gives the Lease back, so that another process can lead at once; not while a write may still be carried out. The
    /// caller has stopped to write before.
    pub async fn release(mut self) {
        let now = Instant::now();
        let is_leader = self.leadership.is_leader(now);
        self.leadership.end();
        if self.leadership.is_in_doubt(now) {
            tracing::info!(lease = self.settings.name, "the lease is not given back; it runs out");
        } else if is_leader && let Err(error) = self.empty().await {
            tracing::warn!(error = chain(&error), "cannot give the lease back; it runs out");
        }
    }

    async fn empty(&mut self) -> Result<(), kube::Error> {
        let lease = self.latest().await?;
        if let Some(lease) = lease.filter(|lease| self.is_ours(lease)) {
            let empty = released(&lease, &self.settings, Timestamp::now());
            self.leases.replace(&self.settings.name, &write(), &empty).await?;
            tracing::info!(lease = self.settings.name, "gave the lease back");
        }
        Ok(())
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        self.sent.contains(&self.record(lease))
    }

    fn record(&self, lease: &Lease) -> Record {
        record(lease, self.settings.timing.duration)
    }

    /// This may be found in the Lease from now on.
    fn note_sent(&mut self, wanted: &Lease) {
        if self.sent.len() == MOST_SENT {
            self.sent.remove(0);
        }
        self.sent.push(self.record(wanted));
    }

    /// What is seen of the Lease now. What somebody else has changed cannot become again what this process sent before:
    /// each write carries the version that it replaces.
    fn look_at(&mut self, lease: Option<&Lease>, now: Instant) -> Sight {
        let record = lease.map(|lease| self.record(lease));
        let sight = Sight::next(self.sight.as_ref(), record, &self.sent, now);
        if !sight.is_ours && sight.since == now {
            self.sent.clear();
        }
        self.sight = Some(sight.clone());
        sight
    }

    /// What we wrote last is the newest there is while nobody else writes, and if somebody does, its version is
    /// refused: no need to read before each renewal.
    async fn latest(&mut self) -> Result<Option<Lease>, kube::Error> {
        match self.lease.take() {
            Some(lease) => Ok(Some(lease)),
            None => self.leases.get_opt(&self.settings.name).await,
        }
    }

    async fn step(&mut self) -> Result<Next, kube::Error> {
        let lease = self.latest().await?;
        let now = Instant::now();
        let action = decide(&self.look_at(lease.as_ref(), now), now);
        if action == Action::Wait {
            self.leadership.end();
            self.tell_waiting();
            return Ok(Next::Wait);
        }
        let wanted = held(lease.as_ref(), &self.settings, Timestamp::now());
        self.note_sent(&wanted);
        let answer = if action == Action::Create {
            self.leases.create(&write(), &wanted).await
        } else {
            self.leases.replace(&self.settings.name, &write(), &wanted).await
        };
        match answer {
            Ok(lease) => {
                self.sent = vec![self.record(&lease)];
                self.lease = Some(lease);
                self.awaited = None;
                self.leadership.hold(now, self.settings.timing);
                Ok(Next::Wait)
            }
            Err(kube::Error::Api(status)) if is_changed(action, status.code) => Ok(self.lose()),
            Err(error) => Err(error),
        }
    }

    /// The Lease is not as it was seen: somebody else was quicker, or has changed or deleted what we held. Who holds it
    /// now is read next; until then nobody knows, so that the term that we have must not go on.
    fn lose(&self) -> Next {
        let led = self.leadership.is_leader(Instant::now());
        self.leadership.end();
        if !led {
            return Next::Wait;
        }
        let lease = &self.settings.name;
        tracing::warn!(
            lease,
            "the lease was changed or deleted by somebody else while it was held"
        );
        Next::Look
    }

    /// Says whom we wait for, once.
    fn tell_waiting(&mut self) {
        let Some(sight) = &self.sight else { return };
        let holder = sight.record.as_ref().map(|it| it.holder.clone()).unwrap_or_default();
        if self.awaited.as_ref() == Some(&holder) {
            return;
        }
        let seconds = sight.reserved.as_secs();
        if holder.is_empty() {
            tracing::warn!(
                "the lease was deleted or emptied without being given back; it is taken in {seconds} s"
            );
        } else if holder == self.settings.identity {
            tracing::warn!(
                "the lease names this process, which has not written that; it is taken when nobody else renews it \
                 for {seconds} s"
            );
        } else {
            tracing::info!(
                holder,
                "waiting for the lease: it is given back, or taken when it was not renewed for {seconds} s"
            );
        }
        self.awaited = Some(holder);
    }

    fn failed(&self, why: &str) {
        tracing::warn!(lease = self.settings.name, error = why, "cannot renew or take the lease");
    }

    fn tell(&mut self) {
        let is_leader = self.leadership.is_leader(Instant::now());
        if is_leader != self.was_leader {
            let identity = &self.settings.identity;
            let holder = self.sight.as_ref().and_then(|it| it.record.as_ref()).map(|it| &it.holder);
            if is_leader {
                tracing::info!(identity, "leading");
            } else {
                tracing::warn!(identity, holder, "not leading any more");
            }
        }
        self.was_leader = is_leader;
    }
}

/// Whether this answer says that there is another Lease than the one that was seen, or none.
fn is_changed(action: Action, code: u16) -> bool {
    // Where nothing can be made at all, such as in a namespace that is gone, is another matter.
    code == 409 || (code == 404 && action != Action::Create)
}

fn write() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
mod tests;
