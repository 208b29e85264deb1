//! What can go wrong with a testbed, said so that a reader of a test log can act on it.

use std::{fmt, io, path::PathBuf};

/// Why something could not be started or used.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program that the machine must have is missing.
    #[error("`{program}` was not found on PATH; install {package}, or run scripts/install-needs")]
    MissingProgram {
        /// The command.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A file, folder or process could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program ran and failed.
    #[error("`{command}` ended with {status}:\n{output}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it printed.
        output: String,
    },
    /// The wanted port is taken, or no port is free.
    #[error("port {port} of 127.0.0.1 cannot be used; stop what listens there or choose another")]
    Port {
        /// The port.
        port: u16,
        /// Why it cannot be used.
        source: io::Error,
    },
    /// A server ended or did not answer in time.
    #[error("{name} {reason}; its log is {} and ends with:\n{tail}", log.display())]
    Start {
        /// The server.
        name: &'static str,
        /// What happened instead.
        reason: String,
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// A server is not in the state that the call needs.
    #[error("{name} is {found}, but must be {wanted} for this call")]
    State {
        /// The server.
        name: &'static str,
        /// The state it is in.
        found: &'static str,
        /// The state that the call needs.
        wanted: &'static str,
    },
    /// A server did not end when it was asked to.
    #[error("{name} did not stop within {seconds} s of SIGTERM and was killed")]
    Stop {
        /// The server.
        name: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// A key or certificate could not be made.
    #[error("cannot make the certificate of {subject}")]
    Certificate {
        /// Whose it is.
        subject: String,
        /// What failed.
        source: rcgen::Error,
    },
    /// The broker could not be asked.
    #[error("no answer from the broker at {address} to {request}")]
    Call {
        /// The broker.
        address: String,
        /// The request's name.
        request: &'static str,
        /// What failed.
        source: io::Error,
    },
    /// The broker refused a request.
    #[error("the broker at {address} refused {request} of {subject}: {reason}")]
    Refused {
        /// The broker.
        address: String,
        /// The request's name.
        request: &'static str,
        /// The topic.
        subject: String,
        /// Kafka's error code, and its words where it has any.
        reason: String,
    },
    /// A change was accepted but did not become visible.
    #[error("the broker at {address} accepted {request} of {subject}, which shows no effect yet")]
    NoEffect {
        /// The broker.
        address: String,
        /// The request's name.
        request: &'static str,
        /// The topic.
        subject: String,
    },
}

/// As `Display` with its causes: tests unwrap, and must not show a log as one escaped line.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Adds what was tried to an `io::Error`.
pub(crate) trait Context<T> {
    fn context(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T, Error> {
        self.map_err(|error| Error::Io { action, path: path.into(), source: error.into() })
    }
}
