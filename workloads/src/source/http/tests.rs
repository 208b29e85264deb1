//! The source over real connections; the test itself is the broker.

mod answers;
mod client;
mod limits;
mod tls;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::report::Role;

use self::client::Client;
use super::{
    super::{BLOCK_BYTES, Block},
    *,
};
use crate::{admin::Side, budget::Budget, ledger::Ledger, shutdown::Shutdown};

const MIB: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);
const WAIT: Duration = Duration::from_millis(10);

/// A source at work.
struct Stage {
    source: HttpSource,
    shared: Shared,
}

impl Stage {
    fn new() -> Self {
        Self::with(limits(), SecretOptions::default())
    }

    fn with(limits: Limits, secrets: SecretOptions) -> Self {
        let options = HttpOptions {
            address: ([127, 0, 0, 1], 0).into(),
            rules: Rules { validate: true, key: None },
            max_record_bytes: 600 * 1024,
            secrets,
            farewell: Duration::ZERO,
            limits: Some(limits),
        };
        let mut source = HttpSource::open(options).unwrap();
        let ledger = Arc::new(Ledger::new());
        let side = Side::new(Role::Producer, Arc::clone(&ledger));
        let budget = Budget::new(64 * MIB);
        let shutdown = Shutdown::new();
        let shared = Shared { ledger, budget, share: 64 * MIB, side, shutdown };
        source.begin(&shared).unwrap();
        Self { source, shared }
    }

    fn client(&self) -> Client {
        Client::connect(self.source.local_addr())
    }

