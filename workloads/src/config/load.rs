//! Reads a pipeline and puts into it what flags and variables say.

use std::{env::VarError, fs::File, io::Read, path::Path};

use batchpipe_api::{
    pipeline::BatchPipeline,
    spec::compression::Transport,
    validate::{MAX_TEXT_BYTES, check, check_text, locally},
};

use super::{ConfigError, PIPELINE_VARIABLE, insecurities};

/// What stands for standard input in the place of a file.
pub const STANDARD_INPUT: &str = "-";
const BROKERS: &str = "--brokers or KAFKA_BROKER";
const TOPIC: &str = "--topic or KAFKA_TOPIC";
const TRANSPORT: &str = "--transport or COMPRESSION_CODEC";

/// What flags and variables put in the place of the file's fields.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `kafka.bootstrapServers`.
    pub brokers: Option<String>,
    /// `topic.name`.
    pub topic: Option<String>,
    /// `compression.transport`.
    pub transport: Option<String>,
}

/// A pipeline and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The pipeline; it follows all rules.
    pub pipeline: BatchPipeline,
    /// The file or the variable.
    pub origin: String,
}

impl Loaded {
    /// The pipeline, if a process outside Kubernetes can run it; warns when others could listen to it.
    pub fn for_this_process(self) -> Result<BatchPipeline, ConfigError> {
        let violations = locally(&self.pipeline);
        if violations.is_empty() {
            for warning in insecurities(&self.pipeline) {
                tracing::warn!("{warning}");
            }
            Ok(self.pipeline)
        } else {
            Err(ConfigError::Misplaced { origin: self.origin, violations })
        }
    }
}

/// Reads a pipeline from a file, or else from the environment, and applies the overrides.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Loaded, ConfigError> {
    let (origin, text) = match file {
        Some(path) if path == Path::new(STANDARD_INPUT) => {
            let origin = "standard input".to_owned();
            let text = text_of(std::io::stdin().lock(), path, &origin)?;
            (origin, text)
        }
        Some(path) => {
            let origin = path.display().to_string();
            let file = File::open(path).map_err(|source| unreadable(path, source))?;
            let text = text_of(file, path, &origin)?;
            (origin, text)
        }
        None => (PIPELINE_VARIABLE.to_owned(), variable()?),
    };
    match check_text(&text) {
        Ok(pipeline) => Ok(Loaded { pipeline: apply(pipeline, overrides)?, origin }),
        Err(violations) => Err(ConfigError::Invalid { origin, violations }),
    }
}

/// Reads no more than a pipeline may have: the path may be that of a device or a pipe.
fn text_of(input: impl Read, path: &Path, origin: &str) -> Result<String, ConfigError> {
    let mut bytes = Vec::new();
    input
        .take(MAX_TEXT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| unreadable(path, source))?;
    let origin = || origin.to_owned();
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(ConfigError::TooLarge { origin: origin() });
    }
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText { origin: origin() })
}

fn unreadable(path: &Path, source: std::io::Error) -> ConfigError {
    ConfigError::Read { path: path.to_owned(), source }
}

/// An empty variable is what an unset one looks like in many tools.
fn variable() -> Result<String, ConfigError> {
    match std::env::var(PIPELINE_VARIABLE) {
        Ok(text) if text.trim().is_empty() => Err(ConfigError::None),
        Ok(text) => Ok(text),
        Err(VarError::NotPresent) => Err(ConfigError::None),
        Err(VarError::NotUnicode(_)) => {
            Err(ConfigError::NotText { origin: PIPELINE_VARIABLE.to_owned() })
        }
    }
}

/// One after the other, so that the one that breaks a rule can be named.
fn apply(mut pipeline: BatchPipeline, overrides: &Overrides) -> Result<BatchPipeline, ConfigError> {
    if let Some(brokers) = &overrides.brokers {
        pipeline.spec.kafka.bootstrap_servers = Some(brokers.clone());
        pipeline.spec.kafka.strimzi = None;
        accept(&pipeline, BROKERS, "spec.kafka.bootstrapServers")?;
    }
    if let Some(topic) = &overrides.topic {
        pipeline.spec.topic.name = Some(topic.clone());
        accept(&pipeline, TOPIC, "spec.topic.name")?;
    }
    if let Some(found) = &overrides.transport {
        let field = "spec.compression.transport";
        pipeline.spec.compression.transport =
            Transport::from_name(found).ok_or_else(|| ConfigError::Choice {
                name: TRANSPORT,
                field,
                found: found.clone(),
                expected: Transport::ALL.map(Transport::name).join(", "),
            })?;
        accept(&pipeline, TRANSPORT, field)?;
    }
    Ok(pipeline)
}

fn accept(
    pipeline: &BatchPipeline,
    name: &'static str,
    field: &'static str,
) -> Result<(), ConfigError> {
    let violations = check(pipeline);
    if violations.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Override { name, field, violations })
    }
}
