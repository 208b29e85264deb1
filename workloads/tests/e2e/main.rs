//! The data plane against a real broker, which all tests of this binary share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod connect;
mod raw;
mod read;
