//! The contract of BatchPipe: what users write, what the parts say of themselves, and what travels on the wire.
//!
//! Values and rules only: nothing here reads a file, a clock or a socket.

pub mod codec;
pub mod envelope;
pub mod reason;
