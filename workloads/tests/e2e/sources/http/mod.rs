//! The HTTP source: what is answered 200 is in the topic, byte for byte; whatever clients do.

mod access;
mod arrival;
mod client;
mod idle;
mod outage;
mod refusals;
mod stage;
mod stops;
