//! A Python interpreter that has a Kafka client, for the programs that other clients are tried with.

use std::{path::Path, path::PathBuf, process::Command};

use crate::{Result, process};

/// The interpreter of the tests' virtual environment, which is made at the first call.
pub fn python() -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/python-venv");
    let printed = process::run(&mut Command::new(script))?;
    Ok(PathBuf::from(printed.trim_end()))
}
