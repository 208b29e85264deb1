//! What tells one Kafka cluster from another when the claims of pipelines are compared. Pure; nothing is asked.

use std::collections::BTreeSet;

use batchpipe_api::spec::kafka::Kafka;

/// The cluster of a pipeline: the Strimzi cluster's name, or the sorted set of its bootstrap addresses. An address has
/// a colon and a name has none, so the two never meet.
pub fn of(kafka: &Kafka) -> String {
    match (&kafka.strimzi, &kafka.bootstrap_servers) {
        (Some(strimzi), _) => strimzi.cluster.clone(),
        (None, Some(servers)) => of_addresses(servers),
        (None, None) => String::new(),
    }
}

/// The cluster behind `host:port,...`: order, repetition and case of host names do not count.
pub fn of_addresses(servers: &str) -> String {
    let addresses: BTreeSet<String> =
        servers.split(',').map(|address| address.trim().to_ascii_lowercase()).collect();
    addresses.into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use batchpipe_api::spec::kafka::Strimzi;

    use super::*;

    #[test]
    fn order_repetition_and_case_of_addresses_do_not_count() {
        assert_eq!(of_addresses("b:1,A:1,b:1"), of_addresses("a:1,b:1"));
        assert_ne!(of_addresses("a:1"), of_addresses("a:2"));
    }

    #[test]
    fn a_strimzi_cluster_is_known_by_its_name() {
        let strimzi = Strimzi { cluster: "lab".to_owned(), listener: "tls".to_owned(), user: None };
        let kafka = Kafka { strimzi: Some(strimzi), ..Kafka::default() };
        assert_eq!(of(&kafka), "lab");
    }
}
