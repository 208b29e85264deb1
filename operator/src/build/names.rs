//! The names of children. Pure; each name has at most 63 characters, because a pipeline's has at most 52.

use batchpipe_api::report::Role;

use crate::fingerprint::fingerprint;

/// The longest name of an object that is a DNS subdomain.
const LONGEST_SUBDOMAIN: usize = 253;

/// The Deployment of a side, and everything that belongs to it alone; also the Service of an HTTP source.
pub fn side(pipeline: &str, role: Role) -> String {
    format!("{pipeline}-{role}")
}

/// The identity of the pods of both sides.
pub fn service_account(pipeline: &str) -> String {
    format!("{pipeline}-batchpipe")
}

/// The volume of a Secret: Secrets have longer names than volumes, with dots.
pub(super) fn secret_volume(secret: &str) -> String {
    format!("secret-{}", fingerprint(secret))
}

/// The object of a topic. Topics may have names that objects cannot have.
pub fn topic_object(topic: &str) -> String {
    if is_subdomain(topic) {
        return topic.to_owned();
    }
    let fitting = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let room = LONGEST_SUBDOMAIN - 17;
    let readable: String = topic.chars().map(fitting).take(room).collect();
    let readable = readable.trim_matches('-');
    let separator = if readable.is_empty() { "topic-" } else { "-" };
    format!("{readable}{separator}{}", fingerprint(topic))
}

fn is_subdomain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(first), Some(last)) if is_plain(*first) && is_plain(*last))
            && bytes.iter().all(|byte| is_plain(*byte) || *byte == b'-')
    };
    name.len() <= LONGEST_SUBDOMAIN && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pipeline_has_children_with_valid_names() {
        let pipeline = "p".repeat(52);
        let sides = Role::ALL.map(|role| side(&pipeline, role));
        assert!(sides.iter().all(|name| name.len() <= 63));
        assert!(service_account(&pipeline).len() <= 63);
    }

    #[test]
    fn a_topic_that_is_a_name_of_an_object_keeps_it() {
        for topic in ["demo-topic", "demo-topic.dlq", "0", "a.b-c"] {
            assert_eq!(topic_object(topic), topic);
        }
    }

    #[test]
    fn other_topics_are_told_apart() {
        let topics = ["Orders", "orders_", "or_ders", "or-ders-", "_", "a..b", ".a", "a.-b"];
        let names: std::collections::BTreeSet<_> =
            topics.iter().map(|topic| topic_object(topic)).collect();
        assert_eq!(names.len(), topics.len());
        assert!(names.iter().all(|name| is_subdomain(name)), "{names:?}");
    }

    #[test]
    fn the_longest_topic_has_a_valid_name() {
        assert!(is_subdomain(&topic_object(&"A".repeat(249))));
    }

    #[test]
    fn fingerprints_never_change() {
        assert_eq!(topic_object("Orders"), "orders-e87b30a62af9f12c");
    }

    #[test]
    fn volumes_of_the_longest_secrets_have_valid_names() {
        assert!(secret_volume(&"s".repeat(253)).len() <= 63);
    }
}
