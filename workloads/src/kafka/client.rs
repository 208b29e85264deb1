//! librdkafka's settings: what we fix, because delivery depends on it, and what follows from the budget.
//!
//! Values only: nothing here opens a connection, and credentials are added by [`super::access`].

use std::{collections::BTreeMap, time::Duration};

use rdkafka::ClientConfig;

use super::credentials::Credentials;

/// Where a Kafka cluster is and how to talk to it.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// `host:port` pairs, separated by commas.
    pub bootstrap_servers: String,
    /// Further librdkafka settings that a pipeline may make; checked against the allow-list before.
    pub options: BTreeMap<String, String>,
    /// How to be let in, and how to know the brokers.
    pub credentials: Credentials,
}

/// Kafka's own compression around our messages, as librdkafka names it.
pub type Transport = String;

/// How often an unchanged topic is looked at again, in milliseconds: new partitions are seen after that.
const METADATA_REFRESH_MS: u32 = 10_000;
/// How long a topic that was there may be missing from the brokers' answers before it counts as gone, in
/// milliseconds. All brokers learn of a new topic within a fraction of that; the default of 30 s would leave a
/// producer waiting so long for a topic that was deleted.
const METADATA_PROPAGATION_MS: u32 = 3000;
/// What every client has unless the pipeline says otherwise.
const DEFAULTS: [(&str, &str); 3] = [
    ("client.id", "batchpipe"),
    ("reconnect.backoff.max.ms", "2000"),
    ("log.connection.close", "false"),
];
/// What clients that read have unless the pipeline says otherwise. librdkafka waits a whole second before it
/// fetches again after its queue was full for a moment, and half of one for an answer without messages.
const READER_DEFAULTS: [(&str, &str); 2] =
    [("fetch.queue.backoff.ms", "10"), ("fetch.wait.max.ms", "100")];
/// The least that librdkafka takes for a message's size, in bytes.
const LEAST_MESSAGE_BYTES: usize = 1000;
/// The most that librdkafka takes for a message's size, in bytes.
const MOST_MESSAGE_BYTES: usize = 1_000_000_000;
/// The least that may be received at once, in bytes: what brokers allow for a record batch if nobody changed it, many
/// times over.
const LEAST_RECEIVE_BYTES: usize = 32 * 1024 * 1024;
/// How long to wait for more messages to send together. Ours are whole batches already; a little helps only
/// when many small ones follow each other.
const SEND_LINGER: Duration = Duration::from_millis(2);
/// The most that one answer of a broker holds unless a single message is larger, and the most that is fetched ahead,
/// in bytes. Small enough that the same memory is used again and again: fresh pages cost 11 % of consuming three
/// million records (36,000 page faults instead of 7,000).
const FETCH_BYTES: usize = 1024 * 1024;
/// See [`FETCH_BYTES`].
pub const AHEAD_BYTES: usize = 8 * FETCH_BYTES;

impl Cluster {
    /// What every client of this cluster has in common.
    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.options {
            config.set(key, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("allow.auto.create.topics", "false")
            .set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS.to_string())
            .set("topic.metadata.propagation.max.ms", METADATA_PROPAGATION_MS.to_string());
        self.set_defaults(&mut config, &DEFAULTS);
        config
    }

    /// Sets what the pipeline does not set itself.
    fn set_defaults(&self, config: &mut ClientConfig, defaults: &[(&str, &str)]) {
        for (key, value) in defaults.iter().filter(|(key, _)| !self.options.contains_key(*key)) {
            config.set(*key, *value);
        }
    }

    /// A client that sends batches: nothing is given up for time, nothing is reordered, nothing has a gap.
    ///
    /// `max_message_bytes` bounds one message and one record batch of several; `queue_bytes` is what
    /// librdkafka may hold.
    pub(super) fn producer_config(
        &self,
        transport: &Transport,
        max_message_bytes: usize,
        queue_bytes: usize,
    ) -> ClientConfig {
        let mut config = self.client_config();
        let message_bytes = max_message_bytes.clamp(LEAST_MESSAGE_BYTES, MOST_MESSAGE_BYTES);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("message.timeout.ms", "0")
            .set("compression.codec", transport)
            .set("linger.ms", SEND_LINGER.as_millis().to_string())
            .set("message.max.bytes", message_bytes.to_string())
            .set("batch.size", message_bytes.min(1_000_000).to_string())
            .set("queue.buffering.max.kbytes", (queue_bytes / 1024).max(1).to_string());
        config
    }

    /// A member of a consumer group. Offsets are committed by us, after delivery, and never by librdkafka.
    ///
    /// `largest_message` bounds one message, in bytes.
    pub(super) fn consumer_config(&self, group: &str, largest_message: usize) -> ClientConfig {
        let mut config = self.reader_config(largest_message);
        config.set("group.id", group);
        if self.options.get("group.protocol").is_none_or(|protocol| protocol == "classic") {
            config.set("partition.assignment.strategy", "cooperative-sticky");
        }
        config
    }

