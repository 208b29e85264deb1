//! `tap` and `audit` on topics whose content is known to the record.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use batchpipe_api::{codec::Codec, report::Role};
use batchpipe_workloads::{
    admin::Side,
    batch::Limits,
    budget::Budget,
    chunk::Rules,
    kafka::{
        client::Cluster,
        topics::{Provision, TopicSpec},
    },
    ledger::Ledger,
    produce::{self, Config, Shared},
    shutdown::Shutdown,
    source::generator::{GeneratorOptions, GeneratorSource, ProfileName, generate},
};

use crate::raw::{Message, Topic, batch, damaged, foreign, kafka, marker};

const RECORDS: u64 = 5000;
const A: u64 = 0xaaaa;
const B: u64 = 0xbbbb;

fn command(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_batchpipe"));
    command.arg(name).args(args).env_remove("KAFKA_BROKER").env_remove("KAFKA_TOPIC");
    command
}

fn on(name: &str, topic: &str, args: &[&str]) -> Command {
    let mut command = command(name, args);
    command.args(["--brokers", &kafka().bootstrap_servers(), "--topic", topic]);
    command
}

fn tap(topic: &str, args: &[&str]) -> Output {
    on("tap", topic, &[&["--until-caught-up"], args].concat()).output().unwrap()
}

