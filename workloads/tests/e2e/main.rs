//! The data plane against a real broker; tests that do no harm to it share one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod connect;
mod connections;
mod counted;
mod examples;
mod faults;
mod interop;
mod kit;
mod quick_start;
mod raw;
mod read;
mod redrive;
mod roundtrip;
mod sinks;
mod sources;
