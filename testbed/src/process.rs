//! Running other programs: found or named as missing, with their output in the error when they fail.

use std::{
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::{Error, Result, error::Context};

/// How to get a program that is missing.
fn package_of(program: &str) -> &'static str {
    match Path::new(program).file_name().and_then(|name| name.to_str()) {
        Some("go") => "Go 1.26 or newer (Debian's golang is older)",
        Some("java") => "openjdk-17-jre-headless",
        Some("javac") => "openjdk-17-jdk-headless",
        Some("mvn") => "maven",
        Some("dockerd" | "docker") => "docker.io",
        Some("docker-compose") => "docker-compose",
        Some("ip") => "iproute2",
        Some("mount") => "mount",
        Some("unshare" | "nsenter" | "setpriv") => "util-linux",
        Some("runc") => "runc",
        Some("iptables") => "iptables",
        Some("gcc") => "gcc and libc6-dev",
        Some("python3") => "python3 and python3-venv",
        _ => "it",
    }
}

/// Fails when there is no such program: what a shell says of it later would be lost in a log.
pub(crate) fn require(program: &Path) -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Root's programs, which we find all the same.
    let roots = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut places = env::split_paths(&path).chain(roots).map(|folder| folder.join(program));
    if places.any(|place| place.is_file()) {
        return Ok(());
    }
    let program = program.display().to_string();
    Err(Error::MissingProgram { package: package_of(&program), program })
}

/// The error for a program that could not be started.
pub(crate) fn not_started(command: &Command, source: io::Error) -> Error {
    let program = command.get_program().to_string_lossy().into_owned();
    if source.kind() == io::ErrorKind::NotFound {
        return Error::MissingProgram { package: package_of(&program), program };
    }
    Error::Io { action: "start", path: PathBuf::from(program), source }
}

/// Runs `command` to its end and returns what it printed on standard output.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().map_err(|source| not_started(command, source))?;
    printed(command, &output)
}

/// As [`run`], with `input` on standard input, all of which is written before any output is read.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| not_started(command, source))?;
    let pipe = child.stdin.take();
    let written = pipe.map_or(Ok(()), |mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().context("wait for", command.get_program())?;
    // A program that fails at once reads nothing: then its own words say more than a broken pipe.
    let text = printed(command, &output)?;
    written.context("write to", command.get_program())?;
    Ok(text)
}

fn printed(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(failed(command, output))
}

fn failed(command: &Command, output: &Output) -> Error {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let command = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let printed = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let output_text = String::from_utf8_lossy(&printed).into_owned();
    Error::Command { command, status: output.status, output: output_text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = run(&mut Command::new("/nowhere/java")).unwrap_err();
        assert!(error.to_string().contains("install openjdk-17-jre-headless"), "{error}");
    }

    #[test]
    fn a_program_is_looked_for_on_the_path_and_by_its_full_name() {
        assert!(require(Path::new("sh")).is_ok() && require(Path::new("/bin/sh")).is_ok());
        assert!(require(Path::new("no-such-program")).is_err());
    }

    #[test]
    fn a_program_gets_its_input_and_says_why_it_refuses_it() {
        assert_eq!(run_with_input(&mut Command::new("cat"), "some text").unwrap(), "some text");
        let mut refusing = Command::new("sh");
        refusing.args(["-c", "exec 0<&-; echo no >&2; exit 1"]);
        let error = run_with_input(&mut refusing, &"x".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().ends_with("no\n"), "{error}");
    }

    #[test]
    fn a_failure_shows_what_the_program_printed() {
        let error =
            run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("out\nerr") && text.contains("exit status: 3"), "{text}");
    }
}
