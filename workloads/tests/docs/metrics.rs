//! The table of metrics is what a scrape prints: no more, no less.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use batchpipe_api::report::{PartitionLag, Role};
use batchpipe_workloads::{
    admin::{Side, server::AdminServer, state::State},
    budget::Budget,
    ledger::Ledger,
};

use crate::{assert_none, document, documents};

/// The page of a process with both sides in which nothing has happened.
fn scrape() -> String {
    let side = |role| Side::new(role, Arc::new(Ledger::new()));
    let (producer, consumer) = (side(Role::Producer), side(Role::Consumer));
    producer.set_codec("zstd");
    consumer.set_sink("stdout");
    consumer.lag(PartitionLag {
        messages: Some(0),
        records: Some(0),
        seconds: Some(0.0),
        ..PartitionLag::default()
    });
    let state = State::new(Budget::new(1), vec![producer, consumer]);
    let server = AdminServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), state).unwrap();
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// Names and labels of all samples; of a histogram, its name and those of its labels that are not `le`.
fn samples() -> BTreeSet<(String, String)> {
    let page = scrape();
    let lines = page.lines().filter(|line| line.starts_with("batchpipe_"));
    lines
        .map(|line| {
            let (name, rest) = line.split_once(['{', ' ']).unwrap();
            let labels = rest.split_once('}').map_or("", |(labels, _)| labels);
            let labels = labels.split(',').filter_map(|label| label.split_once('='));
            let labels: Vec<_> =
                labels.map(|(name, _)| name).filter(|it| !matches!(*it, "le" | "side")).collect();
            (family(name).to_owned(), labels.join(", "))
        })
        .collect()
}

fn family(name: &str) -> &str {
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
    base.filter(|base| base.ends_with("_seconds")).unwrap_or(name)
}

#[test]
fn the_table_lists_what_a_scrape_prints() {
    let names: BTreeSet<_> = samples().into_iter().map(|(name, _)| name).collect();
    let listed = document("docs/operations.md").first_cells("metric").into_iter().collect();
    assert_eq!(names, listed);
}

#[test]
fn the_table_names_all_labels() {
    let operations = document("docs/operations.md");
    let mut problems = vec![];
    for (name, labels) in samples().into_iter().filter(|(_, labels)| !labels.is_empty()) {
        let row = operations.prose.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let cell = row.and_then(|row| row.split('|').nth(2)).unwrap_or_default();
        if cell.trim().replace('`', "") != labels {
            problems.push(format!("{name} has labels {labels}, listed:{cell}"));
        }
    }
    assert_none(&problems);
}

#[test]
fn every_metric_that_is_named_anywhere_exists() {
    let known: BTreeSet<_> = samples().into_iter().map(|(name, _)| name).collect();
    let mut problems = vec![];
    for document in documents() {
        let code = document.code();
        // The operator's own are compared with a scrape of the operator, by a test of it.
        let is_ours = |code: &&String| {
            code.starts_with("batchpipe_") && !code.starts_with("batchpipe_operator_")
        };
        let named = code.iter().filter(is_ours);
        for name in named.filter(|name| !known.contains(*name)) {
            problems.push(format!("{}: {name}", document.path.display()));
        }
    }
    assert_none(&problems);
}
