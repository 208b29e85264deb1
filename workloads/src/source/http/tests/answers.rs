//! What is answered to what.

use std::fs;

use super::*;
use crate::secrets::SecretFile;

fn status(stage: &Stage, headers: &str, body: &[u8]) -> (u16, String) {
    let mut client = stage.client();
    client.post(headers, body);
    client.answer()
}

#[test]
fn a_bad_record_refuses_the_whole_request_and_is_named() {
    let mut stage = Stage::new();
    for (body, line) in [("x\n1\n2\n", 1), ("1\n{]\n2\n", 2), ("1\n2\n\"", 3)] {
        let (code, answer) = status(&stage, "", body.as_bytes());
        assert_eq!(code, 400, "{answer}");
        assert!(answer.contains(&format!("\"line\":{line}}}")), "{answer}");
        assert!(answer.contains(&format!("line {line} is not one JSON value")), "{answer}");
    }
    let json = "Content-Type: application/json\r\n";
    for (body, index) in [("[x,1]", 0), ("[1,{],2]", 1), ("[1,2,-]", 2)] {
        let (code, answer) = status(&stage, json, body.as_bytes());
        assert_eq!(code, 400, "{answer}");
        let named = answer.contains(&format!("\"index\":{index}}}"));
        assert!(named || body.contains("{]"), "{answer}");
    }
    let (code, answer) = status(&stage, json, b"{\"a\":1}");
    assert!(code == 400 && answer.contains("does not begin with ["), "{answer}");
    let long = format!("1\n\"{}\"\n", "x".repeat(600 * 1024));
    let (code, answer) = status(&stage, "", long.as_bytes());
    assert!(code == 400 && answer.contains("spec.batch.maxBytes"), "{answer}");
    stage.assert_silent();
}

#[test]
fn no_record_is_no_work_for_the_broker() {
    let stage = Stage::new();
    for body in ["", "\n", " \r\n\n"] {
        assert_eq!(status(&stage, "", body.as_bytes()).1, "{\"accepted\":0}\n");
    }
    let json = "Content-Type: application/json\r\n";
    assert_eq!(status(&stage, json, b"[]").1, "{\"accepted\":0}\n");
}

#[test]
fn what_is_not_for_us_is_told_so() {
    let mut stage = Stage::new();
    for (request, expected) in [
        ("GET /v1/records HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        ("PUT /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1\n", 405),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1\n", 404),
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    ] {
        let mut client = stage.client();
        client.send(request.as_bytes());
        assert_eq!(client.answer().0, expected, "{request}");
    }
    for header in ["Content-Type: text/html\r\n", "Content-Encoding: br\r\n"] {
        assert_eq!(status(&stage, header, b"1\n").0, 415, "{header}");
    }
    let mut client = stage.client();
    client.send(b"\x16\x03\x01\x02\x00 this is no HTTP\r\n\r\n");
    assert!(client.until_closed().starts_with(b"HTTP/1.1 400"));
    stage.assert_silent();
}

#[test]
fn one_connection_carries_many_requests() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    for number in 0..5 {
        client.post("", format!("{number}\n").as_bytes());
        assert_eq!(stage.take(), format!("{number}\n").as_bytes());
        assert_eq!(client.answer().0, 200);
        client.post("", b"x\n");
        assert_eq!(client.answer().0, 400);
    }
}

#[test]
fn a_body_may_come_in_chunks_and_wait_for_permission() {
    let mut stage = Stage::new();
    let mut client = stage.client();
    let head = "POST /v1/records HTTP/1.1\r\nHost: x\r\n";
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
    client.send(b"2\r\n1\n\r\n3\r\n[2]\r\n0\r\n\r\n");
    assert_eq!(stage.take(), b"1\n[2]\n");
    assert_eq!(client.answer().0, 200);
    client.send(format!("{head}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").as_bytes());
    assert!(client.whole_answer().starts_with("HTTP/1.1 100"));
    client.send(b"3\n");
    assert_eq!(stage.take(), b"3\n");
    assert_eq!(client.answer().0, 200);
}

#[test]
fn a_body_that_breaks_off_is_none() {
    let mut stage = Stage::new();
    let idle = stage.shared.budget.used();
    let mut client = stage.client();
    client.send(b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1\n2\n");
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    client.until_closed();
    stage.assert_silent();
    stage.await_used(idle);
}

#[test]
fn without_the_token_nothing_is_taken() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mine");
    fs::create_dir(&folder).unwrap();
    let token = Some(SecretFile::new("mine", "token"));
    let secrets = SecretOptions { root: root.path().to_owned(), token, certificate: None };
    let mut stage = Stage::with(limits(), secrets);
    let right = "Authorization: Bearer right\r\n";
    assert_eq!(status(&stage, right, b"1\n").0, 503, "the token is not known yet");
    fs::write(folder.join("token"), "right\n").unwrap();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "the token is not taken up");
        let mut client = stage.client();
        client.post(right, b"1\n");
        let mut block = Block::default();
        if let Read::Lines(position) = stage.source.read(&mut block, WAIT * 10).unwrap() {
            stage.source.acknowledge(position).unwrap();
            assert_eq!(client.answer().0, 200);
            break;
        }
    }
    for wrong in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic right\r\n"] {
        let mut client = stage.client();
        client.post(wrong, b"1\n");
        let answer = client.whole_answer();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    }
    stage.assert_silent();
}
