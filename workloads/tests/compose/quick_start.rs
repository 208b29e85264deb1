//! README's quick start with docker compose: each of its lines, in its order, and what must be so in between.

use std::fs;

use crate::{project::Project, root};

const CONSUMER: &str = "curl --silent --show-error --fail http://127.0.0.1:8082/status";
const PRODUCER: &str = "curl --silent --show-error --fail http://127.0.0.1:8081/status";
const READY: &str = "curl --silent --fail http://127.0.0.1:8081/readyz";

/// The lines of README's block.
fn lines() -> [String; 9] {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut blocks = readme.split("```sh\n").filter_map(|rest| rest.split("```").next());
    let block = blocks.find(|block| block.starts_with("docker compose up")).unwrap();
    let lines: Vec<_> = block.lines().map(str::to_owned).collect();
    lines.try_into().unwrap()
}

#[test]
fn records_flow_through_a_restart_of_kafka_and_in_the_end_nothing_is_left() {
    let Some(project) = Project::start() else { return };
    project.docker.stand_in_for_kafka().unwrap();
    let [up, until_consuming, logs, status, stop, start, until_producing, audit, down] = lines();

    project.run(&up);
    project.run(&until_consuming);
    project
        .until("a record in the consumer's log", || is_record(project.run(&logs).lines().last()));
    project.until("records at the consumer", || project.json(&status)["delivered"] != 0);
    a_killed_producer_is_started_again(&project);

    project.run(&stop);
    project.until("a producer that misses Kafka", || !project.outcome(READY).status.success());
    let before = delivered(&project);
    project.run(&start);
    project.run(&until_producing);
    project.until("records after the restart", || delivered(&project) > before + 1000);

    project.run(&audit);
    let report = project.json(&format!("{audit} --json"));
    assert_eq!((&report["missing"], &report["duplicated"]), (&0.into(), &0.into()), "{report}");
    assert_eq!((&report["corrupt"], &report["unverified"]), (&0.into(), &0.into()), "{report}");
    assert!(report["records"].as_u64().unwrap() > before, "{report}");
    assert_eq!(project.json(CONSUMER)["deadLettered"], 0);

    project.run(&down);
    for list in ["container ls --all", "volume ls", "network ls --filter type=custom"] {
        assert_eq!(project.run(&format!("docker {list} --quiet")), "", "{list}");
    }
}

fn delivered(project: &Project) -> u64 {
    project.json(CONSUMER)["delivered"].as_u64().unwrap()
}

/// Whether a line of a log ends with a record of the origin's kind.
fn is_record(line: Option<&str>) -> bool {
    let record = line.and_then(|line| Some(&line[line.find('{')?..]));
    let record = record.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    record.is_some_and(|record| ["id", "value", "name"].iter().all(|key| !record[key].is_null()))
}

fn a_killed_producer_is_started_again(project: &Project) {
    let uptime = || project.json(PRODUCER)["uptimeSeconds"].as_f64().unwrap();
    let before = uptime();
    project.run(
        "kill -KILL $(docker inspect --format '{{.State.Pid}}' $(docker compose ps -q producer))",
    );
    project.until("a producer once more", || project.outcome(READY).status.success());
    project.until("a new producer", || uptime() < before);
}

/// Debian's is of the generation before the one that [`crate::file`] asks.
#[test]
fn the_compose_of_this_machine_takes_the_file_too() {
    let Some(project) = Project::start() else { return };
    let config = "docker compose --profile observe config --services";
    let printed = project.run(config);
    let mut services: Vec<_> = printed.lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["consumer", "grafana", "kafka", "producer", "prometheus"]);
}
