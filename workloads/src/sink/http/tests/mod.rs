//! The sink against receivers of a few lines, over real sockets.

mod encryption;
mod packed;
mod secrets;
mod server;

use std::time::{Duration, Instant};

use batchpipe_api::spec::sink::{HttpFormat, HttpSink as Spec};

use self::server::Server;
use super::HttpSink;
use crate::sink::{Delivery, Durable, Sink as _, WriteError, Writer, tenure::lasting};

const PATIENCE: Duration = Duration::from_secs(30);

fn spec(url: String) -> Spec {
    let format = HttpFormat::Ndjson;
    Spec { url, format, bearer_token: None, basic: None, tls: None, max_attempts: 0 }
}

fn sink(spec: &Spec) -> HttpSink {
    HttpSink::new(spec, "/nowhere".into(), PATIENCE).unwrap()
}

fn writer(spec: &Spec) -> Box<dyn Writer> {
    sink(spec).open("t", lasting(0)).unwrap()
}

/// Offers a message until something other than waiting is called for.
fn write(writer: &mut dyn Writer, offset: i64, text: &str) -> Result<Durable, WriteError> {
    let whole = 0..text.len();
    let runs = std::slice::from_ref(&whole);
    let records = u32::try_from(text.lines().count()).unwrap();
    let delivery =
        Delivery { offset, timestamp_ms: 0, text: text.as_bytes(), runs, records, packed: None };
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it never ends");
        match writer.write(&delivery, Instant::now()) {
            Err(WriteError::Unfinished { .. }) => {}
            outcome => return outcome,
        }
    }
}

fn unavailable(outcome: Result<Durable, WriteError>) -> (String, Option<Duration>) {
    match outcome {
        Err(WriteError::Unavailable { what, retry_after }) => (what, retry_after),
        other => panic!("expected a failure that may pass, found {other:?}"),
    }
}

