//! A Python interpreter that has a Kafka client, for the programs that other clients are tried with.

use std::{path::Path, path::PathBuf, process::Command};

use crate::{Result, process};

/// The interpreter of the tests' virtual environment, which is made at the first call.
pub fn python() -> Result<PathBuf> {
    interpreter(&mut environments())
}

/// The interpreter of an environment with what a requirements file names, made at the first call for these contents.
pub fn python_with(requirements: &Path) -> Result<PathBuf> {
    interpreter(environments().arg(requirements))
}

fn environments() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/python-venv"))
}

fn interpreter(script: &mut Command) -> Result<PathBuf> {
    let printed = process::run(script)?;
    Ok(PathBuf::from(printed.trim_end()))
}
