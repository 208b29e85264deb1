//! What a process says of itself: the HTTP server for probes, metrics and the Report.
//!
//! ```text
//! loops -> Side (counters, gates, stalls, heartbeats) -> State -> /livez /readyz /metrics /status
//! ```
//!
//! The loops of the data plane only note facts, at most once for each batch; everything is computed when
//! somebody asks. No record, key or secret ever comes here.

pub mod conditions;
pub mod facts;
pub mod heartbeat;
mod listener;
mod metrics;
pub mod server;
pub mod side;
pub mod state;
pub mod status;

pub use self::{conditions::Gate, heartbeat::Beat, side::Side};
#[cfg(test)]
mod tests;
