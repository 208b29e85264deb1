//! What work costs: CPU seconds (user and system) of a thread's work and of a child process. Measures only.

use std::{
    fs::File,
    io::Read as _,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use wait4::Wait4 as _;

/// What some work took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    pub(crate) wall_seconds: f64,
}

impl Cost {
    /// What is left when another cost, of starting say, is taken away.
    pub(crate) fn less(self, other: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - other.cpu_seconds,
            wall_seconds: self.wall_seconds - other.wall_seconds,
        }
    }
}

/// Runs work in this thread.
pub(crate) fn of_thread<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Cost)> {
    let (cpu, wall) = (thread_seconds()?, Instant::now());
    let result = work()?;
    let wall_seconds = wall.elapsed().as_secs_f64();
    Ok((result, Cost { cpu_seconds: thread_seconds()? - cpu, wall_seconds }))
}

/// CPU seconds of this thread so far, in nanosecond steps.
fn thread_seconds() -> Result<f64> {
    let path = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {path}; the kernel must count CPU time"))?;
    let nanos: u32 = 1_000_000_000;
    let spent = text.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    Ok(spent.with_context(|| format!("{path} does not begin with a number"))? / f64::from(nanos))
}

/// Runs a program to its end; returns what it printed. What it says on standard error is part of the error
/// when it fails.
pub(crate) fn of_child(command: &mut Command) -> Result<(String, Cost)> {
    let name = format!("{command:?}");
    // A file, because a pipe that nobody reads would stop the program.
    let mut errors = tempfile::tempfile().context("cannot make a temporary file")?;
    let sink: File = errors.try_clone().context("cannot share a temporary file")?;
    let wall = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(sink)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let mut printed = String::new();
    child
        .stdout
        .take()
        .expect("the output was asked for as a pipe")
        .read_to_string(&mut printed)
        .with_context(|| format!("cannot read what {name} prints"))?;
    let used = child.wait4().with_context(|| format!("cannot wait for {name}"))?;
    let wall_seconds = wall.elapsed().as_secs_f64();
    if !used.status.success() {
        bail!("{name} ended with {}:\n{}", used.status, tail(&mut errors)?);
    }
    let cpu_seconds = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok((printed, Cost { cpu_seconds, wall_seconds }))
}

/// The last lines of what a program said.
fn tail(errors: &mut File) -> Result<String> {
    use std::io::Seek as _;
    let mut text = String::new();
    errors.rewind().context("cannot read a temporary file")?;
    errors.read_to_string(&mut text).context("cannot read a temporary file")?;
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(20)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_works_costs_more_than_one_that_sleeps() {
        let run = |script| of_child(Command::new("sh").args(["-c", script])).unwrap().1;
        let busy = run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
        let idle = run("sleep 0.1");
        assert!(busy.cpu_seconds > 10.0 * idle.cpu_seconds, "{busy:?} {idle:?}");
        assert!(idle.wall_seconds >= 0.1);
    }

    #[test]
    fn a_child_that_fails_is_an_error_with_its_words() {
        let error =
            of_child(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("broken") && error.to_string().contains('3'), "{error}");
    }

    #[test]
    fn sleeping_costs_a_thread_no_cpu() {
        let sleep = || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            Ok(())
        };
        let cost = of_thread(sleep).unwrap().1;
        assert!(cost.cpu_seconds < 0.02 && cost.wall_seconds >= 0.05, "{cost:?}");
    }
}
