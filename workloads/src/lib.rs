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
//! every stage is a plain loop. Only the admin server, the HTTP source's and the connections of the HTTP sink are
//! asynchronous.

pub mod admin;
pub mod audit;
pub mod backoff;
pub mod batch;
pub mod budget;
pub mod chunk;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod consume;
pub mod dead_letter;
pub mod dead_letter_header;
pub mod decode;
pub mod demo;
pub mod error;
pub mod file_lock;
pub mod inspect;
pub mod json;
pub mod kafka;
pub mod key;
pub mod kubectl;
pub mod latency;
pub mod ledger;
pub mod lines;
mod patience;
pub mod process;
pub mod produce;
pub mod progress;
pub mod rates;
pub mod receipt;
pub mod redrive;
pub mod secrets;
pub mod shutdown;
pub mod signals;
pub mod sink;
pub mod source;
pub mod tap;
pub mod telemetry;
pub mod top;
pub mod tune;
