//! The Kafka sink, as a program with a real broker. What it wrote is read without the product.

mod copies;
mod exactly_once;
mod obstacles;
mod records;
mod stops;
