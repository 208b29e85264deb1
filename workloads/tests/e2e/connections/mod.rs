//! Secured connections to a real broker: encryption, logins, Secrets that are missing or change, and rights.

mod encryption;
mod letters;
mod logins;
mod missing;
mod reading;
mod rights;
mod rotation;
mod secrecy;
pub(crate) mod secrets;
mod stage;

use std::sync::OnceLock;

use batchpipe_testbed::{Kafka, Security};

/// How the user of the mechanism PLAIN logs in.
const PLAIN: (&str, &str) = ("plain", "open-sesame");

/// The broker that all of these tests share. What nobody was granted is refused, but to the plain listener.
pub(crate) fn kafka() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| {
        Kafka::builder()
            .plain_user(PLAIN.0, PLAIN.1)
            .property("allow.everyone.if.no.acl.found", "false")
            // A connection does not outlive its password for long.
            .property("connections.max.reauth.ms", "4000")
            .start()
            .unwrap()
    })
}

pub(crate) fn security() -> &'static Security {
    kafka().security().unwrap()
}
