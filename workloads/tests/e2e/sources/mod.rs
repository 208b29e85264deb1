//! Sources that others send to or that read what others wrote, against a real broker.

mod http;
mod kafka;
