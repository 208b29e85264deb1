//! The secured listeners, as Kafka's own client sees them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{fs, net::TcpStream, sync::OnceLock};

use batchpipe_testbed::{Kafka, Operation, Resource, Result, Security};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

fn kafka() -> &'static Kafka {
    static SHARED: OnceLock<Kafka> = OnceLock::new();
    SHARED.get_or_init(|| {
        Kafka::builder()
            .plain_user("plain", "sesame")
            .property("allow.everyone.if.no.acl.found", "false")
            .start()
            .unwrap()
    })
}

fn security() -> &'static Security {
    kafka().security().unwrap()
}

/// The topics that a client with these settings sees, or why it sees none.
fn topics(servers: &str, settings: &str) -> Result<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.properties");
    fs::write(&path, settings).unwrap();
    let path = path.display().to_string();
    kafka().tool(TOPICS, &["--bootstrap-server", servers, "--command-config", &path, "--list"])
}

fn trust() -> String {
    format!(
        "ssl.truststore.type=PEM\nssl.truststore.location={}\n",
        security().authority().display()
    )
}

fn login(mechanism: &str, module: &str, user: &str, password: &str) -> String {
    format!(
        "{}security.protocol=SASL_SSL\nsasl.mechanism={mechanism}\nsasl.jaas.config=org.apache.kafka.common.security.\
         {module} required username=\"{user}\" password=\"{password}\";\n",
        trust()
    )
}

#[test]
fn a_password_opens_what_its_user_was_granted_and_a_changed_one_replaces_it() {
    let kafka = kafka();
    for topic in ["granted", "not-granted"] {
        kafka.create_topic(topic, 1, &[]).unwrap();
    }
    kafka.grant("scram", Operation::Read, Resource::Topic("granted")).unwrap();
    let servers = security().sasl_tls_servers();
    let as_scram = |password| {
        topics(&servers, &login("SCRAM-SHA-512", "scram.ScramLoginModule", "scram", password))
    };
    kafka.set_password("SCRAM-SHA-512", "scram", "one").unwrap();
    assert_eq!(as_scram("one").unwrap().trim(), "granted");
    kafka.set_password("SCRAM-SHA-512", "scram", "two").unwrap();
    assert!(as_scram("one").is_err());
    assert_eq!(as_scram("two").unwrap().trim(), "granted");
}

#[test]
fn a_user_of_plain_is_known_from_the_start_on() {
    let servers = security().sasl_tls_servers();
    let as_plain =
        |password| topics(&servers, &login("PLAIN", "plain.PlainLoginModule", "plain", password));
    assert!(as_plain("sesame").is_ok());
    assert!(as_plain("wheat").is_err());
}

#[test]
fn a_certificate_makes_a_user_and_an_expired_one_does_not() {
    let kafka = kafka();
    kafka.create_topic("certified", 1, &[]).unwrap();
    kafka.grant("someone", Operation::Read, Resource::Topic("certified")).unwrap();
    let list = |(certificate, key)| {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.pem");
        let text = fs::read_to_string(key).unwrap() + &fs::read_to_string(certificate).unwrap();
        fs::write(&store, text).unwrap();
        let store = store.display();
        let own = format!("ssl.keystore.type=PEM\nssl.keystore.location={store}\n");
        topics(&security().tls_servers(), &format!("{}{own}security.protocol=SSL\n", trust()))
    };
    let found = list(security().client_certificate("someone").unwrap()).unwrap();
    assert_eq!(found.trim(), "certified");
    assert!(list(security().expired_certificate("someone").unwrap()).is_err());
}

#[test]
fn without_being_asked_for_there_is_no_secured_listener() {
    assert!(batchpipe_testbed::kafka().unwrap().security().is_none());
    assert!(TcpStream::connect(security().sasl_servers()).is_ok());
}
