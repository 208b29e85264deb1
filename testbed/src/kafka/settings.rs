//! The broker's `server.properties` (pure): small, quick to start and quick to react.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

/// Settings that hold for every broker here, unless a test says otherwise.
const COMMON: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    // Tests deny single topics; what has no rule is open.
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("allow.everyone.if.no.acl.found", "true"),
    ("auto.create.topics.enable", "false"),
    ("delete.topic.enable", "true"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "3"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "3"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "3"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    // Members of a group of the newer protocol learn of a change at their next heartbeat: by default in 5 s.
    ("group.consumer.heartbeat.interval.ms", "500"),
    ("group.consumer.min.heartbeat.interval.ms", "500"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    // Alone in its quorum, the controller waits for nobody.
    ("controller.quorum.election.timeout.ms", "100"),
    ("controller.quorum.election.backoff.max.ms", "50"),
    ("background.threads", "2"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("log.retention.check.interval.ms", "1000"),
    ("log.initial.task.delay.ms", "1000"),
    ("file.delete.delay.ms", "100"),
    ("log.segment.delete.delay.ms", "100"),
    // Reserved once for the cleaner, which compacts only the offsets here.
    ("log.cleaner.dedupe.buffer.size", "2097152"),
    // A broker that was killed registers again only when its old session has run out.
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
];

/// Where a broker listens.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// The port of clients on this machine.
    pub(crate) port: u16,
    /// The port of the controller.
    pub(crate) controller: u16,
    /// `host:port` for pods, if there are any.
    pub(crate) pods: Option<String>,
    /// Name, protocol and `host:port` of further listeners.
    pub(crate) secured: Vec<(&'static str, &'static str, String)>,
}

impl Listeners {
    /// What clients of each kind are told to connect to.
    fn advertised(&self) -> String {
        let own = format!("PLAINTEXT://127.0.0.1:{}", self.port);
        let own = self.pods.iter().fold(own, |own, pods| format!("{own},PODS://{pods}"));
        self.secured.iter().fold(own, |own, (name, _, server)| format!("{own},{name}://{server}"))
    }

    fn protocols(&self) -> String {
        let plain = "PLAINTEXT:PLAINTEXT,PODS:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        let secured = self.secured.iter();
        secured.fold(plain, |own, (name, protocol, _)| format!("{own},{name}:{protocol}"))
    }

    fn all(&self) -> String {
        format!("{},CONTROLLER://127.0.0.1:{}", self.advertised(), self.controller)
    }
}

/// The file's text: the common settings, the ports, the folders, then what the test wants.
pub(crate) fn render(
    listeners: &Listeners,
    data: &Path,
    topics: &[PathBuf],
    wanted: &BTreeMap<String, String>,
) -> String {
    let list = |all: &[PathBuf]| {
        all.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(",")
    };
    let log_dirs = if topics.is_empty() { list(&[data.to_owned()]) } else { list(topics) };
    let own = [
        ("controller.quorum.voters", format!("1@127.0.0.1:{}", listeners.controller)),
        ("listeners", listeners.all()),
        ("advertised.listeners", listeners.advertised()),
        ("listener.security.protocol.map", listeners.protocols()),
        ("metadata.log.dir", data.display().to_string()),
        ("log.dirs", log_dirs),
    ];
    let common = COMMON.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
    let wanted = wanted.iter().map(|(key, value)| (key.clone(), value.clone()));
    let merged: BTreeMap<String, String> = common.chain(own).chain(wanted).collect();
    merged.iter().fold(String::new(), |mut text, (key, value)| {
        writeln!(text, "{key}={value}").expect("writing to a String cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENERS: Listeners =
        Listeners { port: 1234, controller: 2, pods: None, secured: Vec::new() };

    #[test]
    fn what_a_test_wants_overrides_the_common_setting() {
        let wanted = BTreeMap::from([("num.io.threads".to_owned(), "8".to_owned())]);
        let text = render(&LISTENERS, Path::new("/data"), &[], &wanted);
        assert_eq!(text.matches("num.io.threads").count(), 1);
        assert!(text.contains("num.io.threads=8\n"));
    }

    #[test]
    fn clients_are_told_the_port_that_is_listened_on() {
        let text = render(&LISTENERS, Path::new("/data"), &[], &BTreeMap::new());
        assert!(text.contains("advertised.listeners=PLAINTEXT://127.0.0.1:1234\n"));
    }

    #[test]
    fn a_secured_listener_has_its_protocol() {
        let secured = vec![("TLS", "SSL", "127.0.0.1:3".to_owned())];
        let text =
            render(&Listeners { secured, ..LISTENERS }, Path::new("/data"), &[], &BTreeMap::new());
        assert!(text.contains("CONTROLLER:PLAINTEXT,TLS:SSL\n"), "{text}");
        assert!(
            text.contains("PLAINTEXT://127.0.0.1:1234,TLS://127.0.0.1:3,CONTROLLER:"),
            "{text}"
        );
    }

    #[test]
    fn pods_are_told_an_address_of_their_own() {
        let listeners = Listeners { pods: Some("10.88.0.1:5678".to_owned()), ..LISTENERS };
        let text = render(&listeners, Path::new("/data"), &[], &BTreeMap::new());
        let advertised = "PLAINTEXT://127.0.0.1:1234,PODS://10.88.0.1:5678";
        assert!(text.contains(&format!("advertised.listeners={advertised}\n")));
        assert!(text.contains(&format!("\nlisteners={advertised},CONTROLLER://127.0.0.1:2\n")));
    }
}
