//! The live table of pipelines: what the operator says of each, and how its rate went. Pure.

mod history;
mod table;

pub use self::{history::History, table::Table};
