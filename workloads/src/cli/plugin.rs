//! `kubectl batchpipe`: the same program under the name by which `kubectl` finds its plugins. Commands about a topic run in
//! a pod of the pipeline, which has its brokers, credentials and network.

use std::{ffi::OsString, path::Path, process::ExitCode};

use clap::{Parser, Subcommand};

use super::{Exit, top};
use crate::{
    error::chain,
    kubectl::{Kubectl, Place},
};

/// The program's name as a plugin.
const NAME: &str = "kubectl-batchpipe";

/// Look at `BatchPipeline` objects and their topics through the API server.
#[derive(Debug, Parser)]
#[command(name = "kubectl batchpipe", version, max_term_width = 100)]
pub struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all pipelines of a cluster in a live table
    Top(top::Args),
    /// Print the records of a pipeline's topic, one per line; takes the flags of batchpipe tap
    Tap(InPod),
    /// Prove that no record is missing in a pipeline's topic; takes the flags of batchpipe audit
    Audit(InPod),
    /// Send a pipeline's dead letters back to its topic; takes the flags of batchpipe redrive
    Redrive(InPod),
}

/// A pipeline, and what its pod is to do.
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "kubectl batchpipe COMMAND [-n NAMESPACE] NAME [FLAGS OF BATCHPIPE COMMAND]",
    after_help = "Exit codes: those of the command in the pod; 1 when the cluster cannot be asked or no pod runs."
)]
struct InPod {
    #[command(flatten)]
    place: Place,
    /// The pipeline, and flags for the command
    #[arg(
        value_name = "NAME",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    name_and_flags: Vec<OsString>,
}

impl Plugin {
    /// Whether the program was called as a plugin.
    pub fn is_meant_by(program: &Path) -> bool {
        program.file_stem().is_some_and(|stem| stem == NAME)
    }

    /// Carries out the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Top(args) => args.run().into(),
            Command::Tap(args) => args.run("tap"),
            Command::Audit(args) => args.run("audit"),
            Command::Redrive(args) => args.run("redrive"),
        }
    }
}

impl InPod {
    fn run(self, command: &str) -> ExitCode {
        let Self { mut place, mut name_and_flags } = self;
        let name = name_and_flags.remove(0).to_string_lossy().into_owned();
        if name.starts_with('-') {
            eprintln!(
                "error: {name} is no flag of kubectl batchpipe {command}; the pipeline's name comes first"
            );
            return Exit::Usage.into();
        }
        let mut args = vec![OsString::from(command)];
        args.extend(place.take_from(name_and_flags));
        match Kubectl::new(place).run_in_pod(&name, &args) {
            Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or_else(
                // Killed by a signal, as we are told to end too.
                || Exit::Failed.into(),
                ExitCode::from,
            ),
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                Exit::Failed.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_tells() {
        for (program, expected) in [
            ("/usr/bin/kubectl-batchpipe", true),
            ("kubectl-batchpipe", true),
            ("/usr/bin/batchpipe", false),
            ("", false),
        ] {
            assert_eq!(Plugin::is_meant_by(Path::new(program)), expected, "{program}");
        }
    }

    #[test]
    fn flags_go_to_the_command_in_the_pod() {
        let args = ["kubectl-batchpipe", "tap", "-n", "prod", "vitals", "--limit", "3", "--help"];
        let plugin = Plugin::try_parse_from(args).unwrap();
        let Command::Tap(InPod { place, name_and_flags }) = plugin.command else { panic!() };
        assert_eq!(place.namespace.as_deref(), Some("prod"));
        assert_eq!(name_and_flags, ["vitals", "--limit", "3", "--help"]);
    }
}
