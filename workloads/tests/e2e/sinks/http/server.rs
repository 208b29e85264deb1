//! A receiver over HTTP that fails as it likes, and counts what it takes.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use batchpipe_workloads::decode::{Batch, Limits, Message, Opened, Opener};

use super::fate::{Fate, Random};
use crate::faults::support::{Records, Tally};

/// How long a silent receiver keeps a connection: longer than the sink waits.
const SILENCE: Duration = Duration::from_secs(3);
/// The largest request that it takes, in bytes.
const MOST_BYTES: usize = 24 * 1024;

/// A receiver; it listens as long as the process lives.
pub(super) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

pub(super) struct State {
    random: Random,
    is_bulk: bool,
    /// The `authorization` that it accepts; empty: any.
    pub(super) login: String,
    /// The codings that it says it accepts; empty: it does not speak of them.
    pub(super) codings: &'static str,
    /// Compressed bodies that it took.
    pub(super) packed: Vec<Vec<u8>>,
    /// What it does instead of drawing.
    pub(super) fate: Option<Fate>,
    /// How many fates were drawn.
    drawn: usize,
    pub(super) tally: Tally,
    /// How many lines the tally was given.
    pub(super) lines: usize,
    /// When it asked to be left alone.
    pub(super) limited: Vec<Instant>,
    /// Records that it took without being able to say so.
    pub(super) unconfirmed: Vec<usize>,
    /// How often it answered what.
    pub(super) answers: BTreeMap<String, u32>,
}

/// Whether this record is one that it never takes.
pub(super) const fn is_bad(number: usize) -> bool {
    number % 1009 == 77
}

fn is_bad_line(line: &[u8]) -> bool {
    number(line).is_some_and(is_bad)
}

/// The number of a record of these tests.
pub(super) fn number(line: &[u8]) -> Option<usize> {
    let rest = std::str::from_utf8(line).ok()?.strip_prefix(r#"{"seq":"#)?;
    rest.split(',').next()?.parse().ok()
}

impl Server {
    /// Takes newline-delimited records, or bulk requests.
    pub(super) fn start(records: &Records, is_bulk: bool, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            random: Random::new(seed),
            is_bulk,
            login: String::new(),
            codings: "",
            packed: Vec::new(),
            fate: None,
            drawn: 0,
            tally: Tally::new(records),
            lines: 0,
            limited: Vec::new(),
            unconfirmed: Vec::new(),
            answers: BTreeMap::new(),
        }));
        let server = Self { address, state: Arc::clone(&state) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&state));
                thread::spawn(move || converse(BufReader::new(stream), &state));
            }
        });
        server
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hidden-path?key=hidden-query", self.address)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How often it answered this.
    pub(super) fn answered(&self, what: &str) -> u32 {
        self.state().answers.get(what).copied().unwrap_or(0)
    }
}

/// Serves one connection until somebody ends it.
fn converse(mut stream: BufReader<TcpStream>, state: &Mutex<State>) {
    while let Some(Head { login, coding, length }) = head(&mut stream) {
        let fate = state.lock().unwrap().draw();
        if fate == Fate::Reset {
            return; // what is unread makes it a reset
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        if fate == Fate::Silence {
            state.lock().unwrap().count("silence");
            thread::sleep(SILENCE);
            return;
        }
        let Some(answer) = state.lock().unwrap().receive(fate, &login, &coding, body) else {
            return;
        };
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// What is said of a body before it.
#[derive(Default)]
struct Head {
    login: String,
    coding: String,
    length: usize,
}

fn inflate(coding: &str, body: &[u8]) -> Vec<u8> {
    let headers = [("content-encoding", Some(coding.as_bytes()))].into_iter().collect();
    let limits = Limits { max_bytes: 16 << 20, max_records: 1_000_000 };
    let mut batch = Batch::default();
    let message = Message { value: Some(body), headers };
    let opened = Opener::new().open(&message, &limits, true, &mut batch).unwrap();
    assert!(matches!(opened, Opened::Batch { .. }), "{opened:?}");
    batch.text
}

/// The head of the next request.
fn head(stream: &mut BufReader<TcpStream>) -> Option<Head> {
    let mut head = Head::default();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("authorization", value)) => value.clone_into(&mut head.login),
            Some(("content-encoding", value)) => value.clone_into(&mut head.coding),
            Some(("content-length", value)) => head.length = value.parse().unwrap(),
            None if line == "\r\n" => return Some(head),
            _ => {}
        }
    }
}

