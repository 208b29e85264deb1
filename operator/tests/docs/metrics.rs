//! The table of the operator's metrics is what a scrape prints: no more, no less.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use batchpipe_api::status::Phase;
use batchpipe_operator::{
    admin::{self, Admin, Stage},
    client::Instruments,
};
use regex::Regex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::table::{Table, codes, file};

const PAGE: &str = "docs/operations.md";

/// What a process answers in which everything that is counted has happened once.
async fn answer(path: &str) -> String {
    let instruments = Instruments::default();
    let metrics = &instruments.metrics;
    metrics.reconciled("changed", Duration::ZERO);
    metrics.failed("Forbidden");
    metrics.phase(None, Some(Phase::Running));
    metrics.watch_restarted("Deployment");
    metrics.request("list", "200");
    let (_stage, staged) = watch::channel(Stage::Starting("not yet".to_owned()));
    let listener = admin::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = admin::serve(listener, Admin { instruments, stage: staged }, stop.clone());
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stop.cancel();
        text
    });
    tokio::join!(served, asked).1.unwrap()
}

fn scrape() -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let text = runtime.block_on(answer("/metrics"));
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text
}

/// Type and labels of each family, by the name of its samples.
fn families() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = scrape();
    let kind = Regex::new(r"(?m)^# TYPE (batchpipe_\w+) (\w+)$").unwrap();
    let mut families = BTreeMap::new();
    for [name, kind] in kind.captures_iter(&text).map(|found| found.extract().1) {
        let ending = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let name = format!("{name}{ending}");
        let sample = Regex::new(&format!(r"(?m)^{name}(?:_bucket)?\{{([^}}]*)\}}")).unwrap();
        let labels = sample.captures(&text).map_or_else(BTreeSet::new, |found| labels(&found[1]));
        families.insert(name, (kind.to_owned(), labels));
    }
    families
}

fn labels(text: &str) -> BTreeSet<String> {
    let names = text.split(',').filter_map(|label| label.split_once('='));
    names.map(|(name, _)| name.to_owned()).filter(|name| name != "le").collect()
}

#[test]
fn the_table_lists_what_a_scrape_prints_with_types_and_labels() {
    let table = Table::of(PAGE, "metric of the operator");
    let listed: BTreeMap<_, _> = table
        .rows()
        .map(|row| {
            (codes(&row[0])[0].clone(), (row[1].clone(), codes(&row[2]).into_iter().collect()))
        })
        .collect();
    assert_eq!(listed, families());
}

#[test]
fn every_metric_of_the_operator_that_is_named_anywhere_exists() {
    let known = families();
    for document in ["docs/operations.md", "docs/kubernetes.md", "docs/architecture.md"] {
        for code in codes(&file(document)).iter().filter(|it| it.starts_with("batchpipe_operator_"))
        {
            assert!(known.contains_key(code), "{document}: {code}");
        }
    }
}

#[test]
fn the_admin_server_answers_what_the_table_lists() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let begins = |path: &str| {
        let text = runtime.block_on(answer(path));
        text.split(' ').nth(1).unwrap().to_owned()
    };
    let expected = [("/livez", "200"), ("/metrics", "200"), ("/readyz", "503")];
    for (path, code) in expected {
        assert_eq!(begins(path), code, "{path}");
    }
    let listed = Table::of(PAGE, "path of the operator").codes(0);
    assert_eq!(listed, expected.iter().map(|(path, _)| (*path).to_owned()).collect());
    assert_eq!(begins("/status"), "404");
}
