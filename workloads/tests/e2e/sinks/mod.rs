//! Sinks that are programs of others, in a real pipeline.

mod http;
mod kafka;
