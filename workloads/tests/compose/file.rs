//! The file itself, as the current `docker compose` understands it. Nothing is started.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use batchpipe_testbed::Program;
use serde_json::Value;

use crate::root;

/// All of the file, profiles included, after validation.
fn meaning() -> Value {
    let mut check = Command::new(Program::ComposeCheck.get().unwrap());
    let output = check.arg(root().join("docker-compose.yml")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The services by name.
fn services() -> Vec<(String, Value)> {
    let services = meaning()["services"].as_object().unwrap().clone();
    services.into_iter().collect()
}

fn all<'a>(service: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    service[list].as_array().into_iter().flatten()
}

#[test]
fn the_current_generation_of_compose_takes_it() {
    let always = services().into_iter().filter(|(_, service)| service["profiles"].is_null());
    let names: Vec<_> = always.map(|(name, _)| name).collect();
    assert_eq!(names, ["consumer", "kafka", "producer"]);
}

#[test]
fn the_profile_adds_what_observes() {
    let added = services().into_iter().filter(|(_, service)| service["profiles"][0] == "observe");
    let names: Vec<_> = added.map(|(name, _)| name).collect();
    assert_eq!(names, ["grafana", "prometheus"]);
}

#[test]
fn ports_are_published_on_loopback_only() {
    let mut published = BTreeSet::new();
    for (name, service) in services() {
        for port in all(&service, "ports") {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}");
            assert!(published.insert(port["published"].clone().to_string()), "{name} twice");
        }
    }
    let expected = ["3000", "8081", "8082", "9090", "9094"].map(|port| format!("{port:?}"));
    assert_eq!(published, expected.into());
}

#[test]
fn both_sides_have_the_environment_of_the_origin() {
    for (name, service) in services().into_iter().filter(|(_, it)| !it["build"].is_null()) {
        let environment = &service["environment"];
        assert_eq!(environment["KAFKA_BROKER"], "kafka:9093", "{name}");
        assert_eq!(environment["KAFKA_TOPIC"], "demo-topic", "{name}");
        assert_eq!(environment["COMPRESSION_CODEC"], "lz4", "{name}");
        assert_eq!(service["build"]["target"], "workload", "{name}");
    }
}

#[test]
fn whatever_ends_is_started_again() {
    for (name, service) in services() {
        assert_eq!(service["restart"], "unless-stopped", "{name}");
    }
}

#[test]
fn images_of_others_are_of_one_version() {
    for (name, service) in services().into_iter().filter(|(_, it)| it["build"].is_null()) {
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.split_once(':').unwrap_or_else(|| panic!("{name}: {image}"));
        assert_eq!(tag.matches('.').count(), 2, "{name}: {image}");
    }
}

#[test]
fn every_file_that_is_mounted_is_there() {
    let mut files = 0;
    for (name, service) in services() {
        for mount in all(&service, "volumes").filter(|mount| mount["type"] == "bind") {
            let source = mount["source"].as_str().unwrap();
            assert!(Path::new(source).is_file(), "{name}: {source}");
            assert_eq!(mount["read_only"], true, "{name}: {source}");
            files += 1;
        }
    }
    assert_eq!(files, 6);
}

#[test]
fn prometheus_asks_both_sides_and_says_what_the_dashboard_looks_for() {
    let settings = fs::read_to_string(root().join("compose/prometheus.yml")).unwrap();
    for (name, service) in services().into_iter().filter(|(_, it)| !it["build"].is_null()) {
        let port = all(&service, "ports").next().unwrap()["target"].as_u64().unwrap();
        assert!(settings.contains(&format!("\"{name}:{port}\"")), "{name}");
    }
    let dashboard = root().join("charts/batchpipe/files/dashboards/pipelines.json");
    let dashboard = fs::read_to_string(dashboard).unwrap();
    for label in ["namespace", "pipeline"] {
        assert!(dashboard.contains(&format!(", {label})\"")), "{label}");
        assert!(settings.contains(&format!("\n          {label}: ")), "{label}");
    }
}
