//! Everything that is answered has arrived, once and unaltered.

use std::{thread, time::Instant};

use batchpipe_api::codec::Codec;
use batchpipe_testbed::shared_kafka;

use super::{
    client::{Client, Form},
    stage::{Stage, lines},
};
use crate::faults::support::{Tally, read_topic};

const FORMS: [Form; 5] = [
    Form::Lines,
    Form::Array,
    Form::Compressed(Codec::Gzip),
    Form::Compressed(Codec::Zlib),
    Form::Compressed(Codec::Zstd),
];

#[test]
fn what_many_clients_send_arrives_once_byte_for_byte() {
    const TOTAL: usize = 100_000;
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "http-arrival");
    let (records, text) = stage.records(TOTAL);
    let producer = stage.produce();
    let lines = lines(&text);
    let begun = Instant::now();
    thread::scope(|scope| {
        for (number, share) in lines.chunks(TOTAL / 10).enumerate() {
            let mut client = stage.client();
            scope.spawn(move || {
                // Requests of 1 to 1000 records.
                let (mut rest, mut size) = (share, 1);
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(size.min(rest.len()));
                    let answer = client.post_as(FORMS[(number + size) % 5], now).unwrap();
                    let expected = format!("{{\"accepted\":{}}}\n", now.len());
                    assert_eq!((answer.status, answer.body), (200, expected));
                    (rest, size) = (later, size % 997 * 3 + 1);
                }
            });
        }
    });
    println!("{TOTAL} records from 10 clients in {:.1} s", begun.elapsed().as_secs_f64());
    let report = producer.terminate().well();
    assert_eq!((report.accepted, report.delivered), (TOTAL as u64, TOTAL as u64));
    stage.scene.tally_topic(kafka, &records).check_exact("http, arrival");
}

#[test]
fn an_answered_record_is_in_the_topic_at_that_moment() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "http-answered");
    let producer = stage.produce();
    let mut client = stage.client();
    for number in 0..20_u32 {
        let line = format!("{{\"number\" : {number}.0}}");
        assert_eq!(client.post("", line.as_bytes()).unwrap().status, 200);
        let found = read_topic(kafka, &stage.scene.topic);
        let found: Vec<_> = found.iter().map(|message| message.open().1).collect();
        assert!(found.contains(&line.into_bytes()), "{number} was answered too early");
    }
    producer.terminate().well();
}

#[test]
fn a_client_that_does_not_wait_for_its_answer_harms_nobody() {
    let kafka = shared_kafka().unwrap();
    let stage = Stage::new(kafka, "http-gone");
    let (records, text) = stage.records(1000);
    let producer = stage.produce();
    let lines = lines(&text);
    for (number, share) in lines.chunks(10).enumerate() {
        let mut client = Client::connect(stage.address).unwrap();
        client.send("", &share.join(&b'\n')).unwrap();
        if number % 2 == 0 {
            assert_eq!(client.answer().unwrap().status, 200);
        }
    }
    let report = producer.terminate().well();
    // Those of clients that have gone may be there, whole requests of them, and never twice.
    let mut tally = Tally::new(&records);
    for message in read_topic(kafka, &stage.scene.topic) {
        tally.text(&message.open().1);
    }
    tally.check_no_duplicates("http, clients gone");
    let lost = tally.lost();
    let is_of_one_gone = |number: &usize| number / 10 % 2 == 1;
    assert!(lost.iter().all(is_of_one_gone), "answered and lost: {lost:?}");
    assert_eq!(lost.len() % 10, 0, "a request was taken in part");
    println!("{} records of clients that had gone were delivered", report.delivered - 500);
}
