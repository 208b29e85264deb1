//! `batchpipe-testbed`: starts what tests use, for people.

fn main() {}
