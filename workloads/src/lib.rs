//! The data plane of BatchPipe.
//!
//! Data flows one way on each side:
//!
//! ```text
//! produce:  source -> chunk -> lane -> codec -> broker -> acknowledgement -> source
//! consume:  broker -> decode -> sink -> offset
//! ```
//!
//! Threads, not tasks, carry it: records travel in chunks and batches, so there are few hand-overs, and
//! every stage is a plain loop. Only the admin server is asynchronous.

pub mod admin;
pub mod budget;
pub mod chunk;
pub mod latency;
pub mod ledger;
pub mod rates;
pub mod receipt;
pub mod shutdown;
pub mod sink;
pub mod source;
pub mod telemetry;
