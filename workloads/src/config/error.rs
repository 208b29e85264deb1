//! Why a configuration cannot be used, in words for whoever wrote it.

use std::{ffi::OsString, fmt::Write as _, path::PathBuf};

use batchpipe_api::validate::{MAX_TEXT_BYTES, Violation};

use super::PIPELINE_VARIABLE;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is none.
    #[error("no pipeline given: name a file with -f, or put the pipeline into {PIPELINE_VARIABLE}")]
    None,
    /// There is none, and it is not said either where Kafka is.
    #[error(
        "no brokers given: name them with --brokers (KAFKA_BROKER), or name a file with a pipeline with -f"
    )]
    NoBrokers,
    /// Addresses of brokers that are none.
    #[error("--brokers (KAFKA_BROKER) cannot be used: {0}")]
    Brokers(String),
    /// There is none, and it is not said either which topic is meant.
    #[error(
        "no topic given: name it with --topic (KAFKA_TOPIC), or name a file with a pipeline with -f"
    )]
    NoTopic,
    /// A topic that is none.
    #[error("--topic (KAFKA_TOPIC) cannot be used: {0}")]
    Topic(String),
    /// The file cannot be read.
    #[error("cannot read {path}, which -f names")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no text.
    #[error("{origin} is not text in UTF-8; a BatchPipeline in YAML or JSON was expected")]
    NotText {
        /// Where it came from.
        origin: String,
    },
    /// It is too long to be a pipeline.
    #[error(
        "{origin} has more than {MAX_TEXT_BYTES} bytes; a BatchPipeline in YAML or JSON was expected"
    )]
    TooLarge {
        /// Where it came from.
        origin: String,
    },
    /// It breaks rules.
    #[error("{origin} is not a valid pipeline:{}", list(.violations))]
    Invalid {
        /// Where it came from.
        origin: String,
        /// What is wrong.
        violations: Vec<Violation>,
    },
    /// It can run in Kubernetes only.
    #[error("{origin} cannot be run like this:{}", list(.violations))]
    Misplaced {
        /// Where it came from.
        origin: String,
        /// What stands in the way.
        violations: Vec<Violation>,
    },
    /// What a flag or a variable puts in the place of a field breaks rules.
    #[error("{name} cannot be used for {field}{}", about(field, .violations))]
    Override {
        /// The flag and the variable.
        name: &'static str,
        /// The field that they take the place of.
        field: &'static str,
        /// What is wrong.
        violations: Vec<Violation>,
    },
    /// What a flag or a variable holds is none of the values that its field may have.
    #[error("{name} cannot be used for {field}: must be one of {expected} (found {found:?})")]
    Choice {
        /// The flag and the variable.
        name: &'static str,
        /// The field that they take the place of.
        field: &'static str,
        /// What they hold.
        found: String,
        /// What they may hold.
        expected: String,
    },
    /// A variable that is on or off is neither.
    #[error("{name} must be 0 or 1 (found {found:?})")]
    Switch {
        /// The variable.
        name: &'static str,
        /// What it holds.
        found: OsString,
    },
    /// A field asks for something that cannot be had here.
    #[error("{path}: {problem}")]
    Field {
        /// The field.
        path: &'static str,
        /// Why not, and what to do.
        problem: String,
    },
    /// Another process has what a field asks for. Nothing is wrong with the configuration: it can be used when
    /// that process has ended.
    #[error("{path} cannot be used now")]
    Taken {
        /// The field.
        path: &'static str,
        /// Who has it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// One violation of the field itself needs no list, and its path is said already.
fn about(field: &str, violations: &[Violation]) -> String {
    match violations {
        [one] if one.path == field => {
            let bare = Violation { path: String::new(), ..one.clone() };
            format!(": {bare}")
        }
        _ => format!(":{}", list(violations)),
    }
}

fn list(violations: &[Violation]) -> String {
    violations.iter().fold(String::new(), |mut text, violation| {
        write!(text, "\n  {violation}").expect("a String takes everything");
        text
    })
}
