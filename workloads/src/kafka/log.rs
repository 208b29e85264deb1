//! librdkafka's own words: which of them people see, and the newest remark about a broker for our messages.
//!
//! What librdkafka says of each try to connect repeats what we say ourselves, once and with what to do about
//! it; some other lines warn of what is meant to be. Neither is shown unless it is asked for by name
//! (`BATCHPIPE_LOG=info,librdkafka=debug`).

use std::sync::{Mutex, PoisonError};

use rdkafka::{
    config::RDKafkaLogLevel as Level,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{damage::Damage, topics::TopicError};

/// Lines that nobody has to act on: our settings are chosen and tested (`CONFWARN`), a producer's id is asked
/// for again by itself while a broker starts (`GETPID`), and a connection that failed (`FAIL`) reaches us as an
/// error too, which we tell once and not at every try; the same with all its causes, a line each (`SSL`). What is new
/// about a topic we tell ourselves (`METADATAUPDATE`).
const LOWERED: [&str; 5] = ["CONFWARN", "FAIL", "GETPID", "METADATAUPDATE", "SSL"];

/// Passes on a line of librdkafka's log; for `ClientContext::log`.
pub fn line(level: Level, facility: &str, text: &str) {
    match level {
        _ if LOWERED.contains(&facility) => {
            tracing::debug!(target: "librdkafka", facility, "{text}");
        }
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            tracing::error!(target: "librdkafka", facility, "{text}");
        }
        Level::Warning => tracing::warn!(target: "librdkafka", facility, "{text}"),
        Level::Notice | Level::Info => tracing::info!(target: "librdkafka", facility, "{text}"),
        Level::Debug => tracing::debug!(target: "librdkafka", facility, "{text}"),
    }
}

/// The newest thing that librdkafka said about a broker: which address, and why it cannot be used; and about what is stored
/// there.
#[derive(Debug, Default)]
pub struct Remark {
    said: Mutex<Option<Said>>,
    damage: Mutex<Option<Damage>>,
}

#[derive(Clone, Debug)]
struct Said {
    what: String,
    /// Whether broker and client did not trust each other.
    is_about_trust: bool,
}

impl Remark {
    /// Takes note of an error; for `ClientContext::error`.
    pub fn note(&self, error: &KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(damage) = Damage::of(error, reason) {
            *self.damage.lock().unwrap_or_else(PoisonError::into_inner) = Some(damage);
            return;
        }
        // That all brokers are down would hide why, and a partition's end is no trouble.
        let is_about_broker = ![RDKafkaErrorCode::AllBrokersDown, RDKafkaErrorCode::PartitionEOF]
            .map(KafkaError::Global)
            .contains(error);
        if is_about_broker {
            let said =
                Said { what: lasting(reason), is_about_trust: is_about_trust(error, reason) };
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        }
    }

    /// What cannot be read, if the error that a poll has just returned is about that.
    pub(crate) fn take_damage(&self) -> Option<Damage> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the last thing said was that broker and client do not trust each other: then waiting does not help.
    pub(crate) fn is_about_trust(&self) -> bool {
        self.said().is_some_and(|said| said.is_about_trust)
    }

