//! The facts about a process: its sides and its memory.

use std::{sync::Arc, time::Instant};

use super::side::Side;
use crate::budget::Budget;

/// A process with one side or both.
#[derive(Debug)]
pub struct State {
    budget: Arc<Budget>,
    sides: Vec<Arc<Side>>,
}

impl State {
    /// A process with these sides.
    pub fn new(budget: Arc<Budget>, sides: Vec<Arc<Side>>) -> Arc<Self> {
        Arc::new(Self { budget, sides })
    }

    /// The sides of the process.
    pub fn sides(&self) -> &[Arc<Side>] {
        &self.sides
    }

    /// The memory budget of the process.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes a sample of what is averaged over time; the server calls it once a second.
    pub fn sample(&self, now: Instant) {
        self.sides.iter().for_each(|side| side.sample(now));
    }
}
