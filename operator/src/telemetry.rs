//! Logs: on standard error, for people on a terminal and as JSON for machines elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError};

/// Variables that say what is logged; the first that is set counts.
const VARIABLES: [&str; 2] = ["BATCHPIPE_LOG", "RUST_LOG"];
/// kube tells of each request that fails; what matters of that is logged once, with the pipeline that it concerns.
const QUIET: &str = "info,kube_client=off,kube_runtime=off";

/// A variable does not hold a filter.
#[derive(Debug, thiserror::Error)]
#[error(
    "{variable} is {found:?}, which is no log filter; write for example info or batchpipe_operator=debug"
)]
pub struct FilterError {
    variable: &'static str,
    found: String,
    #[source]
    source: ParseError,
}

/// Sets up logging for the process.
pub fn init() -> Result<(), FilterError> {
    let filter = filter(|name| std::env::var(name).ok())?;
    let is_terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if is_terminal {
        builder.init();
    } else {
        builder.json().flatten_event(true).with_ansi(false).init();
    }
    Ok(())
}

fn filter(variable: impl Fn(&str) -> Option<String>) -> Result<EnvFilter, FilterError> {
    let set = VARIABLES.into_iter().find_map(|name| Some((name, variable(name)?)));
    let Some((variable, found)) = set.filter(|(_, found)| !found.trim().is_empty()) else {
        return Ok(EnvFilter::new(QUIET));
    };
    // Later directives win over earlier ones, so these are only defaults.
    EnvFilter::try_new(format!("{QUIET},{found}")).map_err(|source| FilterError {
        variable,
        found,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = filter(|name| (name == "RUST_LOG").then(|| "a=b=c".to_owned())).unwrap_err();
        assert!(error.to_string().starts_with("RUST_LOG is \"a=b=c\""), "{error}");
    }

    #[test]
    fn the_client_library_is_quiet_unless_it_is_asked_for() {
        assert!(filter(|_| None).unwrap().to_string().contains("kube_client=off"));
        let asked = filter(|_| Some("kube_client=debug".to_owned())).unwrap().to_string();
        assert!(asked.contains("kube_client=debug"), "{asked}");
    }
}