    /// The next block.
    fn read(&mut self) -> (Vec<u8>, Position) {
        let mut block = Block::default();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "nothing comes");
            if let Read::Lines(position) = self.source.read(&mut block, WAIT).unwrap() {
                return (block.text, position);
            }
        }
    }

    /// How many requests were checked and not taken yet.
    fn waiting(&self) -> usize {
        self.source.running.as_ref().unwrap().handover.waiting()
    }

    /// Waits until a request is checked and not taken yet.
    fn await_waiting(&self) {
        let begun = Instant::now();
        while self.waiting() == 0 {
            assert!(begun.elapsed() < PATIENCE, "no request is checked");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Fails if anything is handed over.
    fn assert_silent(&mut self) {
        let mut block = Block::default();
        assert_eq!(self.source.read(&mut block, WAIT).unwrap(), Read::Idle);
    }

    /// Reads one block, and acknowledges it.
    fn take(&mut self) -> Vec<u8> {
        let (text, position) = self.read();
        self.source.acknowledge(position).unwrap();
        text
    }

    /// Waits until the source holds no more than this.
    fn await_used(&self, bytes: usize) {
        let begun = Instant::now();
        while self.shared.budget.used() > bytes {
            assert!(begun.elapsed() < PATIENCE, "{} bytes are held", self.shared.budget.used());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn limits() -> Limits {
    Limits {
        connections: 50,
        talkers: 50,
        talker_bytes: 32 * 1024,
        idle: PATIENCE,
        head: PATIENCE,
        body: PATIENCE,
        head_bytes: 8 * 1024,
        headers: 16,
        body_bytes: MIB,
        held_bytes: 4 * MIB,
    }
}

#[test]
fn records_are_handed_over_as_they_came_and_answered_when_they_are_acknowledged() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    client.post("", b"{\"a\" : 1.50}\r\n\n[2]");
    let (text, position) = stage.read();
    assert_eq!(text, b"{\"a\" : 1.50}\r\n\n[2]\n");
    assert!(!client.has_answer(), "answered before the broker has acknowledged");
    stage.source.acknowledge(position).unwrap();
    assert_eq!(client.answer(), (200, "{\"accepted\":2}\n".to_owned()));
}

#[test]
fn requests_are_joined_and_each_is_answered() {
    let mut stage = Stage::new();
    let mut clients: Vec<_> = (0..10).map(|_| stage.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.post("Content-Type: application/json\r\n", format!("[{number}]").as_bytes());
    }
    let mut lines = Vec::new();
    while lines.len() < 10 {
        let text = String::from_utf8(stage.take()).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines.sort_unstable();
    assert_eq!(lines, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert!(clients.iter_mut().all(|client| client.answer().0 == 200));
}

#[test]
fn a_large_request_comes_in_blocks_of_whole_lines_and_is_answered_after_the_last() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    let long = format!("\"{}\"\n", "x".repeat(500 * 1024));
    let body = "{\"number\":1}\n".repeat(30_000) + &long + "1\n2";
    client.post("", body.as_bytes());
    let mut text = Vec::new();
    let mut blocks = 0;
    while text.len() < body.len() {
        assert!(!client.has_answer());
        let block = stage.take();
        assert!(block.len() <= BLOCK_BYTES || block == long.as_bytes(), "{}", block.len());
        text.extend_from_slice(&block);
        blocks += 1;
    }
    assert!(text == (body + "\n").as_bytes());
    assert!(blocks > 2);
    assert_eq!(client.answer(), (200, "{\"accepted\":30003}\n".to_owned()));
}

#[test]
fn a_client_that_goes_away_before_its_records_are_taken_costs_nothing() {
    let mut stage = Stage::new();
    let idle = stage.shared.budget.used();
    let mut gone = stage.client();
    gone.post("", b"1\n");
    stage.await_waiting();
    drop(gone);
    // The server has seen it when the connection's own memory is given back.
    stage.await_used(idle + super::limits::REQUEST_OVERHEAD * 2);
    stage.assert_silent();
    stage.await_used(idle);
}

#[test]
fn a_client_that_goes_away_later_harms_nobody() {
    let mut stage = Stage::new();
    let mut gone = stage.client();
    gone.post("", b"1\n");
    let (_, position) = stage.read();
    drop(gone);
    let mut next = stage.client();
    next.post("", b"2\n");
    stage.source.acknowledge(position).unwrap();
    assert_eq!(stage.take(), b"2\n");
    assert_eq!(next.answer().0, 200);
}

#[test]
fn whoever_comes_after_the_end_is_told_to_come_again() {
    let mut stage = Stage::new();
    let mut early = stage.client();
    early.post("", b"1\n");
    let (_, position) = stage.read();
    let mut unread = stage.client();
    unread.post("", b"3\n");
    stage.await_waiting();
    stage.shared.shutdown.request();
    stage.source.close();
    let (status, body) = unread.answer();
    assert!(status == 503 && body.contains("takes no more records"), "{status} {body}");
    let mut late = stage.client();
    late.post("", b"2\n");
    let answer = late.whole_answer();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1") && answer.contains("connection: close"), "{answer}");
    stage.source.acknowledge(position).unwrap();
    assert_eq!(early.answer().0, 200);
    stage.source.finish().unwrap();
}

#[test]
fn whoever_was_not_acknowledged_at_the_end_is_told_so() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    client.post("", b"1\n");
    stage.read();
    stage.source.finish().unwrap();
    let (status, body) = client.answer();
    assert!(status == 503 && body.contains("some may arrive twice"), "{status} {body}");
    assert_eq!(stage.source.read(&mut Block::default(), WAIT).unwrap(), Read::End);
}

#[test]
fn a_limit_ends_behind_a_whole_request() {
    let mut stage = Stage::new();
    let body = b"1\n".repeat(BLOCK_BYTES); // more than a block holds
    let mut client = stage.client();
    client.post("", &body);
    stage.await_waiting();
    let mut block = Block { most: Some(10), ..Block::default() };
    let Read::Lines(position) = stage.source.read(&mut block, PATIENCE).unwrap() else {
        panic!("nothing comes");
    };
    assert!(block.text == body && block.most.is_none(), "{} bytes", block.text.len());
    stage.source.acknowledge(position).unwrap();
    assert_eq!(client.answer().0, 200);
    client.post("", b"1\n2\n");
    stage.await_waiting();
    let mut block = Block { most: Some(2), ..Block::default() };
    assert!(matches!(stage.source.read(&mut block, PATIENCE).unwrap(), Read::Lines(_)));
    assert_eq!((block.text.as_slice(), block.most), (&b"1\n2\n"[..], Some(2)));
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let stage = Stage::new();
    let options =
        HttpOptions { address: stage.source.local_addr(), ..stage.source.options.clone() };
    assert!(matches!(HttpSource::open(options), Err(SourceError::Listen { .. })));
}

#[test]
fn replaced_line_breaks_are_counted() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    client.post("Content-Type: application/json\r\n", b"[{\n}, 1, [\n\n]]");
    assert_eq!(stage.take(), b"{ }\n1\n[  ]\n");
    assert_eq!(client.answer().0, 200);
    assert_eq!(stage.shared.ledger.snapshot().newlines_replaced, 2);
}
