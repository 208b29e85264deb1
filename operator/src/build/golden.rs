//! What is built of whole pipelines, compared with files that are reviewed when they change. `BLESS=1` writes them anew.

use std::{fs, path::Path};

use serde::Serialize;

use super::{Resources, build, configuration::sorted, fixture};
use crate::decide::Replicas;

fn rendered(resources: &Resources) -> String {
    let mut documents = Vec::new();
    add(&mut documents, &resources.service_accounts);
    add(&mut documents, &resources.topics);
    add(&mut documents, &resources.services);
    add(&mut documents, &resources.network_policies);
    add(&mut documents, &resources.disruption_budgets);
    add(&mut documents, &resources.deployments);
    documents.join("---\n")
}

fn add<T: Serialize>(documents: &mut Vec<String>, objects: &[T]) {
    for object in objects {
        let value = sorted(serde_json::to_value(object).unwrap());
        let text = serde_saphyr::to_string(&value).unwrap();
        documents.push(if text.ends_with('\n') { text } else { format!("{text}\n") });
    }
}

fn compare(name: &str, text: &str) {
    let replicas = Replicas { producer: 1, consumer: 2 };
    let found = rendered(&build(&fixture::pipeline(text), replicas, &fixture::settings()));
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.yaml"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; BLESS=1 writes it anew", path.display());
}

#[test]
fn the_example_is_built_as_it_was() {
    compare("telemetry", fixture::TELEMETRY);
}

#[test]
fn a_pipeline_with_every_option_is_built_as_it_was() {
    compare("everything", fixture::EVERYTHING);
}

#[test]
fn a_pipeline_between_files_is_built_as_it_was() {
    compare("files", fixture::FILES);
}

#[test]
fn a_pipeline_between_topics_is_built_as_it_was() {
    compare("rebatch", fixture::REBATCH);
}
