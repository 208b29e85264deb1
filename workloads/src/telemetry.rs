//! Logs: on standard error, for people on a terminal and as JSON for machines elsewhere.
//!
//! What is logged may come from anywhere (a sink's answer, a topic's content), so control characters never
//! reach the terminal and one event is always one line.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal},
};

use tracing::{Subscriber, field::Field, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt,
    filter::ParseError,
    fmt::{
        MakeWriter,
        format::{Writer, debug_fn},
    },
};

/// Variables that say what is logged; the first that is set counts.
const VARIABLES: [&str; 2] = ["BATCHPIPE_LOG", "RUST_LOG"];
/// librdkafka tells of each connection; who wants that asks for it by name.
const QUIET: &str = "librdkafka=warn,rdkafka=warn";

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A variable does not hold a filter.
    #[error(
        "{variable} is {found:?}, which is no log filter; write for example info or batchpipe=debug"
    )]
    Filter {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        found: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sets up logging for the process. `json` decides the form; without it, a terminal decides. `level` holds
/// unless `BATCHPIPE_LOG` or `RUST_LOG` says otherwise.
pub fn init(json: Option<bool>, level: LevelFilter) -> Result<(), TelemetryError> {
    let is_terminal = io::stderr().is_terminal();
    let has_colours =
        is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let is_json = json.unwrap_or(!is_terminal);
    let form = if is_json { Form::Json } else { Form::Text { has_colours } };
    let filter = filter(level, |variable| std::env::var(variable).ok())?;
    tracing::subscriber::set_global_default(subscriber(form, filter, io::stderr))
        .map_err(|error| TelemetryError::Twice(error.into()))
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Json,
    Text { has_colours: bool },
}

fn filter(
    level: LevelFilter,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<EnvFilter, TelemetryError> {
    let set = VARIABLES.into_iter().find_map(|name| Some((name, variable(name)?)));
    let Some((name, found)) = set.filter(|(_, found)| !found.trim().is_empty()) else {
        return Ok(EnvFilter::new(format!("{QUIET},{level}")));
    };
    // Later directives win over earlier ones for the same target, so these are only defaults.
    EnvFilter::try_new(format!("{QUIET},{found}")).map_err(|source| TelemetryError::Filter {
        variable: name,
        found,
        source,
    })
}

fn subscriber<W>(form: Form, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match form {
        Form::Json => Box::new(builder.json().flatten_event(true).with_ansi(false).finish()),
        Form::Text { has_colours } => {
            let fields = debug_fn(write_field).delimited(" ");
            Box::new(builder.with_ansi(has_colours).fmt_fields(fields).finish())
        }
    }
}

/// Writes a field of an event or a span: `message` bare, others as `name=value`.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let mut escaped = Escaped(writer);
    match field.name() {
        "message" => write!(escaped, "{value:?}"),
        name => write!(escaped, "{name}={value:?}"),
    }
}

/// Lets through what may be shown on a terminal, and writes control characters as their escapes. The library
/// does this for messages, but not for values shown by their `Display`.
struct Escaped<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            let end = part.chars().next_back().filter(|last| last.is_control());
            self.0.write_str(&part[..part.len() - end.map_or(0, char::len_utf8)])?;
            if let Some(control) = end {
                write!(self.0, "{}", control.escape_default())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn no_variable(_: &str) -> Option<String> {
        None
    }

    fn logged(form: Form, filter: EnvFilter, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(form, filter, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn info() -> EnvFilter {
        filter(LevelFilter::INFO, no_variable).unwrap()
    }

    #[test]
    fn json_events_are_one_object_a_line() {
        let text = logged(Form::Json, info(), || tracing::info!(topic = "t\n\u{1b}[31m", "joined"));
        let event: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(event["topic"], "t\n\u{1b}[31m");
        assert_eq!(event["message"], "joined");
        assert_eq!((event["level"].as_str(), text.lines().count()), (Some("INFO"), 1));
    }

    #[test]
    fn text_from_elsewhere_can_neither_forge_a_line_nor_steer_the_terminal() {
        let evil = "x\r\n2026 ERROR forged\u{1b}[2J\u{7}\u{9b}31m";
        let text = logged(Form::Text { has_colours: false }, info(), || {
            let span = tracing::info_span!("span", outer = %evil);
            span.in_scope(|| tracing::info!(evil, shown = %evil, debugged = ?evil, "{evil}"));
        });
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    }

    #[test]
    fn text_events_read_well() {
        let text = logged(Form::Text { has_colours: false }, info(), || {
            tracing::info!(topic = "t", partition = 3, "joined");
        });
        assert!(text.ends_with("joined topic=\"t\" partition=3\n"), "{text}");
    }

    #[test]
    fn the_kafka_client_is_quiet_unless_it_is_asked_for() {
        let log = || {
            tracing::info!(target: "librdkafka", "chatter");
            tracing::warn!(target: "librdkafka", "trouble");
            tracing::info!("ours");
        };
        let text = Form::Text { has_colours: false };
        let found = logged(text, info(), log);
        assert!(!found.contains("chatter") && found.contains("trouble") && found.contains("ours"));
        let asked = |_: &str| Some("info,librdkafka=info".to_owned());
        let found = logged(text, filter(LevelFilter::ERROR, asked).unwrap(), log);
        assert!(found.contains("chatter") && found.contains("ours"));
    }

    #[test]
    fn our_own_variable_comes_first() {
        let both =
            |name: &str| Some(if name == "BATCHPIPE_LOG" { "error" } else { "trace" }.to_owned());
        let found = filter(LevelFilter::INFO, both).unwrap();
        assert_eq!(found.max_level_hint(), Some(LevelFilter::WARN), "librdkafka may warn");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let broken = |name: &str| (name == "RUST_LOG").then(|| "a=b=c".to_owned());
        let error = filter(LevelFilter::INFO, broken).unwrap_err();
        assert!(error.to_string().starts_with("RUST_LOG is \"a=b=c\""), "{error}");
    }
}
