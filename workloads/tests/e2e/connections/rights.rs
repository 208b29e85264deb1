//! The rights that suffice: a producer writes to two topics, a consumer reads one with its group and writes to the
//! other. Nothing else is granted, and the topics were made by somebody else.

use std::{fs::File, io::Write as _};

use batchpipe_testbed::{Operation, Resource};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::{kafka, security, stage::Stage};
use crate::faults::support::read_topic;

const TOPIC: &str = "rights";
const DEAD: &str = "rights.dlq";

fn stage() -> Stage {
    Stage::closed(TOPIC).to(&security().tls_servers()).trusting().certified()
}

#[test]
fn write_is_enough_to_produce_and_read_and_write_to_consume() {
    let grant = |user, operation, resource| kafka().grant(user, operation, resource).unwrap();
    let stage = stage();
    let mut records = stage.scene.write_input(5000);
    let mut input = File::options().append(true).open(stage.scene.input()).unwrap();
    writeln!(input, "no JSON").unwrap();
    records.append(&mut input, 5000);

    stage.put_certificate("writer");
    let denied = stage.scene.produce();
    denied.await_unready("AuthorizationFailed");
    grant("writer", Operation::Write, Resource::Topic(TOPIC));
    denied.await_unready("DeadLetterUnavailable");
    grant("writer", Operation::Write, Resource::Topic(DEAD));
    assert_eq!(denied.wait().well().dead_lettered, 1);

    send_poison();
    stage.put_certificate("reader");
    let denied = stage.scene.consume();
    denied.await_unready("AuthorizationFailed");
    grant("reader", Operation::Read, Resource::Topic(TOPIC));
    denied.await_unready("AuthorizationFailed");
    grant("reader", Operation::Read, Resource::Group(TOPIC));
    denied.await_unready("DeadLetterUnavailable");
    grant("reader", Operation::Write, Resource::Topic(DEAD));
    denied.await_accepted(10_002);
    denied.await_ready();
    assert_eq!(denied.terminate().well().dead_lettered, 2);
    stage.scene.tally_output(&records).check_exact("rights");
    assert_eq!(read_topic(kafka(), DEAD).len(), 3);
}

/// Puts two messages into the topic that cannot be read: one that is not even handed out, and one that is no JSON.
fn send_poison() {
    let client: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka().bootstrap_servers())
        .set("message.max.bytes", "200000000")
        .set("compression.codec", "zstd")
        .create()
        .unwrap();
    for value in [&vec![b' '; 64 * 1024 * 1024], &b"no JSON either".to_vec()] {
        let poison = BaseRecord::<[u8], [u8]>::to(TOPIC).partition(0).payload(value);
        client.send(poison).map_err(|(error, _)| error).unwrap();
        // Each in a record batch of its own.
        client.flush(std::time::Duration::from_secs(30)).unwrap();
    }
}
