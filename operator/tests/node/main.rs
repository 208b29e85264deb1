//! The operator on a real node: its chart installed by helm, pipelines applied by kubectl, real pods and a real Kafka.
//!
//! Every test ends with an audit of its topic: nothing is missing, and what the consumers printed is counted besides.
//! A machine has one node at a time, so all of them share one, in this process; without root, all are left out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod children;
mod first;
mod http;
mod letters;
mod outage;
mod plugin;
mod refusals;
mod renewals;
mod restarts;
mod rollouts;
mod scaling;
mod secrets;
mod states;
mod strimzi;
mod support;
mod upgrade;
