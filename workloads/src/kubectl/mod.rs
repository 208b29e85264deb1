//! The way to the API server: the user's own `kubectl`, which knows contexts, credentials and proxies.
//!
//! Starts it and reads what it prints. What runs in the cluster is looked at, never changed.

mod place;
mod pods;
mod row;

use std::{
    ffi::OsStr,
    io,
    process::{Command, ExitStatus, Stdio},
};

use serde::de::DeserializeOwned;

pub use self::{
    place::Place,
    row::{Key, Row},
};
use self::{pods::Pod, row::List};

/// The variable that names another program than `kubectl`.
pub const PROGRAM_VARIABLE: &str = "KUBECTL";
const PROGRAM: &str = "kubectl";
const RESOURCE: &str = "batchpipelines.batchpipe.dev";
/// The name of the container and of the program in it.
const CONTAINER: &str = "batchpipe";

/// Why the cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum KubectlError {
    /// It could not be started.
    #[error("cannot run {program}; install kubectl, or name it in {PROGRAM_VARIABLE}")]
    Start {
        /// What was to be run.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with an error.
    #[error("{command} failed: {message}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        message: String,
    },
    /// It printed something else than was asked for.
    #[error("{command} printed something unexpected")]
    Answer {
        /// What was run.
        command: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// No pod can be asked.
    #[error(
        "no pod of pipeline {name} runs in namespace {namespace}; see kubectl get bp {name}, or read the topic from \
         here with -f FILE or -b and -t"
    )]
    NoPod {
        /// The pipeline.
        name: String,
        /// Where it was looked for.
        namespace: String,
    },
}

/// `kubectl`, for one context.
#[derive(Clone, Debug)]
pub struct Kubectl {
    place: Place,
}

impl Kubectl {
    /// The one that asks there.
    pub const fn new(place: Place) -> Self {
        Self { place }
    }

    /// All pipelines of the namespace, or of all of them.
    ///
    /// # Errors
    ///
    /// When `kubectl` is missing or fails.
    pub fn pipelines(&self, is_everywhere: bool) -> Result<Vec<Row>, KubectlError> {
        let mut args = vec!["get", RESOURCE];
        args.extend(is_everywhere.then_some("--all-namespaces"));
        let list: List<Row> = self.get(&args)?;
        Ok(list.items)
    }

    /// Runs `batchpipe` with these arguments in a pod of a pipeline, with our standard streams.
    ///
    /// # Errors
    ///
    /// When `kubectl` is missing or fails before, or no pod runs.
    pub fn run_in_pod<A: AsRef<OsStr>>(
        &self,
        pipeline: &str,
        args: &[A],
    ) -> Result<ExitStatus, KubectlError> {
        let selector =
            format!("app.kubernetes.io/name=batchpipe,app.kubernetes.io/instance={pipeline}");
        let list: List<Pod> = self.get(&["get", "pods", "--selector", &selector])?;
        let Some(pod) = pods::best(&list.items) else {
            let namespace = self.place.namespace.as_deref().unwrap_or("of the context").to_owned();
            return Err(KubectlError::NoPod { name: pipeline.to_owned(), namespace });
        };
        let mut command = self.command(&["exec", pod.name(), "--container", CONTAINER, "--"]);
        command.arg(CONTAINER).args(args);
        command.status().map_err(|source| not_started(&command, source))
    }

    fn get<T: DeserializeOwned>(&self, args: &[&str]) -> Result<T, KubectlError> {
        let mut command = self.command(args);
        let output = command.arg("--output=json").stdin(Stdio::null()).output();
        let output = output.map_err(|source| not_started(&command, source))?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(KubectlError::Failed { command: text(&command), message });
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|source| KubectlError::Answer { command: text(&command), source })
    }

    fn command(&self, args: &[&str]) -> Command {
        // An empty variable is what an unset one looks like in many tools.
        let program = std::env::var_os(PROGRAM_VARIABLE).filter(|name| !name.is_empty());
        let mut command = Command::new(program.unwrap_or_else(|| PROGRAM.into()));
        command.args(self.place.flags()).args(args);
        command
    }
}

fn not_started(command: &Command, source: io::Error) -> KubectlError {
    let program = command.get_program().to_string_lossy().into_owned();
    KubectlError::Start { program, source }
}

/// What was run, as a person would write it.
fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
