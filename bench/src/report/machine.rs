//! Where and when was measured: the machine, the date, the versions of what is not a contender.

use std::{
    process::Command,
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};

use crate::contenders::Version;

/// The machine and the moment.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// The load of the last minute, before anything was measured.
    pub(crate) load: String,
    pub(crate) date: String,
}

impl Machine {
    /// Looks at this machine.
    pub(crate) fn look() -> Result<Self> {
        let processors = read("/proc/cpuinfo")?;
        let memory = read("/proc/meminfo")?;
        let load = read("/proc/loadavg")?;
        let kib = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
        let kib: u64 = kib.context("/proc/meminfo does not tell MemTotal")?;
        Ok(Self {
            processor: field(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_gib: kib >> 20,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            date: today()?,
        })
    }

    /// One for tests.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            processor: text("a processor"),
            cores: 2,
            memory_gib: 8,
            kernel: text("6.1"),
            load: text("0.10"),
            date: text("2026-11-26"),
        }
    }
}

/// What is in none of the contenders' own lists.
pub(crate) fn versions() -> Vec<Version> {
    let toolchain = include_str!("../../../rust-toolchain.toml");
    let rust = toolchain.split('"').nth(1).unwrap_or("unknown").to_owned();
    let mut all = vec![
        Version { what: "Apache Kafka", version: batchpipe_testbed::KAFKA.to_owned() },
        Version { what: "Rust", version: rust },
    ];
    // A copy without its history has no commit to tell.
    let mut git = Command::new("git");
    git.args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"]);
    if let Some(commit) = git.output().ok().filter(|it| it.status.success()) {
        let version = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
        all.push(Version { what: "commit of BatchPipe", version });
    }
    all
}

fn today() -> Result<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is wrong")?;
    let seconds = i64::try_from(since.as_secs()).context("the clock is wrong")?;
    let now = jiff::Timestamp::from_second(seconds).context("the clock is wrong")?;
    Ok(now.to_string().chars().take_while(|letter| *letter != 'T').collect())
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// The value of the first `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_kernels_files_are_found() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC\nMemTotal:       100 kB\n";
        assert_eq!(field(text, "model name"), Some("AMD EPYC"));
        assert_eq!((field(text, "MemTotal"), field(text, "model")), (Some("100 kB"), None));
    }

    #[test]
    fn a_date_is_year_month_and_day() {
        let date = today().unwrap();
        assert!(date.len() == 10 && date.starts_with("20"), "{date}");
    }
}
