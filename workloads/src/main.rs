//! The `batchpipe` command: parse and dispatch, nothing else.

fn main() {}
