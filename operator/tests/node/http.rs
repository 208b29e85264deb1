//! Records by HTTP in a cluster: a Service leads to the producers, a token comes from a Secret, and a rollout is not
//! noticed by whoever sends.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::support::{Manifest, Pipeline, Side, bed, wait_for};

const TOKEN: &str = "sesame";
/// Longer than a producer may take to end.
const ANSWER_PATIENCE: Duration = Duration::from_mins(1);

/// Sends a record over a new connection; the status of the answer.
pub(super) fn post(address: &str, token: &str, record: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    let length = record.len();
    write!(
        stream,
        "POST /v1/records HTTP/1.1\r\nHost: records\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n\r\n{record}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

#[test]
fn records_by_http_arrive_through_the_service_also_while_the_producer_is_replaced() {
    let Some(bed) = bed() else { return };
    let source =
        json!({"http": {"port": 8000, "bearerToken": {"secret": "http-token", "key": "token"}}});
    let manifest = Manifest::new("by-http")
        .with("/producer/source", source)
        .with("/batch", json!({"linger": "20ms"}));
    let pipeline = Pipeline::apply(bed, &manifest);
    let said = pipeline.await_condition("ProducerReady", "False", "SecretMissing");
    assert!(said.contains("http-token/token"), "{said}");
    let token = format!("--from-literal=token={TOKEN}");
    bed.kubectl(&["create", "secret", "generic", "http-token", &token]);
    pipeline.await_ready();

    let service = bed.find("service/by-http-producer").unwrap();
    let address = format!("{}:8000", service["spec"]["clusterIP"].as_str().unwrap());
    wait_for("the Service to lead to a pod", || {
        post(&address, "wrong", "1").ok().map(|status| assert_eq!(status, 401))
    });
    let before = pipeline.uids(Side::Producer);
    let is_replaced = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut sent = 0_u64;
            while !is_replaced.load(Ordering::Relaxed) {
                let answer = post(&address, TOKEN, &format!("{{\"record\":{sent}}}"));
                assert!(matches!(answer, Ok(200)), "record {sent}: {answer:?}");
                sent += 1;
            }
            sent
        });
        pipeline.patch(&json!({"batch": {"linger": "30ms"}}));
        wait_for("the producer to be replaced, or a refusal", || {
            let gone = pipeline.all_pods(Side::Producer).iter().all(|pod| {
                pod["metadata"]["uid"].as_str().is_none_or(|uid| !before.contains(&uid.to_owned()))
            });
            (gone || client.is_finished()).then_some(())
        });
        is_replaced.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    println!("{sent} records were sent one by one while the producer was replaced");
    pipeline.await_ready();
    wait_for("all records to be printed", || {
        (bed.printed.count("by-http").distinct == sent).then_some(())
    });
    pipeline.finish();
}
