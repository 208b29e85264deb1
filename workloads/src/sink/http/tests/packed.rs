//! Batches as they came: only to who says that it accepts their coding, and never at the price of a record.

use std::time::Instant;

use batchpipe_api::{codec::Codec, spec::sink::HttpFormat};

use super::{Server, server::Asked, sink, spec};
use crate::sink::{
    Delivery, Durable, Packed, Sink as _, WriteError, Writer, http::HttpSink, tenure::lasting,
};

const TEXT: &str = "1\n2";
/// Stands for what TEXT is compressed: the sink must not look at it.
const VALUE: &[u8] = b"packed";

/// Offers messages that all look the same, from this offset on.
fn write(writer: &mut dyn Writer, offset: i64, codec: Codec) -> Result<Durable, WriteError> {
    let whole = 0..TEXT.len();
    let runs = std::slice::from_ref(&whole);
    let packed = Some(Packed { value: VALUE, codec });
    let (text, records) = (TEXT.as_bytes(), 2);
    let delivery = Delivery { offset, timestamp_ms: 0, text, runs, records, packed };
    let deadline = Instant::now() + super::PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it never ends");
        match writer.write(&delivery, Instant::now()) {
            Err(WriteError::Unfinished { .. }) => {}
            outcome => return outcome,
        }
    }
}

/// Delivers three messages of this codec; what was asked.
fn deliver(sink: &HttpSink, server: &Server, codec: Codec) -> Vec<String> {
    let mut writer = sink.open("t", lasting(0)).unwrap();
    for offset in 0..3 {
        assert_eq!(write(&mut *writer, offset, codec).unwrap(), Durable::All);
    }
    let coding = |asked: &Asked| asked.header("content-encoding").unwrap_or("plain").to_owned();
    server.asked().iter().map(|asked| format!("{} {:?}", coding(asked), asked.text())).collect()
}

const PLAIN: &str = "plain \"1\\n2\\n\"";
const ZSTD: &str = "zstd \"packed\"";

#[test]
fn a_batch_passes_untouched_once_the_receiver_has_named_its_coding() {
    let server = Server::start(|_| "200 OK\naccept-encoding: gzip;q=0.5, zstd".into());
    let sink = sink(&spec(server.url("/")));
    assert_eq!(deliver(&sink, &server, Codec::Zstd), [PLAIN, ZSTD, ZSTD]);
    let deflate = deliver(&sink, &server, Codec::Zlib);
    assert_eq!(deflate[3..], [PLAIN; 3], "which it did not name");
    let gzip = deliver(&sink, &server, Codec::Gzip);
    assert_eq!(gzip[6..], ["gzip \"packed\""; 3], "known from before");
}

#[test]
fn without_a_word_of_the_receiver_everything_is_inflated() {
    let server = Server::start(|_| "200 OK".into());
    let asked = deliver(&sink(&spec(server.url("/"))), &server, Codec::Zstd);
    assert_eq!(asked, [PLAIN; 3]);
}

#[test]
fn other_formats_are_no_batches() {
    let server = Server::start(|_| "200 OK\naccept-encoding: zstd".into());
    let spec = batchpipe_api::spec::sink::HttpSink {
        format: HttpFormat::JsonArray,
        ..spec(server.url("/"))
    };
    let asked = deliver(&sink(&spec), &server, Codec::Zstd);
    assert_eq!(asked, ["plain \"[1,2]\""; 3]);
}

#[test]
fn a_receiver_that_does_not_mean_what_it_says_is_sent_the_records() {
    let server = Server::start(|asked| match asked.header("content-encoding") {
        Some(_) => "415 Unsupported Media Type\naccept-encoding: zstd".into(),
        None => "200 OK\naccept-encoding: zstd".into(),
    });
    let asked = deliver(&sink(&spec(server.url("/"))), &server, Codec::Zstd);
    assert_eq!(asked, [PLAIN, ZSTD, PLAIN, PLAIN], "and is not tried again");
}

#[test]
fn a_refused_or_failed_batch_is_sent_as_records_before_any_is_given_up() {
    for (status, again) in [("400 Bad Request", "2\n"), ("413 Too Large", "2\n")] {
        let server = Server::start(move |asked| match asked.text().as_str() {
            "1\n2\n" if asked.number == 0 => "200 OK\naccept-encoding: zstd".into(),
            "1\n" => "200 OK".into(),
            _ => status.into(),
        });
        let mut writer = sink(&spec(server.url("/"))).open("t", lasting(0)).unwrap();
        assert_eq!(write(&mut *writer, 0, Codec::Zstd).unwrap(), Durable::All);
        let outcome = write(&mut *writer, 1, Codec::Zstd);
        let Err(WriteError::Refused { records, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(records.iter().map(|it| it.number).collect::<Vec<_>>(), [1]);
        let bodies: Vec<_> = server.asked().iter().map(Asked::text).collect();
        assert_eq!(bodies, ["1\n2\n", "packed", "1\n2\n", "1\n", again]);
    }
    let server = Server::start(|asked| match asked.number {
        0 => "200 OK\naccept-encoding: zstd".into(),
        1 => "503 Service Unavailable".into(),
        _ => "200 OK".into(),
    });
    let mut writer = sink(&spec(server.url("/"))).open("t", lasting(0)).unwrap();
    assert_eq!(write(&mut *writer, 0, Codec::Zstd).unwrap(), Durable::All);
    super::unavailable(write(&mut *writer, 1, Codec::Zstd));
    assert_eq!(write(&mut *writer, 1, Codec::Zstd).unwrap(), Durable::All);
    let bodies: Vec<_> = server.asked().iter().map(Asked::text).collect();
    assert_eq!(bodies, ["1\n2\n", "packed", "1\n2\n"]);
}
