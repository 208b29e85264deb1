//! Fields, columns, conditions, reasons and phases are those of the CRD and of the lists.

use std::collections::BTreeSet;

use batchpipe_api::{
    conditions::{reasons, types},
    schema,
};
use batchpipe_operator::build::ADMIN_PORT;
use serde_json::Value;

use super::table::{Table, codes, file, set};

const PAGE: &str = "docs/kubernetes.md";

fn status_schema() -> &'static Value {
    &schema::schema()["properties"]["status"]["properties"]
}

fn fields(schema: &Value) -> BTreeSet<String> {
    set(schema.as_object().unwrap().keys().map(String::as_str))
}

#[test]
fn the_table_of_reasons_lists_all_of_them() {
    assert_eq!(Table::of(PAGE, "reason").codes(0), set(reasons::ALL));
}

#[test]
fn each_reason_is_said_to_be_in_conditions_that_exist() {
    let known: Vec<_> =
        types::ALL.iter().copied().chain(["sides", "consumer", "producer"]).collect();
    for row in Table::of(PAGE, "reason").rows() {
        let words = row[1].split(|it: char| !it.is_ascii_alphanumeric());
        let named = words.filter(|word| known.contains(word)).count();
        assert!(named > 0, "{row:?}");
        let types = row[1].split(|it: char| !it.is_ascii_alphanumeric());
        let is_type = |word: &str| word.chars().filter(char::is_ascii_uppercase).count() > 1;
        for word in types.filter(|word| is_type(word)) {
            assert!(known.contains(&word), "{word} in {row:?}");
        }
    }
}

#[test]
fn the_table_of_conditions_lists_all_of_them() {
    assert_eq!(Table::of(PAGE, "type").codes(0), set(types::ALL));
}

#[test]
fn the_table_of_phases_lists_all_of_them() {
    let all = status_schema()["phase"]["enum"].as_array().unwrap();
    let all = set(all.iter().filter_map(Value::as_str));
    assert!(all.contains("Degraded"), "{all:?}");
    assert_eq!(Table::of(PAGE, "phase").codes(0), all);
    let readme = file("README.md");
    let row = readme.lines().find(|line| line.starts_with("| `PHASE` |")).unwrap();
    for phase in all {
        assert!(row.contains(&phase), "{phase} is not in {row}");
    }
}

#[test]
fn the_table_of_the_status_lists_all_fields() {
    let table = Table::of(PAGE, "field");
    assert_eq!(table.codes(0), fields(status_schema()));
    // Of the numbers some are in the table of columns, the others in the row of `data`.
    let columns = Table::of(PAGE, "column");
    let shown = columns.rows().flat_map(|row| codes(&row[1]));
    let shown: Vec<_> = shown.filter_map(|it| Some(it.strip_prefix("data.")?.to_owned())).collect();
    let row = table.rows().find(|row| row[0] == "`data`").unwrap();
    let listed: BTreeSet<_> = shown.into_iter().chain(codes(&row[1])).collect();
    assert_eq!(listed, fields(&status_schema()["data"]["properties"]));
}

#[test]
fn the_fields_of_each_block_exist() {
    for block in ["producer", "scaling", "draining"] {
        let table = Table::of(PAGE, "field");
        let row = table.rows().find(|row| row[0] == format!("`{block}`")).unwrap();
        let known = fields(&status_schema()[block]["properties"]);
        for field in &known {
            assert!(codes(&row[1]).contains(field), "{block}.{field}");
        }
    }
}

#[test]
fn the_tables_of_columns_are_those_of_kubectl() {
    let crd = serde_json::to_value(schema::crd()).unwrap();
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
    let names = set(columns.iter().filter_map(|it| it["name"].as_str()));
    assert_eq!(Table::of(PAGE, "column").codes(0), names);
    let readme = Table::of("README.md", "column").codes(0);
    assert_eq!(readme, names.iter().map(|name| name.to_uppercase()).collect());
}

#[test]
fn fields_of_columns_are_those_that_kubectl_reads() {
    let crd = serde_json::to_value(schema::crd()).unwrap();
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap();
    for row in Table::of(PAGE, "column").rows() {
        let name = &codes(&row[0])[0];
        let column = columns.iter().find(|it| it["name"] == name.as_str()).unwrap();
        let path = column["jsonPath"].as_str().unwrap();
        if let Some(field) = codes(&row[1]).first().filter(|_| !row[1].starts_with("condition")) {
            assert_eq!(path, format!(".status.{field}"), "{name}");
        }
    }
}

#[test]
fn the_port_of_reports_is_named() {
    assert!(file(PAGE).contains(&format!("http://POD:{ADMIN_PORT}/status")));
}
