//! The chart's README, notes and metadata say what is so.

use std::{fmt::Write, fs};

use batchpipe_api::validate::check_value;
use serde_json::Value;

use super::{
    helm::{EVERYTHING, chart, chart_file, chart_yaml, helm, render},
    values::settings,
};

/// Compares the part of the README between two markers, or writes it when asked to.
#[track_caller]
fn compare(marker: &str, expected: &str) {
    let text = chart_file("README.md");
    let (begin, end) = (format!("<!-- {marker} -->\n"), format!("<!-- end of {marker} -->"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (found, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("BLESS").is_some() {
        fs::write(chart().join("README.md"), [before, &begin, expected, &end, after].concat())
            .unwrap();
        return;
    }
    assert!(
        found == expected,
        "README.md: {marker} are not as they should be; run `make generate`"
    );
}

fn values_table() -> String {
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    for setting in settings() {
        let comment = setting.comment.trim_end_matches('.');
        writeln!(table, "| `{}` | `{}` | {comment} |", setting.path, setting.default).unwrap();
    }
    table
}

fn rules_table() -> String {
    let objects = render(&["clusterWide=true"]);
    let roles = objects.all("ClusterRole");
    let role = roles.iter().find(|it| it["metadata"]["name"] == "batchpipe-system-batchpipe");
    let texts = |list: &Value, quote: &str| {
        let items = list.as_array().unwrap().iter();
        let quoted: Vec<String> =
            items.map(|it| format!("{quote}{}{quote}", it.as_str().unwrap())).collect();
        quoted.join(", ")
    };
    let mut table = "| resources | verbs |\n|---|---|\n".to_owned();
    for rule in role.unwrap()["rules"].as_array().unwrap() {
        let (resources, verbs) = (texts(&rule["resources"], "`"), texts(&rule["verbs"], ""));
        writeln!(table, "| {resources} | {verbs} |").unwrap();
    }
    table
}

// One test, because both parts are in one file.
#[test]
fn the_readme_lists_all_values_and_rules() {
    compare("values", &values_table());
    compare("rules", &rules_table());
}

#[test]
fn the_readme_lists_all_alerts_with_their_severity() {
    let objects = render(&EVERYTHING);
    let groups = objects.one("PrometheusRule")["spec"]["groups"].as_array().unwrap().clone();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let mut rows: Vec<String> = rules
        .filter_map(|rule| {
            let severity = rule["labels"]["severity"].as_str()?;
            Some(format!("| `{}` | {severity} |", rule["alert"].as_str()?))
        })
        .collect();
    let readme = chart_file("README.md");
    let listed = readme.lines().filter(|line| line.starts_with("| `BatchPipe"));
    let mut listed: Vec<String> = listed
        .map(|line| line.splitn(4, '|').take(3).collect::<Vec<_>>().join("|") + "|")
        .collect();
    rows.sort();
    listed.sort();
    assert_eq!(listed, rows);
}

#[test]
fn versions_are_those_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let metadata = chart_yaml("Chart.yaml");
    assert_eq!((&metadata["version"], &metadata["appVersion"]), (&version.into(), &version.into()));
    let images = metadata["annotations"]["artifacthub.io/images"].as_str().unwrap().to_owned();
    for text in [images, chart_file("README.md")] {
        assert!(text.contains(&format!("batchpipe-operator:{version}")), "{text}");
        assert!(text.contains(&format!("batchpipe-workload:{version}")), "{text}");
    }
    let dockerfile = chart_file("../../Dockerfile");
    assert!(dockerfile.contains(&format!("ARG VERSION={version}\n")));
}

#[test]
fn the_images_are_those_that_the_dockerfile_makes() {
    let dockerfile = chart_file("../../Dockerfile");
    let readme = chart_file("README.md");
    for target in ["workload", "operator"] {
        assert!(dockerfile.contains(&format!("FROM base AS {target}\n")), "{target}");
        assert!(
            readme.contains(&format!("docker build --target {target} --tag batchpipe-{target}:"))
        );
    }
}

#[test]
fn the_metadata_has_the_names_of_the_definition() {
    let metadata = chart_yaml("Chart.yaml");
    let listed = metadata["annotations"]["artifacthub.io/crds"].as_str().unwrap();
    let listed: Value = serde_saphyr::from_str(listed).unwrap();
    let crd = chart_yaml("crds/batchpipelines.yaml");
    assert_eq!(listed[0]["name"], crd["metadata"]["name"]);
    assert_eq!(listed[0]["kind"], crd["spec"]["names"]["kind"]);
    assert_eq!(listed[0]["version"], crd["spec"]["versions"][0]["name"]);
}

#[test]
fn the_example_of_the_metadata_is_a_valid_pipeline() {
    let metadata = chart_yaml("Chart.yaml");
    let examples = metadata["annotations"]["artifacthub.io/crdsExamples"].as_str().unwrap();
    let examples: Vec<Value> = serde_saphyr::from_str(examples).unwrap();
    for example in examples {
        assert_eq!(check_value(example.clone()).err(), None, "{example}");
    }
}

/// What helm prints after the installation of a release in the namespace `pipes`.
fn notes(setting: &str) -> String {
    let folder = chart();
    let args = ["install", "batchpipe", folder.to_str().unwrap(), "--dry-run=client"];
    let output = helm(&[&args[..], &["--namespace", "pipes", "--set", setting]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_once("NOTES:").unwrap().1.to_owned()
}

/// The namespaces that printed commands about pipelines name; empty: that of whoever types them.
fn namespaces_of_pipelines(notes: &str) -> Vec<&str> {
    let commands = notes.lines().map(str::trim);
    let commands = commands
        .filter(|line| line.starts_with("kubectl apply ") || line.starts_with("kubectl get bp"));
    let commands = commands.map(|line| {
        let mut words = line.split(' ').skip_while(|word| *word != "-n").skip(1);
        words.next().unwrap_or_default()
    });
    commands.collect()
}

#[test]
fn the_printed_commands_reach_a_namespace_that_is_looked_after() {
    let default = notes("replicas=1");
    assert_eq!(namespaces_of_pipelines(&default), ["pipes", "pipes"], "{default}");
    let others = notes("watchNamespaces={telemetry,trading}");
    assert_eq!(namespaces_of_pipelines(&others), ["telemetry", "telemetry"], "{others}");
    let all = notes("clusterWide=true");
    assert_eq!(namespaces_of_pipelines(&all), ["", ""], "{all}");
}

#[test]
fn the_notes_tell_the_next_command_and_how_the_crd_is_upgraded() {
    let notes = notes("rbac.create=false");
    assert!(notes.contains("kubectl -n pipes rollout status deployment/batchpipe"), "{notes}");
    assert!(notes.contains("pipelines of pipes."), "{notes}");
    assert!(notes.contains("kubectl apply --server-side --force-conflicts -f -"), "{notes}");
    assert!(notes.contains("No roles were made"), "{notes}");
}
