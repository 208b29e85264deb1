//! The contract of BatchPipe: what users write, what the parts say of themselves, and what travels on the wire.
//!
//! Values and rules only: nothing here reads a file, a clock or a socket.

#![expect(
    unreachable_pub,
    reason = "kube's derive copies each struct, `pub` included, into a function"
)]

pub mod codec;
pub mod conditions;
pub mod envelope;
pub mod pipeline;
pub mod reason;
pub mod report;
pub mod schema;
#[expect(
    clippy::doc_markdown,
    reason = "`kubectl explain` prints field docs as they are, without markup"
)]
pub mod spec;
pub mod status;
pub mod units;
pub mod validate;
