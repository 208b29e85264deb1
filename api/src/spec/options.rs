//! `spec.kafka.options`: which options of librdkafka may be set, and why others may not.
//!
//! An allow-list: librdkafka has options that load libraries, run commands or switch off verification, and gets new
//! ones. Options that people are likely to try are refused with the reason, all others as unknown.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};

/// Options that cannot break delivery or safety.
pub const ALLOWED: [&str; 31] = [
    "broker.address.family",
    "broker.address.ttl",
    "client.dns.lookup",
    "client.id",
    "client.rack",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "fetch.error.backoff.ms",
    "fetch.min.bytes",
    "fetch.queue.backoff.ms",
    "fetch.wait.max.ms",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "log.connection.close",
    "max.poll.interval.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.max.fails",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
];

/// Options that are refused, grouped by the reason.
const REFUSED: [(&str, &[&str]); 7] = [
    (
        "would break delivery: records could be lost, doubled or reordered, so BatchPipe sets it itself; remove it",
        &[
            "acks",
            "request.required.acks",
            "enable.idempotence",
            "enable.gapless.guarantee",
            "max.in.flight",
            "max.in.flight.requests.per.connection",
            "message.send.max.retries",
            "retries",
            "message.timeout.ms",
            "delivery.timeout.ms",
            "transactional.id",
            "transaction.timeout.ms",
            "partitioner",
            "enable.auto.commit",
            "enable.auto.offset.store",
            "auto.commit.interval.ms",
            "auto.offset.reset",
            "isolation.level",
            "check.crcs",
            "allow.auto.create.topics",
            "partition.assignment.strategy",
            "group.instance.id",
            "topic.metadata.refresh.interval.ms",
        ],
    ),
    (
        "would break safety: it loads or runs code, or sends credentials elsewhere; remove it",
        &[
            "plugin.library.paths",
            "ssl.engine.location",
            "ssl.engine.id",
            "ssl.providers",
            "sasl.kerberos.kinit.cmd",
            "sasl.kerberos.keytab",
            "sasl.oauthbearer.token.endpoint.url",
            "sasl.oauthbearer.config",
            "enable.sasl.oauthbearer.unsecure.jwt",
        ],
    ),
    (
        "would break safety: brokers would no longer be verified, or secrets would reach the log; remove it",
        &["enable.ssl.certificate.verification", "ssl.endpoint.identification.algorithm", "debug"],
    ),
    (
        "has a field of its own; set kafka.bootstrapServers, kafka.tls or kafka.sasl instead",
        &[
            "bootstrap.servers",
            "metadata.broker.list",
            "security.protocol",
            "sasl.mechanism",
            "sasl.mechanisms",
            "sasl.username",
            "sasl.password",
            "ssl.ca.location",
            "ssl.ca.pem",
            "ssl.certificate.location",
            "ssl.certificate.pem",
            "ssl.key.location",
            "ssl.key.password",
            "ssl.key.pem",
            "ssl.keystore.location",
            "ssl.keystore.password",
        ],
    ),
    ("has a field of its own; set consumer.group instead", &["group.id"]),
    (
        "has a field of its own; set batch or compression instead",
        &[
            "batch.size",
            "batch.num.messages",
            "linger.ms",
            "queue.buffering.max.ms",
            "compression.codec",
            "compression.type",
            "compression.level",
            "message.max.bytes",
        ],
    ),
    (
        "follows from the memory limit of the pod; set producer.pod.resources or consumer.pod.resources instead",
        &[
            "fetch.max.bytes",
            "fetch.message.max.bytes",
            "max.partition.fetch.bytes",
            "receive.message.max.bytes",
            "queued.max.messages.kbytes",
            "queued.min.messages",
            "queue.buffering.max.kbytes",
            "queue.buffering.max.messages",
        ],
    ),
];

/// Longest value, in characters.
const MAX_VALUE: u32 = 1024;

/// The map with its bounds and rules.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
    });
    let refused = REFUSED.into_iter().map(|(why, names)| refuse(&quoted(names), why));
    for rule in refused.chain([unknown()]).chain(group_protocol()) {
        kube::core::validate(&mut schema, rule).expect("a rule of strings is valid JSON");
    }
    schema
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// A rule against names, whose message names the first of them that was found.
fn refuse(names: &str, why: &str) -> Rule {
    let mut rule = Rule::new(format!("!self.exists(k, k in {names})"));
    rule.message = Some(kube::core::Message::Expression(format!(
        "'option ' + self.filter(k, k in {names})[0] + ' {why}'"
    )));
    rule
}

fn unknown() -> Rule {
    let refused: Vec<&str> = REFUSED.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let known = quoted(&[ALLOWED.as_slice(), &refused].concat());
    let mut rule = Rule::new(format!("self.all(k, k in {known})"));
    rule.message = Some(kube::core::Message::Expression(format!(
        "'option ' + self.filter(k, !(k in {known}))[0] + ' is not on the list of options that may be set; remove it'"
    )));
    rule
}

fn group_protocol() -> [Rule; 2] {
    [
        Rule::new(
            "!('group.protocol' in self) || self['group.protocol'] in ['classic', 'consumer']",
        )
        .message("option group.protocol must be classic or consumer"),
        Rule::new(
            "!('group.protocol' in self) || self['group.protocol'] != 'consumer' \
             || !('session.timeout.ms' in self || 'heartbeat.interval.ms' in self)",
        )
        .message(
            "with option group.protocol: consumer the broker decides session.timeout.ms and \
             heartbeat.interval.ms; remove them",
        ),
    ]
}
