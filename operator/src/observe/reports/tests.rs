//! One fact each about asking pods, against servers on loopback.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Router, http::header, response::IntoResponse, routing::get};
use batchpipe_api::report::{PartitionLag, Role};
use serde_json::json;

use super::*;
use crate::observe::testing::report;

/// A pod whose server answers so; how often it was asked is counted.
async fn served<R: IntoResponse + Clone + Send + Sync + 'static>(
    answer: R,
) -> (Reports, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let app = Router::new().route(
        "/status",
        get(async move || {
            counter.fetch_add(1, Ordering::SeqCst);
            answer.clone()
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Reports::at_port(port), asked)
}

fn pod(ip: &str) -> Pod {
    let pod = json!({"metadata": {"name": "a", "uid": "u"}, "status": {"podIP": ip}});
    serde_json::from_value(pod).unwrap()
}

fn text() -> String {
    serde_json::to_string(&report(Role::Consumer)).unwrap()
}

#[tokio::test]
async fn a_pod_is_asked_once_within_five_seconds() {
    let (reports, asked) = served(text()).await;
    for _ in 0..3 {
        let answers = reports.of(&[pod("127.0.0.1")]).await;
        assert_eq!(*answers["u"].report, report(Role::Consumer));
        assert!(answers["u"].asked_at <= Timestamp::now());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_pod_that_is_forgotten_is_asked_again() {
    let (reports, asked) = served(text()).await;
    reports.of(&[pod("127.0.0.1")]).await;
    reports.retain(|uid| uid == "u");
    reports.of(&[pod("127.0.0.1")]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    reports.retain(|uid| uid != "u");
    reports.of(&[pod("127.0.0.1")]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_pod_that_answers_something_else_is_unknown_and_left_alone_for_a_while() {
    let (reports, asked) = served((StatusCode::SERVICE_UNAVAILABLE, text())).await;
    for _ in 0..2 {
        assert!(reports.of(&[pod("127.0.0.1")]).await.is_empty());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let (reports, _) = served("{}").await;
    assert!(reports.of(&[pod("127.0.0.1")]).await.is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (target, asked) = served(text()).await;
    let place = format!("http://127.0.0.1:{}/status", target.port);
    let (reports, _) = served((StatusCode::FOUND, [(header::LOCATION, place)])).await;
    assert!(reports.of(&[pod("127.0.0.1")]).await.is_empty());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let (reports, _) = served(format!("{}{}", text(), " ".repeat(MAX_BYTES))).await;
    assert!(reports.of(&[pod("127.0.0.1")]).await.is_empty());
}

#[tokio::test]
async fn a_consumer_of_ten_thousand_partitions_is_heard() {
    let most = |partition| PartitionLag {
        partition,
        asked_at_ms: Some(9_999_999_999_999),
        position: Some(i64::MAX),
        committed: Some(i64::MAX),
        end: Some(i64::MAX),
        messages: Some(u64::MAX),
        records: Some(u64::MAX),
        seconds: Some(1.0 / 3.0 + 1e9),
    };
    let long = Report { lag: (0..10_000).map(most).collect(), ..report(Role::Consumer) };
    let (reports, _) = served(serde_json::to_string(&long).unwrap()).await;
    assert_eq!(reports.of(&[pod("127.0.0.1")]).await["u"].report.lag.len(), 10_000);
}

#[tokio::test]
async fn a_pod_that_accepts_and_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reports = Reports::at_port(listener.local_addr().unwrap().port());
    let started = Instant::now();
    assert!(reports.of(&[pod("127.0.0.1")]).await.is_empty());
    assert!(started.elapsed() >= LONGEST);
}

#[tokio::test]
async fn silent_pods_of_one_pipeline_do_not_delay_what_another_ones_say() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let listener = tokio::net::TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let app = Router::new().route("/status", get(async || text()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (reports, many) = (Arc::new(Reports::at_port(port)), 640);
    let silent_pods: Vec<Pod> = (0..many)
        .map(|number| {
            let mut pod = pod("127.0.0.1");
            pod.metadata.uid = Some(format!("silent-{number}"));
            pod
        })
        .collect();
    let asking = Arc::clone(&reports);
    let mut asked = tokio::spawn(async move { asking.of(&silent_pods).await.len() });
    // The first of them are being asked.
    silent.accept().await.unwrap();
    tokio::select! {
        biased;
        _ = &mut asked => panic!("the silent ones were waited for"),
        answers = async { reports.of(&[pod("127.0.0.2")]).await } => assert_eq!(answers.len(), 1),
    }
    assert_eq!(asked.await.unwrap(), 0);
}

#[tokio::test]
async fn who_was_never_asked_is_asked_before_who_was() {
    let (reports, _) = served(text()).await;
    let long_ago = std::time::Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
    for (uid, age) in [("a", 20), ("b", 10)] {
        reports.lock().note(uid, Heard::Silence, long_ago + Duration::from_secs(20 - age));
    }
    let pods = ["b", "a", "c"].map(|uid| Asked { uid: uid.to_owned(), ip: String::new() });
    let (_, due) = reports.known(pods.into_iter());
    assert_eq!(due.iter().map(|pod| pod.uid.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
}

#[tokio::test]
async fn pods_of_a_side_that_say_more_together_than_can_be_are_heard_up_to_there() {
    let lag = (0..10_000).map(|partition| PartitionLag { partition, ..PartitionLag::default() });
    let long = Report { lag: lag.collect(), ..report(Role::Consumer) };
    let (reports, _) = served(serde_json::to_string(&long).unwrap()).await;
    let pods = ["a", "b", "c", "d"].map(|uid| {
        let mut pod = pod("127.0.0.1");
        pod.metadata.uid = Some(uid.to_owned());
        pod
    });
    for _ in 0..2 {
        // Of ten thousand partitions each, and a little more.
        assert_eq!(reports.of(&pods).await.len(), 2);
    }
}

#[tokio::test]
async fn a_report_full_of_small_things_is_none() {
    let items = vec!["{\"partition\":0}"; 150_000].join(",");
    let answer = text().replace("\"lag\":[]", &format!("\"lag\":[{items}]"));
    assert!(answer.len() > 2_000_000 && answer.len() < MAX_BYTES);
    let (reports, _) = served(answer).await;
    assert!(reports.of(&[pod("127.0.0.1")]).await.is_empty());
}

#[tokio::test]
async fn a_pod_without_address_or_that_has_ended_is_not_asked() {
    let (reports, asked) = served(text()).await;
    let mut ended = pod("127.0.0.1");
    ended.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
    let mut starting = pod("127.0.0.1");
    starting.status.as_mut().unwrap().pod_ip = None;
    assert!(reports.of(&[ended, starting]).await.is_empty());
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn addresses_of_both_families_are_written_as_in_a_url_and_names_are_refused() {
    assert_eq!(uri("10.1.2.3", 8080).unwrap().to_string(), "http://10.1.2.3:8080/status");
    assert_eq!(uri("fd00::1", 8080).unwrap().to_string(), "http://[fd00::1]:8080/status");
    for bad in ["metadata.internal", "10.1.2.3/x", "10.1.2.3:80", ""] {
        assert!(matches!(uri(bad, 8080), Err(AskError::Address(_))), "{bad}");
    }
}
