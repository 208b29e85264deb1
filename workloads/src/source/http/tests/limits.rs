//! Clients that take more than they may.

use std::io::Write as _;

use super::{super::places::EVICTABLE_AFTER, *};

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_body_over_the_limit_is_refused_and_its_client_hears_of_it() {
    let mut stage = Stage::new();
    let idle = stage.shared.budget.used();
    let body = vec![b' '; MIB + 1];
    let mut client = stage.client();
    client.post("", &body);
    assert_eq!(client.answer().0, 413);
    client = stage.client();
    client.send(b"POST /v1/records HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("{:x}\r\n", body.len()).as_bytes());
    client.send(&body);
    client.send(b"\r\n0\r\n\r\n");
    assert_eq!(client.answer().0, 413);
    client = stage.client();
    client.post("", &body[1..]);
    assert_eq!(client.answer().0, 200, "one of exactly that size is taken");
    drop(client);
    stage.assert_silent();
    stage.await_used(idle);
}

#[test]
fn a_head_over_the_limits_is_refused() {
    let stage = Stage::new();
    let head = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n";
    for more in ["X: y\r\n".repeat(20), format!("X: {}\r\n", "y".repeat(10_000))] {
        let mut client = stage.client();
        client.send(format!("{head}{more}\r\n").as_bytes());
        assert!(client.until_closed().starts_with(b"HTTP/1.1 431"), "{} bytes", more.len());
    }
}

#[test]
fn a_slow_body_is_given_up() {
    let stage = Stage::with(Limits { body: SHORT, ..limits() }, SecretOptions::default());
    let idle = stage.shared.budget.used();
    let mut client = stage.client();
    client.send(b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    let begun = Instant::now();
    while !client.has_answer() && begun.elapsed() < PATIENCE {
        let _ = client.0.write_all(b"1");
        thread::sleep(SHORT / 20);
    }
    assert_eq!(client.answer().0, 408);
    assert!(begun.elapsed() >= SHORT);
    client.until_closed();
    stage.await_used(idle);
}

#[test]
fn a_slow_head_is_given_up() {
    let stage = Stage::with(Limits { head: SHORT, ..limits() }, SecretOptions::default());
    let mut client = stage.client();
    let begun = Instant::now();
    let mut head = b"POST /v1/records HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'y'));
    while !client.has_answer() && begun.elapsed() < PATIENCE {
        let _ = client.0.write_all(&[*head.next().unwrap()]);
        thread::sleep(SHORT / 20);
    }
    assert_eq!(client.until_closed(), b"");
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < PATIENCE);
}

#[test]
fn a_connection_may_be_idle_for_a_while() {
    let mut stage = Stage::with(Limits { idle: SHORT, ..limits() }, SecretOptions::default());
    let begun = Instant::now();
    assert_eq!(stage.client().until_closed(), b"", "one that never says anything");
    assert!(begun.elapsed() >= SHORT);
    let mut client = stage.client();
    client.post("", b"1\n");
    let (_, position) = stage.read();
    thread::sleep(2 * SHORT); // the broker may take longer than a client may be idle
    stage.source.acknowledge(position).unwrap();
    assert_eq!(client.answer().0, 200);
    let begun = Instant::now();
    assert_eq!(client.until_closed(), b"");
    assert!(begun.elapsed() >= SHORT / 2);
}

#[test]
fn idle_connections_make_room_for_new_ones() {
    let mut stage = Stage::new();
    let mut silent: Vec<_> = (0..3 * limits().connections).map(|_| stage.client()).collect();
    let mut client = stage.client();
    client.post("", b"1\n");
    assert_eq!(stage.take(), b"1\n");
    assert_eq!(client.answer().0, 200);
    // The oldest had to go, the newest are still there.
    assert_eq!(silent.remove(0).until_closed(), b"");
    let mut newest = silent.pop().unwrap();
    newest.post("", b"2\n");
    assert_eq!(stage.take(), b"2\n");
    assert_eq!(newest.answer().0, 200);
}

#[test]
fn requests_that_came_together_are_no_idleness() {
    let limits = Limits { talkers: 1, ..limits() };
    let mut stage = Stage::with(limits, SecretOptions::default());
    let mut client = stage.client();
    let request = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1\n";
    client.send(request.repeat(2).as_bytes());
    assert_eq!(stage.take(), b"1\n");
    assert_eq!(client.answer().0, 200);
    let (_, position) = stage.read();
    // The second request is at work now, so another client cannot have its place.
    let mut late = stage.client();
    late.post("", b"2\n");
    thread::sleep(3 * EVICTABLE_AFTER);
    stage.assert_silent();
    stage.source.acknowledge(position).unwrap();
    assert_eq!(client.answer().0, 200);
    assert_eq!(stage.take(), b"2\n");
    assert_eq!(late.answer().0, 200);
}

#[test]
fn when_all_connections_are_busy_new_ones_wait() {
    let mut stage = Stage::new();
    let mut busy: Vec<_> = (0..limits().connections).map(|_| stage.client()).collect();
    for client in &mut busy {
        client.post("", b"1\n");
    }
    let mut left = limits().connections;
    let mut late = stage.client();
    late.post("", b"2\n");
    while left > 0 {
        let (text, position) = stage.read();
        assert!(!late.has_answer());
        left -= text.len() / 2;
        if left == 0 {
            stage.source.acknowledge(position).unwrap();
        }
    }
    assert!(busy.iter_mut().all(|client| client.answer().0 == 200));
    assert_eq!(stage.take(), b"2\n");
    assert_eq!(late.answer().0, 200);
}

#[test]
fn whoever_has_sent_nothing_needs_no_place_among_those_who_have() {
    let mut stage = Stage::with(Limits { talkers: 2, ..limits() }, SecretOptions::default());
    let mut silent: Vec<_> = (0..20).map(|_| stage.client()).collect();
    for client in &mut silent {
        client.post("", b"1\n");
        assert_eq!(stage.take(), b"1\n");
        assert_eq!(client.answer().0, 200);
    }
    // Each had to make room for the next but one.
    let newest = silent.split_off(18);
    for client in silent {
        assert_eq!(client.until_closed(), b"");
    }
    assert!(newest.iter().all(|client| !client.has_answer()));
}

#[test]
fn when_memory_is_spent_clients_are_told_to_come_again() {
    let mut stage = Stage::new();
    let idle = stage.shared.budget.used();
    let body = vec![b"\"x\"\n".to_vec(); 250_000].concat();
    let mut clients: Vec<_> = (0..12).map(|_| stage.client()).collect();
    let mut refused = 0;
    for client in &mut clients {
        client.post("", &body);
        // Nobody reads, so only a refusal is answered; the next one is sent when this one is in the queue.
        let begun = Instant::now();
        let before = stage.waiting();
        while stage.waiting() == before
            && !client.has_answer()
            && begun.elapsed() < Duration::from_secs(2)
        {
            thread::sleep(Duration::from_millis(1));
        }
        if client.has_answer() {
            let answer = client.whole_answer();
            assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 1"));
            refused += 1;
        }
    }
    assert!(refused >= 8, "{refused} were refused");
    assert!(stage.shared.budget.used() <= idle + limits().held_bytes + 12 * limits().talker_bytes);
    drop(clients);
    let mut block = Block::default();
    while stage.source.read(&mut block, WAIT).unwrap() != Read::Idle {
        block.clear();
    }
    stage.await_used(idle);
    let mut client = stage.client();
    client.post("", b"1\n");
    assert_eq!(stage.take(), b"1\n");
    assert_eq!(client.answer().0, 200);
}

#[test]
fn a_client_that_does_not_read_its_answers_is_given_up() {
    let limits = Limits { idle: SHORT, head: SHORT, ..limits() };
    let stage = Stage::with(limits, SecretOptions::default());
    let mut client = stage.client();
    client.0.set_write_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    let begun = Instant::now();
    // It fails when the other side has closed the connection.
    while client.0.write_all(&request).is_ok() {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(begun.elapsed() < PATIENCE);
}