impl State {
    fn draw(&mut self) -> Fate {
        let is_bulk = self.is_bulk;
        let drawn = Fate::draw(&mut self.random, self.drawn, is_bulk);
        self.drawn += 1;
        self.fate.unwrap_or(drawn)
    }

    fn count(&mut self, what: &str) {
        *self.answers.entry(what.to_owned()).or_default() += 1;
    }

    /// What it says to a body that may be compressed.
    fn receive(&mut self, fate: Fate, login: &str, coding: &str, body: Vec<u8>) -> Option<String> {
        if coding.is_empty() {
            return self.answer(fate, login, &body);
        }
        let mut text = inflate(coding, &body);
        text.push(b'\n');
        let answer = self.answer(fate, login, &text);
        if answer.as_ref().is_none_or(|answer| answer.starts_with("HTTP/1.1 2")) {
            self.packed.push(body);
        }
        answer
    }

    /// What it says; nothing when it goes instead.
    fn answer(&mut self, fate: Fate, login: &str, body: &[u8]) -> Option<String> {
        if !self.login.is_empty() && login != self.login {
            return Some(self.say("401 Unauthorized", ""));
        }
        let step = if self.is_bulk { 2 } else { 1 };
        let lines: Vec<_> = body.split(|byte| *byte == b'\n').collect();
        let records: Vec<_> = lines.chunks_exact(step).map(|lines| lines[step - 1]).collect();
        match fate {
            Fate::Fail(status) => Some(self.say(&format!("{status} Failed"), "")),
            Fate::Limit(wait) => {
                self.limited.push(Instant::now());
                Some(self.say(&format!("429 Limited\r\nretry-after: {wait}"), ""))
            }
            Fate::Take | Fate::Half if self.is_bulk => Some(self.judge(fate, &records)),
            Fate::Lose if self.is_bulk => {
                self.lose(records.into_iter().filter(|it| !is_bad_line(it)))
            }
            _ => self.judge_whole(fate, body.len(), &records),
        }
    }

    fn judge_whole(&mut self, fate: Fate, bytes: usize, records: &[&[u8]]) -> Option<String> {
        let records = records.iter().copied().filter(|line| !line.is_empty());
        let bad = records.clone().find(|line| is_bad_line(line)).and_then(number);
        match bad {
            _ if bytes > MOST_BYTES => Some(self.say("413 Too Large", "")),
            Some(number) if number.is_multiple_of(2) => Some(self.say("400 Bad", "")),
            Some(_) => Some(self.say("422 Bad", "")),
            None if fate == Fate::Lose => self.lose(records),
            None => {
                records.for_each(|line| self.take(line));
                Some(self.say("200 OK", ""))
            }
        }
    }

    /// Answers for each record of a bulk.
    fn judge(&mut self, fate: Fate, records: &[&[u8]]) -> String {
        let mut items = Vec::new();
        for line in records {
            let status = match self.random.below(4) {
                _ if is_bad_line(line) => 400,
                0 if fate == Fate::Half => 429,
                1 if fate == Fate::Half => 503,
                _ => 201,
            };
            if status == 201 {
                self.take(line);
            }
            items.push(format!(r#"{{"create":{{"_index":"i","status":{status}}}}}"#));
        }
        let errors = items.iter().any(|item| !item.contains("201"));
        let what = if fate == Fate::Half { "half" } else { "whole" };
        self.count(what);
        let body = format!(r#"{{"took":1,"errors":{errors},"items":[{}]}}"#, items.join(","));
        self.say("200 OK", &body)
    }

    fn take(&mut self, line: &[u8]) {
        self.lines += 1;
        self.tally.line(line);
    }

    /// Takes records and tells nobody.
    fn lose<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>) -> Option<String> {
        for line in records {
            self.take(line);
            self.unconfirmed.extend(number(line));
        }
        self.count("lost");
        None
    }

    fn say(&mut self, head: &str, body: &str) -> String {
        self.count(&head[..3]);
        let codings = match self.codings {
            "" => String::new(),
            codings => format!("accept-encoding: {codings}\r\n"),
        };
        format!("HTTP/1.1 {head}\r\n{codings}content-length: {}\r\n\r\n{body}", body.len())
    }
}
