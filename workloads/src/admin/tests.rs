//! The server as others see it: over real connections, with a client that knows nothing of its inside.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use batchpipe_api::report::Role;

use super::{
    conditions::Gate,
    heartbeat::{Beat, SILENCE},
    listener::Limits,
    server::AdminServer,
    side::Side,
    state::State,
};
use crate::budget::Budget;

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn state(sides: Vec<Arc<Side>>) -> Arc<State> {
    State::new(Budget::new(1000), sides)
}

fn side(role: Role) -> Arc<Side> {
    Side::new(role, Arc::default())
}

fn serve(sides: Vec<Arc<Side>>) -> AdminServer {
    AdminServer::start(LOOPBACK, state(sides)).unwrap()
}

fn limited(limits: Limits) -> AdminServer {
    AdminServer::start_with(LOOPBACK, state(vec![side(Role::Producer)]), limits).unwrap()
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn ask(server: &AdminServer, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    read_answer(&mut stream)
}

fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// What comes before the server closes the connection, which it must do far sooner than we give up.
fn until_hang_up(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut text = String::new();
    let error = stream.read_to_string(&mut text).err().map(|error| error.kind());
    assert!(matches!(error, None | Some(std::io::ErrorKind::ConnectionReset)), "{error:?}");
    text
}

fn get(server: &AdminServer, path: &str) -> Answer {
    ask(server, "GET", path)
}

/// A side with a loop that has hung since long ago.
fn hanging() -> (Arc<Side>, Beat) {
    let long_ago = Instant::now().checked_sub(SILENCE + Duration::from_secs(1)).unwrap();
    let side = Arc::new(Side::at(Role::Producer, Arc::default(), long_ago));
    let beat = side.heartbeat_at("engine", long_ago);
    (side, beat)
}

#[test]
fn a_process_is_alive_while_its_loops_tick() {
    let (side, beat) = hanging();
    let server = serve(vec![side]);
    let answer = get(&server, "/livez");
    assert_eq!(answer.status, 503);
    assert!(answer.body.starts_with("producer: engine has not ticked for 61 s"), "{}", answer.body);
    beat.tick();
    let answer = get(&server, "/livez");
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
}

#[test]
fn what_waits_outside_does_not_make_a_process_dead() {
    let side = side(Role::Consumer);
    side.stalled("SinkUnavailable", "http://sink");
    assert_eq!(get(&serve(vec![side]), "/livez").status, 200);
}

#[test]
fn readiness_names_what_is_missing_a_line_each() {
    let side = side(Role::Producer);
    let server = serve(vec![Arc::clone(&side)]);
    side.gate(Gate::Configuration).open();
    side.gate(Gate::Topic).close("TopicMissing", "topic t");
    let answer = get(&server, "/readyz");
    assert_eq!(answer.status, 503);
    let [brokers, topic] = answer.body.lines().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(brokers, "brokers: not known yet");
    assert!(topic.starts_with("topic: topic t (TopicMissing, since "), "{topic}");
    side.gate(Gate::Brokers).open();
    side.gate(Gate::Topic).open();
    assert_eq!(get(&server, "/readyz").status, 200);
}

#[test]
fn both_sides_must_be_ready() {
    let (producer, consumer) = (side(Role::Producer), side(Role::Consumer));
    for gate in [Gate::Configuration, Gate::Brokers, Gate::Topic] {
        producer.gate(gate).open();
        consumer.gate(gate).open();
    }
    let server = serve(vec![producer, consumer]);
    let answer = get(&server, "/readyz");
    assert_eq!((answer.status, answer.body.as_str()), (503, "consumer: group: not known yet\n"));
}

#[test]
fn metrics_say_that_they_are_openmetrics() {
    let answer = get(&serve(vec![side(Role::Producer)]), "/metrics");
    let content_type =
        "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains(content_type), "{}", answer.head);
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

#[test]
fn the_status_is_json() {
    let answer = get(&serve(vec![side(Role::Consumer)]), "/status");
    assert!(answer.head.contains("content-type: application/json\r\n"), "{}", answer.head);
    let report: batchpipe_api::report::Report = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(report.role, Role::Consumer);
}

#[test]
fn other_paths_are_not_found_and_say_which_there_are() {
    let server = serve(vec![side(Role::Producer)]);
    for path in ["/", "/livez/", "/../etc/passwd", "/status/x"] {
        let answer = get(&server, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("/readyz"));
    }
}

#[test]
fn only_reading_is_allowed() {
    let server = serve(vec![side(Role::Producer)]);
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_eq!(ask(&server, method, "/status").status, 405, "{method}");
    }
    let head = ask(&server, "HEAD", "/livez");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn a_request_that_never_ends_is_cut_off() {
    let server = limited(Limits { patience: Duration::from_millis(50), ..Limits::default() });
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(until_hang_up(&mut stream), "");
}

#[test]
fn a_request_that_is_too_large_is_cut_off() {
    let server = limited(Limits {
        request_bytes: 1000,
        patience: Duration::from_mins(5),
        ..Limits::default()
    });
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    let padding = "x".repeat(2000);
    drop(write!(stream, "GET /livez HTTP/1.1\r\nHost: x\r\nX: {padding}\r\n\r\n"));
    assert_eq!(until_hang_up(&mut stream), "");
}

#[test]
fn connections_above_the_limit_wait_for_a_place() {
    let limits = Limits { connections: 1, patience: Duration::from_mins(1), ..Limits::default() };
    let server = limited(limits);
    let mut first = TcpStream::connect(server.local_addr()).unwrap();
    write!(first, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    first.read_exact(&mut [0; 15]).unwrap();
    let mut second = TcpStream::connect(server.local_addr()).unwrap();
    write!(second, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "it has to wait");
    drop(first);
    second.set_read_timeout(None).unwrap();
    assert_eq!(read_answer(&mut second).status, 200);
}

#[test]
fn a_connection_serves_several_requests() {
    let server = serve(vec![side(Role::Producer)]);
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    for _ in 0..3 {
        write!(stream, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"ok\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn a_stopped_server_frees_its_port() {
    let server = serve(vec![side(Role::Producer)]);
    let address = server.local_addr();
    let idle = TcpStream::connect(address).unwrap();
    server.stop();
    assert!(TcpStream::connect(address).is_err());
    drop(idle);
}

#[test]
fn an_address_in_use_is_named() {
    let server = serve(vec![side(Role::Producer)]);
    let error = AdminServer::start(server.local_addr(), state(Vec::new())).unwrap_err();
    assert!(error.to_string().contains(&server.local_addr().to_string()), "{error}");
}
