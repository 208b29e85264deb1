//! Commands, flags, variables and `make` targets in the documents exist.

use std::{collections::BTreeSet, fs, process::Command};

use batchpipe_workloads::{cli::Cli, config, process};
use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::{assert_none, document, documents, markdown::Document, root, shell};

/// Flags of other programs that documents name: cargo's.
const OF_OTHERS: [&str; 1] = ["--lib"];

/// All commands in a document: lines of `sh` blocks, and code in the text that starts a program.
fn commands(document: &Document) -> Vec<Vec<String>> {
    let lines = document.blocks_in("sh").map(str::to_owned).chain(document.code());
    lines.flat_map(|text| shell::commands(&text)).collect()
}

fn is_batchpipe(program: &str) -> bool {
    program == "batchpipe" || program.ends_with("/batchpipe")
}

/// What is wrong with a command line of ours, if anything.
fn complaint(words: &[String]) -> Option<String> {
    // Capitals stand for what users fill in, and a help flag keeps what is right from being wanted in full.
    let words = words.iter().map(|word| match word.as_str() {
        "N" | "R" => "1",
        "BROKERS" => "broker:9092",
        word => word,
    });
    let error = Cli::try_parse_from(words.chain(["--help"])).err()?;
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!is_help).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn subcommands() -> BTreeSet<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

fn flags() -> BTreeSet<String> {
    let mut command = Cli::command();
    command.build();
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let flags = all.flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long);
    flags.map(|flag| format!("--{flag}")).collect()
}

#[test]
fn every_command_line_is_accepted() {
    let mut problems = vec![];
    for document in documents() {
        for words in commands(&document).iter().filter(|words| is_batchpipe(&words[0])) {
            if let Some(why) = complaint(words) {
                let path = document.path.display();
                problems.push(format!("{path}: {}: {why}", words.join(" ")));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn a_wrong_command_line_is_noticed() {
    for line in ["batchpipe destroy", "batchpipe run --fast", "batchpipe consume --limit many"] {
        assert!(complaint(&shell::commands(line)[0]).is_some(), "{line}");
    }
    assert_eq!(complaint(&shell::commands("target/release/batchpipe run -f x.yaml")[0]), None);
}

#[test]
fn every_flag_that_is_named_alone_exists() {
    let (known, mut problems) = (flags(), vec![]);
    for document in documents() {
        let code = document.code();
        let alone = code.iter().filter_map(|code| code.split(' ').next());
        let alone = alone.filter(|word| !OF_OTHERS.contains(word));
        for flag in alone.filter(|word| word.starts_with("--") && !known.contains(*word)) {
            problems.push(format!("{}: no command has {flag}", document.path.display()));
        }
    }
    assert_none(&problems);
}

#[test]
fn the_table_lists_all_commands_and_no_other() {
    let listed = document("README.md").first_cells("command");
    let listed: BTreeSet<_> =
        listed.iter().filter_map(|cell| cell.split(' ').nth(1)).map(str::to_owned).collect();
    assert_eq!(listed, subcommands());
}

#[test]
fn the_table_lists_all_variables() {
    let command = Cli::command();
    let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let of_flags = arguments.filter_map(clap::Arg::get_env).map(|name| name.to_str().unwrap());
    let others = [
        config::PIPELINE_VARIABLE,
        config::SECRETS_VARIABLE,
        config::HTTP_TIMEOUT_VARIABLE,
        process::STAY_VARIABLE,
    ];
    let elsewhere = ["BATCHPIPE_LOG", "RUST_LOG", "NO_COLOR", "BATCHPIPE_CACHE"];
    let known: BTreeSet<_> = of_flags.chain(others).chain(elsewhere).map(str::to_owned).collect();
    let listed: BTreeSet<_> = document("README.md").first_cells("variable").into_iter().collect();
    assert_eq!(listed, known);
}

#[test]
fn every_make_target_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let known: BTreeSet<_> = makefile.lines().filter_map(|line| line.split_once(':')).collect();
    let exists = |target: &str| known.iter().any(|(name, _)| *name == target);
    let mut problems = vec![];
    for document in documents() {
        let commands = commands(&document);
        let targets = commands.iter().filter(|words| words[0] == "make").flat_map(|it| &it[1..]);
        for target in targets.filter(|target| !exists(target)) {
            problems.push(format!("{}: no target {target}", document.path.display()));
        }
    }
    assert_none(&problems);
}

#[test]
fn make_help_lists_every_target_that_people_run() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets = makefile.lines().find_map(|line| line.strip_prefix(".PHONY:")).unwrap();
    let mut make = Command::new("make");
    // What a make around this test would tell its own makes.
    make.arg("help").current_dir(root()).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    let output = make.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let names = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let listed: BTreeSet<_> = printed.lines().filter_map(names).collect();
    let wanted = targets.split_whitespace().filter(|target| *target != "needs");
    assert_eq!(listed, wanted.map(str::to_owned).collect());
    for line in printed.lines() {
        assert!(line.split_whitespace().count() > 1, "{line:?} says nothing of its target");
    }
}

#[test]
fn every_crate_that_cargo_is_asked_for_exists() {
    let members = ["api", "workloads", "operator", "testbed", "bench"];
    let members = members.map(|folder| format!("batchpipe-{folder}"));
    let mut problems = vec![];
    for document in documents() {
        let commands = commands(&document);
        for words in commands.iter().filter(|words| words[0] == "cargo") {
            let named = words.windows(2).filter(|pair| pair[0] == "-p").map(|pair| &pair[1]);
            let unknown = named.filter(|name| !members.contains(name));
            problems.extend(unknown.map(|name| format!("{}: {name}", document.path.display())));
        }
    }
    assert_none(&problems);
}
