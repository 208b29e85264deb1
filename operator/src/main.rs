//! `batchpipe-operator`: parse and dispatch; nothing else.

fn main() {}