    /// A broker answers: what was said before is over.
    pub(crate) fn forget(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// That no broker can be used, and why: what was said last, or else these words.
    pub fn trouble(&self, servers: &str, otherwise: &str) -> TopicError {
        let (servers, said) = (servers.to_owned(), self.said());
        let is_about_trust = said.as_ref().is_some_and(|said| said.is_about_trust);
        let remark = said.map_or_else(|| otherwise.to_owned(), |said| said.what);
        if is_about_trust {
            TopicError::LoginFailed { servers, remark }
        } else {
            TopicError::Unreachable { servers, remark }
        }
    }

    /// What was said last, or else these words.
    pub fn or(&self, otherwise: &str) -> String {
        self.said().map_or_else(|| otherwise.to_owned(), |said| said.what)
    }

    fn said(&self) -> Option<Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A broker's refusal of our certificate comes as an alert on a connection that was believed to be set up.
fn is_about_trust(error: &KafkaError, reason: &str) -> bool {
    let is_told = KafkaError::Global(RDKafkaErrorCode::Authentication) == *error
        || KafkaError::Global(RDKafkaErrorCode::SSL) == *error;
    is_told || reason.contains("SSL routines::")
}

/// The part of a remark that is the same at every try, so that it is not told again as if it were new.
fn lasting(reason: &str) -> String {
    let end = reason.find(" (after ").unwrap_or(reason.len());
    let lasting = reason[..end].trim_end();
    // Four bytes of another protocol's answer, taken for a length.
    match lasting.split_once(": Receive failed: Invalid response size") {
        Some((broker, _)) => format!("{broker}: what answers there is not Kafka"),
        None => lasting.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection \
                           refused (after 0ms in state CONNECT, 3 identical error(s) suppressed)";

    #[test]
    fn a_remark_names_address_and_cause_and_nothing_that_varies() {
        let remark = Remark::default();
        remark.note(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), REFUSED);
        let expected =
            "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        assert_eq!(remark.or("nothing"), expected);
    }

    #[test]
    fn that_all_brokers_are_down_does_not_hide_why() {
        let remark = Remark::default();
        let all_down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        remark.note(&KafkaError::Global(RDKafkaErrorCode::Resolve), "no such host");
        remark.note(&all_down, "1/1 brokers are down");
        assert_eq!(remark.or("nothing"), "no such host");
    }

    #[test]
    fn what_is_stored_is_no_matter_of_a_connection() {
        let remark = Remark::default();
        remark.note(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), "broken pipe");
        remark.note(&KafkaError::Global(RDKafkaErrorCode::PartitionEOF), "reached end");
        let damaged = KafkaError::Global(RDKafkaErrorCode::BadMessage);
        remark.note(&damaged, "MessageSet at offset 3 (9 bytes) failed CRC32C check");
        assert_eq!(remark.or("nothing"), "broken pipe");
        assert_eq!(remark.take_damage().unwrap().base, 3);
        remark.note(&damaged, "h:80: Receive failed: Invalid response size 9");
        assert_eq!(remark.take_damage(), None);
    }

    #[test]
    fn a_refused_login_is_told_from_silence() {
        let remark = Remark::default();
        assert!(matches!(remark.trouble("b:1", "timed out"), TopicError::Unreachable { .. }));
        let failed = KafkaError::Global(RDKafkaErrorCode::Authentication);
        remark.note(&failed, "b:1/1: SASL authentication error (after 3ms in state AUTH_REQ)");
        remark.note(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        let trouble = remark.trouble("b:1", "timed out").to_string();
        assert!(
            trouble.contains("login at b:1 fails (b:1/1: SASL authentication error)"),
            "{trouble}"
        );
        remark.note(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), REFUSED);
        assert!(matches!(remark.trouble("b:1", "timed out"), TopicError::Unreachable { .. }));
    }

    #[test]
    fn a_refused_certificate_is_a_refused_login() {
        let remark = Remark::default();
        let lost = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        let alert = "b:1/bootstrap: Receive failed: error:0A000416:SSL routines::ssl/tls alert certificate unknown";
        remark.note(&lost, alert);
        assert!(matches!(remark.trouble("b:1", ""), TopicError::LoginFailed { .. }));
    }

    #[test]
    fn another_protocol_is_called_one() {
        let said = "h:80/bootstrap: Receive failed: Invalid response size 1213486160 (0..1000): \
                    increase receive.message.max.bytes (after 0ms in state APIVERSION_QUERY)";
        assert_eq!(lasting(said), "h:80/bootstrap: what answers there is not Kafka");
    }

    #[test]
    fn without_a_remark_the_other_words_are_used() {
        assert_eq!(Remark::default().or("timed out"), "timed out");
    }
}
