//! Rights, alerts and values in the documents are the chart's.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::table::{Table, codes, file, set};

/// Every list below a key in a template's rules, in order: `[a, b]`.
fn lists<'a>(text: &'a str, key: &str) -> Vec<Vec<&'a str>> {
    let list = Regex::new(&format!(r"(?m)^ *(?:- )?{key}: \[([^\]]*)\]$")).unwrap();
    let found = list.captures_iter(text).map(|found| found.extract::<1>().1[0]);
    found.map(|items| items.split(',').map(str::trim).collect()).collect()
}

/// The verbs of each resource that the operator's roles name.
fn rights() -> BTreeMap<String, BTreeSet<String>> {
    let mut rights: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for template in ["_rules.tpl", "role-lease.yaml"] {
        let text = file(&format!("charts/batchpipe/templates/{template}"));
        let (resources, verbs) = (lists(&text, "resources"), lists(&text, "verbs"));
        assert_eq!(resources.len(), verbs.len(), "{template}");
        for (resources, verbs) in resources.into_iter().zip(verbs) {
            for resource in resources {
                rights.entry(resource.to_owned()).or_default().extend(set(verbs.iter().copied()));
            }
        }
    }
    assert!(rights.len() > 10, "{rights:?}");
    rights
}

#[test]
fn the_table_of_rights_is_that_of_the_roles_and_names_a_step_for_each() {
    let mut listed = BTreeMap::new();
    for row in Table::of("docs/kubernetes.md", "resources").rows() {
        let verbs: BTreeSet<_> = row[1].split(", ").map(str::to_owned).collect();
        assert!(!row[2].is_empty(), "{row:?}");
        listed.extend(codes(&row[0]).into_iter().map(|resource| (resource, verbs.clone())));
    }
    assert_eq!(listed, rights());
}

#[test]
fn the_table_of_alerts_is_that_of_the_chart() {
    let template = file("charts/batchpipe/templates/prometheusrule.yaml");
    let alert = Regex::new(r"(?m)^ *- alert: (\w+)$").unwrap();
    let made = set(alert.captures_iter(&template).map(|found| found.extract::<1>().1[0]));
    assert!(made.len() > 5, "{made:?}");
    let table = Table::of("docs/operations.md", "alert");
    assert_eq!(table.codes(0), made);
    for row in table.rows() {
        assert!(row[2].len() > 20, "what to do about it? {row:?}");
    }
}

#[test]
fn every_value_that_is_named_exists() {
    let values: Value = serde_saphyr::from_str(&file("charts/batchpipe/values.yaml")).unwrap();
    let exists = |path: &str| values.pointer(&format!("/{}", path.replace('.', "/"))).is_some();
    assert!(!exists("no.such"));
    for path in Table::of("docs/kubernetes.md", "value").codes(0) {
        assert!(exists(&path), "{path}");
    }
    let set = Regex::new(r"--set '?([\w.]+)=").unwrap();
    for document in ["README.md", "docs/kubernetes.md", "scripts/try"] {
        let text = file(document);
        for [path] in set.captures_iter(&text).map(|found| found.extract().1) {
            assert!(exists(path), "{document}: {path}");
        }
    }
}

#[test]
fn the_first_pipeline_is_applied_to_the_namespace_that_the_installation_looks_after() {
    let watched = Regex::new(r"'watchNamespaces=\{([\w-]+)\}'").unwrap();
    for document in ["README.md", "docs/kubernetes.md"] {
        let text = file(document);
        let [namespace] = watched.captures(&text).unwrap().extract().1;
        assert!(text.contains(&format!("kubectl create namespace {namespace}\n")), "{document}");
        let apply = text.lines().find(|line| line.contains("apply -f examples/telemetry.yaml"));
        let is_named = apply.unwrap().contains(&format!("-n {namespace} "));
        let current = format!("kubectl config set-context --current --namespace {namespace}\n");
        assert!(is_named || text.contains(&current), "{document}: {apply:?}");
    }
}

#[test]
fn the_page_names_the_children_that_are_built() {
    let table = Table::of("docs/kubernetes.md", "child");
    let listed: BTreeSet<_> = table.rows().map(|row| row[0].clone()).collect();
    let kind = Regex::new(r"(?m)^kind: (\w+)$").unwrap();
    let mut built = BTreeSet::new();
    for golden in ["telemetry", "everything", "files", "rebatch"] {
        let text = file(&format!("operator/tests/golden/{golden}.yaml"));
        built.extend(set(kind.captures_iter(&text).map(|found| found.extract::<1>().1[0])));
    }
    assert_eq!(listed, built);
}
