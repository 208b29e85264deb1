//! The operator against a real API server: no mock, no fake. One program, so that one control plane serves all tests
//! that do not stop it; each test has a namespace of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod children;
mod claims;
mod conflicts;
mod contests;
mod crashes;
mod draining;
mod edits;
mod ending;
mod errors;
mod foreign;
mod forged;
mod granted;
mod hostile;
mod kind;
mod leadership;
mod manifests;
mod namesakes;
mod outage;
mod path;
mod policies;
mod process;
mod quiet;
mod rbac;
mod refused;
mod scaling;
mod stale;
mod strimzi;
mod support;
mod thousand;
mod unreadable;
