//! The HTTP sink before receivers that fail in every way, as a program with a real broker.
//!
//! The receiver counts what it takes, and the dead-letter topic is read without the product's consumer.

mod fate;
mod missing;
mod mix;
mod packed;
mod server;
mod stops;
