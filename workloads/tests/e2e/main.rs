//! The `batchpipe` command against a real broker.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests do")]

mod connect;
