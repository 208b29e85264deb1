//! What work costs: CPU seconds (user and system) of a thread's work and of a child process. Measures only.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use wait4::{ResUse, Wait4 as _};

/// No contender takes longer for one run, unless it hangs.
const LIMIT: Duration = Duration::from_mins(10);
/// How exactly the end of a child is noticed.
const POLL: Duration = Duration::from_millis(2);

/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

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

/// A process that came to its end.
#[derive(Debug)]
pub(crate) struct Child {
    /// What it printed.
    pub(crate) printed: String,
    /// What it took from its start to its end.
    pub(crate) cost: Cost,
    /// The most memory that it had at once, in bytes.
    pub(crate) peak_bytes: u64,
}

/// Runs a program to its end. What it says is part of the error when it fails, or never ends.
pub(crate) fn of_child(command: &mut Command) -> Result<Child> {
    let name = format!("{command:?}");
    // Files, because a pipe that nobody reads would stop the program.
    let (mut printed, mut errors) = (temporary()?, temporary()?);
    let sink = |file: &File| file.try_clone().context("cannot share a temporary file");
    let wall = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(sink(&printed)?)
        .stderr(sink(&errors)?)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let (used, peak_bytes) = wait(child).with_context(|| format!("cannot wait for {name}"))?;
    let wall_seconds = wall.elapsed().as_secs_f64();
    let printed = read(&mut printed)?;
    let failed = match used {
        Some(used) if used.status.success() => {
            let cpu_seconds = (used.rusage.utime + used.rusage.stime).as_secs_f64();
            let cost = Cost { cpu_seconds, wall_seconds };
            return Ok(Child { printed, cost, peak_bytes });
        }
        Some(used) => format!("ended with {}", used.status),
        None => format!("did not end within {} s", LIMIT.as_secs()),
    };
    // Some say on standard output what went wrong.
    let said = [tail(&printed), tail(&read(&mut errors)?)].join("\n");
    bail!("{name} {failed}:\n{}", said.trim());
}

/// What a child used once it ended, and the most memory that it was seen to have, in bytes; one that does not end is
/// killed.
fn wait(mut child: process::Child) -> std::io::Result<(Option<ResUse>, u64)> {
    let (started, mut looked, mut peak_bytes) = (Instant::now(), None::<Instant>, 0);
    while started.elapsed() < LIMIT {
        if let Some(used) = child.try_wait4()? {
            return Ok((Some(used), peak_bytes));
        }
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            looked = Some(Instant::now());
            peak_bytes = peak_bytes.max(peak(child.id()).unwrap_or(0));
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait4().map(|_| (None, peak_bytes))
}

/// The most memory that a process has had since it began its program. What is known of an ended one counts the memory of
/// this process too, which it was copied from.
fn peak(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn temporary() -> Result<File> {
    tempfile::tempfile().context("cannot make a temporary file")
}

/// CPU seconds of another process so far, in steps of 10 ms.
pub(crate) fn of_process(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    ticks(&text).map(|ticks| ticks / TICKS_PER_SECOND).with_context(|| format!("{path} is unknown"))
}

/// How the kernel counts for `/proc`, whatever it does inside.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time in a line of `/proc/*/stat`, which may have anything in the parentheses.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// What a program wrote.
fn read(file: &mut File) -> Result<String> {
    let mut text = String::new();
    file.rewind().context("cannot read a temporary file")?;
    file.read_to_string(&mut text).context("cannot read a temporary file")?;
    Ok(text)
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_works_costs_more_than_one_that_sleeps() {
        let run = |script| of_child(Command::new("sh").args(["-c", script])).unwrap().cost;
        let busy = run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
        let idle = run("sleep 0.1");
        assert!(busy.cpu_seconds > 10.0 * idle.cpu_seconds, "{busy:?} {idle:?}");
        assert!(idle.wall_seconds >= 0.1);
    }

    #[test]
    fn the_memory_of_a_child_is_its_own() {
        let ballast = vec![1_u8; 64 << 20];
        let child = of_child(Command::new("sleep").arg("0.1")).unwrap();
        assert!(child.peak_bytes > 0 && child.peak_bytes < 16 << 20, "{}", child.peak_bytes);
        assert_eq!(ballast[ballast.len() - 1], 1);
    }

    #[test]
    fn a_child_that_fails_is_an_error_with_its_words() {
        let error =
            of_child(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("broken") && error.to_string().contains('3'), "{error}");
    }

    #[test]
    fn time_of_a_process_is_found_behind_any_name() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 3 4 20 0 1 0 9";
        assert_eq!(ticks(line), Some(300.0));
        assert!(of_process(process::id()).is_ok() && ticks("7 (a) S 1").is_none());
    }

    #[test]
    fn sleeping_costs_a_thread_no_cpu() {
        let sleep = || {
            thread::sleep(Duration::from_millis(50));
            Ok(())
        };
        let cost = of_thread(sleep).unwrap().1;
        assert!(cost.cpu_seconds < 0.02 && cost.wall_seconds >= 0.05, "{cost:?}");
    }
}
