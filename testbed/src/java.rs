//! Java classes of ours that use Kafka's own jars, compiled once with `javac`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Result, cache,
    error::Context,
    jars::{self, Jars},
    process,
};

/// A command that runs the `main` of a class, of which this is the source, with Kafka's jars around it.
///
/// `jvm` are options of the JVM, to which this adds only the class path and the configuration of logs.
pub fn java_program(class: &str, source: &str, jvm: &[&str]) -> Result<Command> {
    let (jars, compiler) = (Jars::get()?, compiler());
    process::require(&compiler)?;
    let version = process::run(Command::new(&compiler).arg("-version"))?;
    let stamp = [source, jars::NAME, &version].join("\n");
    let folder = cache::once(&format!("java-{class}"), &stamp, |aside| {
        let file = aside.join(class).with_extension("java");
        fs::write(&file, source).context("write", &file)?;
        let mut compile = Command::new(&compiler);
        compile.arg("-cp").arg(jars.libs().join("*")).arg("-d").arg(aside);
        process::run(compile.arg(file)).map(drop)
    })?;
    Ok(jars.program(&folder, class, jvm))
}

/// The program `javac`, from the same place as `java`.
fn compiler() -> PathBuf {
    let java = jars::java();
    java.parent().map_or_else(|| Path::new("javac").into(), |folder| folder.join("javac"))
}
