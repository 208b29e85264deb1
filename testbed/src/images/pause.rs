//! The program that does nothing: compiled once, statically, so that it runs in an image with no other file.

use std::{fs, path::PathBuf, process::Command};

use crate::{Result, cache, error::Context, process};

const SOURCE: &str = include_str!("../../assets/pause.c");

pub(crate) fn program() -> Result<PathBuf> {
    let folder = cache::once("pause", SOURCE, |aside| {
        let source = aside.join("pause.c");
        fs::write(&source, SOURCE).context("write", &source)?;
        let mut gcc = Command::new("gcc");
        gcc.args(["-Os", "-static", "-s", "-Wall", "-Werror", "-o"]).arg(aside.join("pause"));
        process::run(gcc.arg(source)).map(drop)
    })?;
    Ok(folder.join("pause"))
}
