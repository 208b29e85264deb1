//! The data plane against a real broker while things go wrong: processes stop or die, brokers vanish, topics
//! change, rights are withdrawn.
//!
//! What went in is known, what came out is counted here: the product's own reports are checked, not believed.

mod access;
mod beyond;
pub(crate) mod damage;
mod dead_letters;
mod descriptors;
mod disks;
mod groups;
mod joins;
mod kills;
pub(crate) mod lost_end;
mod many_kills;
mod memory;
mod outages;
mod recreation;
mod retention;
mod sizes;
mod stops;
mod storms;
pub(crate) mod support;
