//! Who comes before whom, found out once for each pipeline of a decision: who waits for whom makes chains, and chains meet
//! again and again. Pure.
//!
//! Whether somebody waits is asked only of who wants something and is older than who asks, so that chains end. They are
//! followed without recursion, because anybody may make long ones.

use std::{cell::OnceCell, collections::VecDeque};

use batchpipe_api::pipeline::BatchPipeline;

use super::{
    Hold, Rival, World, age,
    claim::{Claim, claims},
    held::Held,
    hold, is_refused, is_rival, left,
};

/// What is known of a pipeline, as far as anybody asked.
struct Facts<'a> {
    object: &'a BatchPipeline,
    claims: Vec<Claim>,
    held: OnceCell<Held>,
    is_refused: OnceCell<bool>,
    /// Whether it waits itself.
    waits: OnceCell<bool>,
}

impl<'a> Facts<'a> {
    fn of(object: &'a BatchPipeline) -> Self {
        let claims = claims(object);
        let (held, is_refused, waits) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { object, claims, held, is_refused, waits }
    }

    fn held(&self, world: &impl World) -> &Held {
        self.held.get_or_init(|| world.held(self.object))
    }

    fn hold(&self, held: &Held, claim: &Claim) -> Option<Hold> {
        let is_refused = || *self.is_refused.get_or_init(|| is_refused(self.object));
        hold(self.object, &self.claims, held, claim, is_refused)
    }
}

/// A pipeline of which it is being found out who comes before it.
struct Question<'a> {
    /// Its number; none for whom this is all about.
    of: Option<usize>,
    /// Those that come before it unless they wait, the first one first.
    before: VecDeque<(usize, Rival<'a>)>,
}

/// One decision.
pub(super) struct Inquiry<'a, W> {
    world: &'a W,
    all: Vec<Facts<'a>>,
}

impl<'a, W: World> Inquiry<'a, W> {
    pub(super) fn new(world: &'a W) -> Self {
        let all = world.pipelines().into_iter().map(Facts::of).collect();
        Self { world, all }
    }

    /// The first of those that come before the object.
    pub(super) fn first(&self, object: &BatchPipeline, held: &Held) -> Option<Rival<'a>> {
        let own = Facts::of(object);
        let mut open = vec![Question { of: None, before: self.before(&own, held) }];
        while let Some(question) = open.last_mut() {
            let found = match question.before.front() {
                Some((number, Rival { hold: Hold::Wants, .. })) => {
                    match self.all[*number].waits.get() {
                        // Who waits itself keeps nobody else waiting.
                        Some(true) => {
                            question.before.pop_front();
                            continue;
                        }
                        Some(false) => true,
                        None => {
                            let (of, facts) = (Some(*number), &self.all[*number]);
                            let before = self.before(facts, facts.held(self.world));
                            open.push(Question { of, before });
                            continue;
                        }
                    }
                }
                Some(_) => true,
                None => false,
            };
            let Question { of, mut before } = open.pop()?;
            let Some(number) = of else { return before.pop_front().map(|(_, rival)| rival) };
            let facts = &self.all[number];
            let waits =
                || found || left(facts.object, facts.held(self.world), self.world).is_some();
            facts.waits.get_or_init(waits);
        }
        None
    }

    /// Those that have what a pipeline wants more firmly than it does, or as firmly and longer.
    fn before(&self, own: &Facts<'_>, own_held: &Held) -> VecDeque<(usize, Rival<'a>)> {
        let suspects = self.world.suspects(&own.claims);
        let nothing = Held::default();
        let mut rivals = Vec::new();
        for (number, rival) in self.all.iter().enumerate() {
            if !is_rival(own.object, rival.object) {
                continue;
            }
            let is_suspect =
                suspects.contains(rival.object.metadata.uid.as_deref().unwrap_or_default());
            let may_have = is_suspect || own.claims.iter().any(|it| rival.claims.contains(it));
            let theirs = if may_have { rival.held(self.world) } else { &nothing };
            for claim in &own.claims {
                let Some(firm) = rival.hold(theirs, claim) else { continue };
                let ours = own.hold(own_held, claim).unwrap_or(Hold::Wants);
                let found = Rival { hold: firm, object: rival.object, claim: claim.clone() };
                if found.rank() < (ours, age(own.object)) {
                    rivals.push((number, found));
                }
            }
        }
        rivals.sort_by(|(_, one), (_, other)| one.rank().cmp(&other.rank()));
        rivals.into()
    }
}