    /// A client that reads partitions without a group. A message larger than `largest_message` bytes with its
    /// batch could not be received.
    pub(super) fn reader_config(&self, largest_message: usize) -> ClientConfig {
        let mut config = self.client_config();
        // Brokers send one record batch at least, however large; a batch may hold several messages.
        let receive = (2 * largest_message).clamp(LEAST_RECEIVE_BYTES, MOST_MESSAGE_BYTES);
        config
            .set("group.id", "batchpipe-reader") // required by the consumer API even when no group is joined
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "false")
            .set("auto.offset.reset", "earliest")
            .set("check.crcs", "true")
            .set("fetch.max.bytes", FETCH_BYTES.to_string())
            .set("message.max.bytes", FETCH_BYTES.to_string())
            .set("fetch.message.max.bytes", FETCH_BYTES.to_string())
            .set("receive.message.max.bytes", receive.to_string())
            .set("queued.max.messages.kbytes", (AHEAD_BYTES / 1024).to_string());
        self.set_defaults(&mut config, &READER_DEFAULTS);
        config
    }
}

#[cfg(test)]
mod tests {
    use batchpipe_api::spec::options::ALLOWED;

    use super::*;

    fn cluster(options: &[(&str, &str)]) -> Cluster {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Cluster { bootstrap_servers: "127.0.0.1:1".to_owned(), options, ..Cluster::default() }
    }

    #[test]
    fn what_delivery_depends_on_cannot_be_overridden() {
        let options = [("acks", "0"), ("enable.idempotence", "false"), ("message.timeout.ms", "1")];
        let config = cluster(&options).producer_config(&"none".to_owned(), 1_000_000, 1 << 20);
        assert_eq!(config.get("acks"), Some("all"));
        assert_eq!(config.get("enable.idempotence"), Some("true"));
        assert_eq!(config.get("message.timeout.ms"), Some("0"));
    }

    #[test]
    fn what_may_be_chosen_is() {
        let config =
            cluster(&[("fetch.wait.max.ms", "7"), ("client.id", "mine")]).consumer_config("g", 1);
        assert_eq!(
            (config.get("fetch.wait.max.ms"), config.get("client.id")),
            (Some("7"), Some("mine"))
        );
        let config = cluster(&[]).consumer_config("g", 1);
        assert_eq!(config.get("client.id"), Some("batchpipe"));
    }

    #[test]
    fn librdkafka_accepts_all_settings() {
        let cluster = cluster(&[("socket.keepalive.enable", "true")]);
        for bytes in [1, 1 << 20, 1 << 30] {
            let config = cluster.producer_config(&"lz4".to_owned(), bytes, bytes);
            config.create::<rdkafka::producer::BaseProducer>().unwrap();
            let config = cluster.consumer_config("group", bytes);
            config.create::<rdkafka::consumer::BaseConsumer>().unwrap();
        }
    }

    /// A value that makes sense for an option.
    fn value(option: &str) -> &'static str {
        match option {
            "broker.address.family" => "v4",
            "client.dns.lookup" => "use_all_dns_ips",
            "client.id" | "client.rack" => "mine",
            "group.protocol" => "classic",
            "group.remote.assignor" => "uniform",
            "metadata.recovery.strategy" => "rebootstrap",
            "enable.metrics.push"
            | "log.connection.close"
            | "socket.keepalive.enable"
            | "socket.nagle.disable" => "true",
            "max.poll.interval.ms" => "300000",
            "session.timeout.ms" => "45000",
            "heartbeat.interval.ms" => "3000",
            "fetch.min.bytes" | "socket.max.fails" => "1",
            _ => "1000",
        }
    }

    #[test]
    fn librdkafka_knows_every_option_that_is_allowed() {
        for option in ALLOWED {
            let cluster = cluster(&[(option, value(option))]);
            let config = cluster.producer_config(&"none".to_owned(), 1 << 20, 1 << 20);
            let made = config.create::<rdkafka::producer::BaseProducer>();
            assert!(made.is_ok(), "{option}: {:?}", made.err());
            let made = cluster
                .consumer_config("group", 1 << 20)
                .create::<rdkafka::consumer::BaseConsumer>();
            assert!(made.is_ok(), "{option}: {:?}", made.err());
        }
    }

    #[test]
    fn the_new_group_protocol_gets_no_assignor() {
        let config = cluster(&[("group.protocol", "consumer")]).consumer_config("group", 1 << 20);
        assert_eq!(config.get("partition.assignment.strategy"), None);
        config.create::<rdkafka::consumer::BaseConsumer>().unwrap();
    }
}
