//! The table of variables is that of the command line; commands of the operator exist.

use batchpipe_operator::args::Cli;
use clap::CommandFactory;

use super::table::{Table, codes, file, set};

const PAGE: &str = "docs/operations.md";

#[test]
fn the_table_lists_all_variables() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let of_flags = run.get_arguments().filter_map(clap::Arg::get_env);
    let of_flags = of_flags.map(|name| name.to_str().unwrap());
    let logging = ["BATCHPIPE_LOG", "RUST_LOG"];
    let listed = Table::of(PAGE, "variable of the operator").codes(0);
    assert_eq!(listed, set(of_flags.chain(logging)));
}

#[test]
fn defaults_in_the_table_are_those_of_the_flags() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let table = Table::of(PAGE, "variable of the operator");
    for argument in run.get_arguments() {
        let Some(default) = argument.get_default_values().first().and_then(|it| it.to_str()) else {
            continue;
        };
        let variable = argument.get_env().and_then(|it| it.to_str()).unwrap();
        let row = table.rows().find(|row| codes(&row[0])[0] == variable).unwrap();
        let is_named = variable == "POD_NAME" || row[1].contains(default);
        assert!(is_named, "{variable}: {default} is not in {row:?}");
    }
}

#[test]
fn every_command_of_the_operator_exists() {
    let known: Vec<_> =
        Cli::command().get_subcommands().map(|it| it.get_name().to_owned()).collect();
    let mut seen = 0;
    for code in codes(&file(PAGE)) {
        if let Some(rest) = code.strip_prefix("batchpipe-operator ") {
            assert!(known.iter().any(|it| it == rest), "{code}");
            seen += 1;
        }
    }
    assert_eq!(seen, known.len());
}