#[test]
fn a_message_is_a_request_of_its_format() {
    for (format, content_type, body) in [
        (HttpFormat::Ndjson, "application/x-ndjson", "1\n2\n"),
        (HttpFormat::JsonArray, "application/json", "[1,2]"),
        (HttpFormat::SplunkHec, "application/json", "{\"event\":1}{\"event\":2}"),
    ] {
        let server = Server::start(|_| "204 No Content".into());
        let spec = Spec { format, ..spec(server.url("/in?a=b")) };
        assert_eq!(write(&mut *writer(&spec), 0, "1\n2").unwrap(), Durable::All);
        let asked = server.asked();
        let [asked] = &asked[..] else { panic!("one request was expected") };
        assert_eq!(asked.text(), body);
        assert!(asked.head.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{}", asked.head);
        assert_eq!(asked.header("content-type"), Some(content_type));
        assert_eq!(asked.header("authorization"), None);
    }
}

#[test]
fn refusals_name_the_records_at_fault_once_the_others_are_delivered() {
    let server = Server::start(|asked| {
        if asked.text().contains("bad") { "422 Unprocessable".into() } else { "200 OK".into() }
    });
    let mut writer = writer(&spec(server.url("/")));
    let text = "1\n\"bad\"\n3\n4\n\"bad\"\n6";
    let Err(WriteError::Refused { records, why }) = write(&mut *writer, 7, text) else {
        panic!("two records are refused")
    };
    let found: Vec<_> = records.iter().map(|it| (it.number, &text[it.range.clone()])).collect();
    assert_eq!(found, [(1, "\"bad\""), (4, "\"bad\"")]);
    assert!(why.ends_with("answered 422 Unprocessable Entity"), "{why}");
    assert_eq!(write(&mut *writer, 7, text).unwrap(), Durable::All, "nothing is named twice");
    assert_eq!(server.taken().concat(), "1\n3\n4\n6\n", "each once, in order");
    assert_eq!(write(&mut *writer, 8, "8").unwrap(), Durable::All);
}

#[test]
fn what_was_taken_is_not_sent_again_when_the_rest_has_to_be() {
    let server = Server::start(|asked| match (asked.text().as_str(), asked.number) {
        ("1\n2\n3\n4\n", _) => "400 Bad Request".into(),
        ("3\n4\n", 2) => "503 Service Unavailable\nretry-after: 9".into(),
        _ => "200 OK".into(),
    });
    let mut writer = writer(&spec(server.url("/")));
    let (what, retry_after) = unavailable(write(&mut *writer, 0, "1\n2\n3\n4"));
    assert!(what.contains("answered 503"), "{what}");
    assert_eq!(retry_after, Some(Duration::from_secs(9)));
    assert_eq!(write(&mut *writer, 0, "1\n2\n3\n4").unwrap(), Durable::All);
    assert_eq!(server.taken(), ["1\n2\n", "3\n4\n"]);
}

#[test]
fn a_bulk_is_judged_record_by_record() {
    let server = Server::start(|asked| {
        let item = |line: &str| {
            let status = match (line, asked.number) {
                ("\"late\"", 0) => 429,
                ("\"bad\"", _) => 400,
                _ => 201,
            };
            format!("{{\"create\":{{\"status\":{status}}}}}")
        };
        let text = asked.text();
        let items: Vec<_> = text.lines().skip(1).step_by(2).map(item).collect();
        let errors = text.contains("late") || text.contains("bad");
        format!("200 OK\n\n{{\"errors\":{errors},\"items\":[{}]}}", items.join(","))
    });
    let spec = Spec { format: HttpFormat::ElasticBulk, ..spec(server.url("/_bulk")) };
    let mut writer = writer(&spec);
    let text = "1\n\"bad\"\n\"late\"\n4";
    let (what, _) = unavailable(write(&mut *writer, 0, text));
    assert!(what.ends_with("did not take 1 of 4 records of a bulk request"), "{what}");
    let Err(WriteError::Refused { records, .. }) = write(&mut *writer, 0, text) else {
        panic!("one record is refused")
    };
    assert_eq!(records.iter().map(|it| it.number).collect::<Vec<_>>(), [1]);
    assert_eq!(write(&mut *writer, 0, text).unwrap(), Durable::All);
    assert_eq!(server.asked()[1].text(), "{\"create\":{}}\n\"late\"\n", "alone");
}

#[test]
fn spent_tries_are_a_refusal() {
    let server = Server::start(|_| "500 Internal Server Error".into());
    let mut writer = writer(&Spec { max_attempts: 2, ..spec(server.url("/")) });
    unavailable(write(&mut *writer, 0, "1\n2"));
    let Err(WriteError::Refused { records, why }) = write(&mut *writer, 0, "1\n2") else {
        panic!("the second try is the last")
    };
    assert_eq!(records.len(), 2);
    assert!(why.ends_with("at try 2 of 2"), "{why}");
    assert_eq!(write(&mut *writer, 0, "1\n2").unwrap(), Durable::All);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::start(|_| "200 OK".into());
    let location = format!("307 Temporary Redirect\nlocation: {}", other.url("/"));
    let server = Server::start(move |_| location.clone());
    let (what, _) = unavailable(write(&mut *writer(&spec(server.url("/"))), 0, "1"));
    assert!(what.contains("redirects are not followed"), "{what}");
    assert!(other.asked().is_empty());
}

#[test]
fn a_silent_receiver_holds_nobody_up_and_is_given_up_after_its_time() {
    let server = Server::start(|_| String::new());
    let limit = Duration::from_millis(600);
    let sink = HttpSink::new(&spec(server.url("/")), "/nowhere".into(), limit).unwrap();
    let mut writer = sink.open("t", lasting(0)).unwrap();
    let whole = 0..1;
    let runs = std::slice::from_ref(&whole);
    let delivery =
        Delivery { offset: 0, timestamp_ms: 0, text: b"1", runs, records: 1, packed: None };
    let outcome = writer.write(&delivery, Instant::now());
    assert!(matches!(outcome, Err(WriteError::Unfinished { progress: false })), "{outcome:?}");
    let (what, _) = unavailable(write(&mut *writer, 0, "1"));
    assert!(what.ends_with("did not answer within 600 ms"), "{what}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_receiver_that_is_away_is_named_without_path_and_query() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let spec = spec(format!("http://{closed}/hidden?token=hunter2"));
    let (what, _) = unavailable(write(&mut *writer(&spec), 0, "1"));
    assert!(what.starts_with(&format!("http://{closed} cannot be asked: ")), "{what}");
    assert!(what.contains("refused"), "{what}");
    assert!(!what.contains("hidden") && !what.contains("hunter2"), "{what}");
}

#[test]
fn an_answer_without_end_is_not_kept() {
    let server = Server::start(|_| format!("200 OK\n\n{}", " ".repeat(9 << 20)));
    let spec = Spec { format: HttpFormat::ElasticBulk, ..spec(server.url("/")) };
    let (what, _) = unavailable(write(&mut *writer(&spec), 0, "1"));
    assert!(what.ends_with("gave an answer that is too long"), "{what}");
}

#[test]
fn an_answer_that_is_too_long_for_many_records_is_asked_for_fewer() {
    let server = Server::start(|asked| {
        let records = asked.text().lines().count() / 2;
        let padding = if records > 2 { " ".repeat(9 << 20) } else { String::new() };
        format!("200 OK\n\n{padding}{{\"errors\":false}}")
    });
    let spec = Spec { format: HttpFormat::ElasticBulk, ..spec(server.url("/")) };
    let sink = sink(&spec);
    let mut writer = sink.open("t", lasting(0)).unwrap();
    assert_eq!(write(&mut *writer, 0, "1\n2\n3\n4").unwrap(), Durable::All);
    assert_eq!(server.asked().len(), 3, "no record is left in doubt for ever");
    assert_eq!(sink.resent(), 1, "the first request may have been taken");
}

#[test]
fn only_what_nobody_answered_for_counts_as_sent_again() {
    let server = Server::start(|asked| match asked.number {
        0 => "503 Service Unavailable".into(),
        1 => "no answer that anybody understands".into(),
        _ => "200 OK".into(),
    });
    let sink = sink(&spec(server.url("/")));
    let mut writer = sink.open("t", lasting(0)).unwrap();
    unavailable(write(&mut *writer, 0, "1"));
    unavailable(write(&mut *writer, 0, "1"));
    assert_eq!(sink.resent(), 0, "the first was refused, and the second not sent again yet");
    assert_eq!(write(&mut *writer, 0, "1").unwrap(), Durable::All);
    assert_eq!(sink.resent(), 1);
}

#[test]
fn requests_become_smaller_once_one_was_too_large() {
    const MOST: usize = 100_000;
    let server = Server::start(|asked| {
        if asked.body.len() > MOST { "413 Too Large".into() } else { "200 OK".into() }
    });
    let mut writer = writer(&spec(server.url("/")));
    let text = vec!["\"0123456789\""; 12_000].join("\n");
    assert_eq!(write(&mut *writer, 0, &text).unwrap(), Durable::All);
    assert_eq!(server.taken().concat(), format!("{text}\n"));
    let before = server.asked().len();
    assert_eq!(write(&mut *writer, 1, &text).unwrap(), Durable::All);
    let again = server.asked();
    let sizes = || again[before..].iter().map(|asked| asked.body.len());
    assert!(sizes().all(|bytes| bytes <= MOST), "{:?}", sizes().collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_goes_before_it_has_read_all_is_sent_less() {
    const MOST: usize = 100_000;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let taken = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&taken);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            server::refuse_early(stream.unwrap(), MOST, &seen);
        }
    });
    let text = vec!["\"0123456789\""; 200_000].join("\n");
    let mut writer = writer(&spec(url));
    while let Err(error) = write(&mut *writer, 0, &text) {
        assert!(matches!(error, WriteError::Unavailable { .. }), "{error:?}");
    }
    assert_eq!(taken.lock().unwrap().concat(), format!("{text}\n").into_bytes());
}