fn audit(topic: &str, args: &[&str]) -> Output {
    on("audit", topic, &[&["--json"], args].concat()).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn lines(output: &Output) -> Vec<&str> {
    stdout(output).lines().collect()
}

/// Sends generated records with the library's own producer.
fn produce(topic: &str, codec: Codec, transport: &str) {
    let spec = |name: &str| TopicSpec {
        name: name.to_owned(),
        partitions: Some(3),
        replication: Some(1),
        config: [].into(),
        provision: Provision::Auto,
    };
    let cluster = Cluster { bootstrap_servers: kafka().bootstrap_servers(), ..Cluster::default() };
    let config = Config {
        cluster,
        topic: spec(topic),
        dead_letter: spec(&format!("{topic}.dlq")),
        codec,
        level: None,
        transport: transport.to_owned(),
        limits: Limits {
            max_records: 200,
            max_bytes: 900 << 10,
            linger: Duration::from_millis(50),
        },
        rules: Rules { validate: true, key: None },
        grace: Duration::from_secs(30),
        limit: None,
    };
    let source = GeneratorSource::new(GeneratorOptions {
        profile: ProfileName::Telemetry,
        seed: 7,
        limit: RECORDS,
        records_per_second: 0,
        start_ms: 1_767_225_600_000,
        gate: None,
    });
    let ledger = Arc::new(Ledger::new());
    let shared = Shared {
        side: Side::new(Role::Producer, Arc::clone(&ledger)),
        ledger,
        budget: Budget::new(64 << 20),
        share: 64 << 20,
        shutdown: Shutdown::new(),
    };
    produce::run(&config, Box::new(source), &shared).unwrap();
}

#[test]
fn tap_and_audit_agree_for_every_codec_and_transport() {
    let mut expected = Vec::new();
    generate(ProfileName::Telemetry, 7, RECORDS, &mut expected);
    let expected = String::from_utf8(expected).unwrap();
    let mut expected: Vec<_> = expected.lines().collect();
    expected.sort_unstable();
    for codec in Codec::ALL {
        for transport in ["none", "lz4"] {
            let topic = format!("agree-{codec}-{transport}");
            produce(&topic, codec, transport);
            let tapped = tap(&topic, &[]);
            assert!(tapped.status.success(), "{topic}: {}", stderr(&tapped));
            let mut found = lines(&tapped);
            found.sort_unstable();
            assert_eq!(found.len(), expected.len(), "{topic}");
            assert!(found == expected, "{topic}: records differ");
            let audited = audit(&topic, &["--expect", &RECORDS.to_string()]);
            assert!(audited.status.success(), "{topic}: {}", stderr(&audited));
            let batches = lines(&tap(&topic, &["--batches"])).len();
            let report = format!(
                r#"{{"batches":{batches},"records":{RECORDS},"missing":0,"duplicated":0,"corrupt":0,"expired":0,"unverified":0}}"#
            );
            assert_eq!(stdout(&audited).trim_end(), report, "{topic}");
        }
    }
}

/// Everything that can happen to a topic.
pub(crate) fn damaged_topic(name: &str) -> Topic {
    let topic = Topic::new(name, 3);
    let sent = [
        batch(A, 0, 5),
        batch(A, 8, 2),
        batch(B, 0, 4),
        batch(A, 0, 5),
        marker(A, 10, 3),
        batch(A, 13, 1),
    ];
    topic.send(0, &sent);
    let sent =
        [batch(A, 0, 2), damaged(batch(A, 2, 4)), batch(A, 6, 1), Message::default(), foreign(b"")];
    topic.send(1, &sent);
    topic.send(1, &[foreign(b"{\"a\":1}\n{\"a\":2}\n"), foreign(b"\x1f\x8b\x1b[31m\0\0\0")]);
    topic
}

#[test]
fn an_audit_counts_what_is_missing_doubled_and_damaged() {
    let topic = damaged_topic("damaged-audit");
    let audited = audit(&topic.name, &[]);
    assert_eq!(audited.status.code(), Some(1));
    let report = r#"{"batches":8,"records":22,"missing":3,"duplicated":5,"corrupt":2,"expired":0,"unverified":2}"#;
    assert_eq!(stdout(&audited).trim_end(), report);
    assert!(stderr(&audited).contains("3 records are missing"), "{}", stderr(&audited));
    assert!(stderr(&audited).contains("2 batches cannot be read"), "{}", stderr(&audited));
    let shown = on("audit", &topic.name, &[]).output().unwrap();
    assert!(stdout(&shown).contains("missing: partition 0, 000000000000aaaa: 5-7 (3 records)\n"));
    assert!(stdout(&shown).contains("corrupt: partition 1, offset 1: integrity_mismatch\n"));
}

#[test]
fn a_tap_prints_what_can_be_read_and_tells_of_the_rest() {
    let topic = damaged_topic("damaged-tap");
    let tapped = tap(&topic.name, &[]);
    assert_eq!(tapped.status.code(), Some(1));
    assert_eq!(lines(&tapped).len(), 22);
    let told = stderr(&tapped);
    assert!(
        told.contains(
            "topic damaged-tap, partition 1, offset 1: message left out: integrity_mismatch"
        ),
        "{told}"
    );
    assert!(told.contains("topic damaged-tap, partition 1, offset 6: message left out"), "{told}");
}

#[test]
fn dead_letters_are_shown_with_their_reason_their_origin_and_the_original() {
    let topic = Topic::new("rooms-of-the-dead.dlq", 1);
    let letter = |value: &[u8], headers: &[(&'static str, &str)]| Message {
        value: Some(value.to_vec()),
        headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    };
    topic.send(
        0,
        &[
            letter(
                b"not json",
                &[("batchpipe-dlq", "reason=invalid_json;topic=r;partition=-1;offset=-1;index=2")],
            ),
            letter(
                b"\x78\x9c\xff",
                &[
                    ("content-encoding", "zlib"),
                    ("batchpipe-dlq", "reason=corrupt;topic=r;partition=3;offset=17"),
                ],
            ),
        ],
    );
    let shown = tap(&topic.name, &[]);
    assert_eq!(shown.status.code(), Some(0), "{}", stderr(&shown));
    assert_eq!(
        lines(&shown),
        [
            r#"{"reason":"invalid_json","topic":"r","partition":-1,"offset":-1,"index":2,"value":"not json"}"#,
            r#"{"reason":"corrupt","topic":"r","partition":3,"offset":17,"headers":[{"name":"content-encoding","value":"zlib"}],"valueBase64":"eJz/"}"#,
        ]
    );
    let described = tap(&topic.name, &["--batches"]);
    let ends = [
        " dead-letter=invalid_json original=r/-1/-1 index=2",
        " dead-letter=corrupt original=r/3/17",
    ];
    assert_eq!(described.status.code(), Some(0), "{}", stderr(&described));
    assert!(
        lines(&described).iter().zip(ends).all(|(line, end)| line.ends_with(end)),
        "{described:?}"
    );
    assert_eq!(lines(&tap(&topic.name, &["--limit", "1"])).len(), 1);
}

#[test]
fn a_line_about_each_batch_shows_nothing_of_the_batch_itself() {
    let topic = damaged_topic("damaged-batches");
    let tapped = tap(&topic.name, &["--batches"]);
    assert_eq!(lines(&tapped).len(), 13);
    assert!(stdout(&tapped).bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    assert!(stdout(&tapped).contains(
        " codec=none records=5 raw=39 wire=39 ratio=1.00 incarnation=000000000000aaaa sequence=0\n"
    ));
}

#[test]
fn an_unexpected_number_of_records_fails_an_audit() {
    let topic = Topic::new("expected", 2);
    topic.send(0, &[batch(A, 0, 5), batch(A, 5, 5)]);
    assert_eq!(audit("expected", &["--expect", "10"]).status.code(), Some(0));
    let audited = audit("expected", &["--expect", "11"]);
    assert_eq!(audited.status.code(), Some(1));
    assert!(stderr(&audited).contains("11 distinct records are expected, 10 are there"));
}

#[test]
fn what_retention_deleted_is_expired_and_not_missing() {
    let topic = Topic::new("retention", 1);
    topic.send(0, &[batch(A, 0, 5), batch(A, 5, 5), batch(A, 10, 5)]);
    kafka().delete_records("retention", 0, 1).unwrap();
    let audited = audit("retention", &[]);
    assert_eq!(audited.status.code(), Some(0), "{}", stderr(&audited));
    let report = r#"{"batches":2,"records":10,"missing":0,"duplicated":0,"corrupt":0,"expired":5,"unverified":0}"#;
    assert_eq!(stdout(&audited).trim_end(), report);
}

#[test]
fn a_lost_head_of_a_whole_log_is_missing() {
    let topic = Topic::new("headless", 1);
    topic.send(0, &[batch(A, 5, 5)]);
    assert!(stdout(&audit("headless", &[])).contains(r#""missing":5,"#));
}

#[test]
fn transactions_end_a_reading_at_their_markers_and_aborted_ones_are_not_read() {
    let topic = Topic::transactional("transactions", 2);
    topic.transact(0, &[batch(A, 0, 3)], true);
    topic.transact(0, &[batch(A, 3, 3)], false);
    topic.transact(1, &[batch(B, 0, 9)], false);
    let tapped = tap("transactions", &[]);
    assert!(tapped.status.success());
    assert_eq!(lines(&tapped).len(), 3);
    assert!(
        stdout(&audit("transactions", &[])).starts_with(r#"{"batches":1,"records":3,"missing":0,"#)
    );
}

#[test]
fn an_empty_topic_is_read_at_once() {
    Topic::new("empty", 4);
    assert!(tap("empty", &[]).stdout.is_empty());
    assert_eq!(audit("empty", &["--expect", "0"]).status.code(), Some(0));
}

#[test]
fn a_limit_is_exact_to_the_record() {
    let topic = Topic::new("limit", 1);
    topic.send(0, &[batch(A, 0, 5), batch(A, 5, 5), batch(A, 10, 5)]);
    let limited = on("tap", "limit", &["--limit", "7"]).output().unwrap();
    assert_eq!(lines(&limited), (0..7).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
    assert_eq!(lines(&tap("limit", &["--limit", "99"])).len(), 15);
    assert_eq!(
        lines(&on("tap", "limit", &["--batches", "--limit", "2"]).output().unwrap()).len(),
        2
    );
}

/// A tap that goes on until it is dropped.
struct Following(Child);

impl Following {
    fn start(topic: &str, args: &[&str]) -> (Self, BufReader<ChildStdout>) {
        let mut process = on("tap", topic, args).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        (Self(process), out)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_tap_whose_reader_has_gone_ends_quietly_though_nothing_more_comes() {
    let topic = Topic::new("head", 1);
    topic.send(0, &[batch(A, 0, 5)]);
    let (mut following, mut out) = Following::start("head", &[]);
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "{\"n\":0}\n");
    drop(out);
    assert!(following.0.wait().unwrap().success());
}

/// Sends one batch after the other until `seen` says that it is enough.
fn send_until(topic: &Topic, partition: i32, seen: &mpsc::Receiver<String>) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    for number in 0.. {
        assert!(Instant::now() < deadline, "no line came");
        topic.send(partition, &[batch(B, number, 1)]);
        if let Ok(line) = seen.recv_timeout(Duration::from_millis(100)) {
            return line;
        }
    }
    unreachable!("the numbers do not end")
}

#[test]
fn from_latest_on_only_new_records_come_also_of_new_partitions() {
    let topic = Topic::new("latest", 1);
    topic.send(0, &[batch(A, 1000, 5)]);
    let (_following, out) = Following::start("latest", &["--from", "latest", "--batches"]);
    let (tell, seen) = mpsc::channel();
    std::thread::spawn(move || {
        out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
    });
    let first = send_until(&topic, 0, &seen);
    assert!(first.contains("incarnation=000000000000bbbb"), "{first}");
    kafka().add_partitions("latest", 2).unwrap();
    while seen.try_recv().is_ok() {}
    let new = send_until(&Topic::existing("latest", &[]), 1, &seen);
    assert!(new.starts_with("partition=1 offset=0 "), "{new}");
}

#[test]
fn missing_brokers_and_topics_are_named_before_patience_ends() {
    for name in ["tap", "audit"] {
        let begun = Instant::now();
        let output = command(name, &["-b", "127.0.0.1:1", "-t", "x"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("no broker answers at 127.0.0.1:1 (")
                && stderr(&output).contains("Connection refused"),
            "{}",
            stderr(&output)
        );
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
        let output = on(name, "no-such-topic", &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("topic no-such-topic does not exist"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn broker_and_topic_come_from_the_environment_too() {
    let topic = Topic::new("environment", 1);
    topic.send(0, &[batch(A, 0, 2)]);
    let mut command = command("tap", &["--until-caught-up"]);
    command.env("KAFKA_BROKER", kafka().bootstrap_servers()).env("KAFKA_TOPIC", "environment");
    assert_eq!(lines(&command.output().unwrap()).len(), 2);
    let output = self::command("tap", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "without any topic it is wrong usage");
}

#[test]
fn a_message_is_taken_apart_from_a_file() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/twenty/ours-bare-zlib.value");
    let output = command("inspect", &["--json", golden]).output().unwrap();
    assert!(output.status.success());
    let anatomy: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&anatomy["codec"], &anatomy["records"]), (&"zlib".into(), &20.into()));
    let output = command("inspect", &[golden, "-H", "content-encoding=gzip"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("problem       corrupt"), "{}", stdout(&output));
}
