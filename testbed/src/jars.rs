//! Apache Kafka's own jars, from Maven Central through `mvn`, and the command lines of their classes.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, cache, error::Context, process};

/// The version of Apache Kafka.
pub const KAFKA: &str = "4.3.1";
pub(crate) const NAME: &str = "kafka-4.3.1";
const POM: &str = include_str!("../assets/pom.xml");
const LOGGING: &str = include_str!("../assets/log4j2.properties");

const CLASSES: &str = "kafka.jsa";

/// Only the plugin's version is fixed here; which jars there are is the pom's matter.
pub(crate) const COPY: &str =
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// The smallest settings that the storage tool accepts.
const TO_FORMAT: &str = "process.roles=broker,controller\nnode.id=1\n\
    controller.quorum.voters=1@127.0.0.1:9\ncontroller.listener.names=CONTROLLER\n\
    listeners=PLAINTEXT://127.0.0.1:8,CONTROLLER://127.0.0.1:9\n\
    listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n";

/// What keeps a JVM small. A class archive only fits the collector that it was made with.
const SMALL: [&str; 2] = ["-XX:+UseSerialGC", "-XX:-UsePerfData"];

/// For what runs a short while: compiling it well costs more than it gives.
pub(crate) const COMPILE_LITTLE: &str = "-XX:TieredStopAtLevel=1";

/// The cached folder of jars.
#[derive(Debug, Clone)]
pub(crate) struct Jars {
    folder: PathBuf,
}

impl Jars {
    /// Downloads them unless they are there.
    pub(crate) fn get() -> Result<Self> {
        process::require(&java())?;
        let stamp = [POM, COPY, LOGGING, TO_FORMAT].join("\n");
        let folder = cache::once(NAME, &stamp, |aside| Self { folder: aside.into() }.build())?;
        Ok(Self { folder })
    }

    /// The folder of the jars themselves.
    pub(crate) fn libs(&self) -> PathBuf {
        self.folder.join("libs")
    }

    /// A command that runs `class` with these options for the JVM, which is kept small.
    pub(crate) fn command(&self, class: &str, jvm: &[&str]) -> Command {
        self.started(&[&SMALL, jvm].concat(), self.libs().join("*").as_os_str(), class)
    }

    /// A command that runs a class of a folder beside the jars, in a JVM with these options alone.
    pub(crate) fn program(&self, folder: &Path, class: &str, jvm: &[&str]) -> Command {
        let mut path = folder.as_os_str().to_owned();
        path.push(":");
        path.push(self.libs().join("*"));
        self.started(jvm, &path, class)
    }

    fn started(&self, jvm: &[&str], path: &OsStr, class: &str) -> Command {
        let logging = self.folder.join("log4j2.properties");
        let mut command = Command::new(java());
        command.args(jvm).arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
        command.arg("-cp").arg(path).arg(class);
        command
    }

    /// A command for a class that only runs for a moment.
    pub(crate) fn tool(&self, class: &str) -> Command {
        self.command(class, &[COMPILE_LITTLE, "-Dbatchpipe.log=ERROR"])
    }

    /// The file of classes as the JVM keeps them in memory, made by `train` unless it is there.
    ///
    /// It more than halves what a start costs. It is made apart from the jars because it names the folder
    /// that they lie in, and it is made again for another JVM.
    pub(crate) fn classes(train: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let version = process::run(Command::new(java()).arg("--version"))?;
        let name = format!("{NAME}/classes");
        let folder = cache::once(&name, &version, |aside| train(&aside.join(CLASSES)))?;
        Ok(folder.join(CLASSES))
    }

    /// A storage folder as the storage tool leaves it.
    pub(crate) fn formatted(&self) -> PathBuf {
        self.folder.join("formatted")
    }

    fn build(&self) -> Result<()> {
        let pom = self.write("pom.xml", POM)?;
        self.write("log4j2.properties", LOGGING)?;
        copy_dependencies(&pom)?;
        self.format()
    }

    /// Formats once: each broker copies the result, which spares it the start of a second JVM.
    fn format(&self) -> Result<()> {
        let settings = format!("{TO_FORMAT}log.dirs={}\n", self.formatted().display());
        let path = self.write("format.properties", &settings)?;
        let mut tool = self.tool("kafka.tools.StorageTool");
        tool.args(["format", "--ignore-formatted", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"]);
        process::run(tool.arg(path)).map(drop)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text).context("write", &path)?;
        Ok(path)
    }
}

/// Downloads the jars that a pom names, and those that they need, into the folder `libs` beside it.
pub(crate) fn copy_dependencies(pom: &Path) -> Result<()> {
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", COPY, "-DoutputDirectory=libs", "-DincludeScope=runtime"]);
    process::run(maven.arg("-f").arg(pom)).map(drop)
}

/// The program `java`: that of `JAVA_HOME`, else the one on `PATH`.
pub(crate) fn java() -> PathBuf {
    env::var_os("JAVA_HOME").map_or_else(|| "java".into(), |home| Path::new(&home).join("bin/java"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_jars() {
        assert_eq!(NAME, format!("kafka-{KAFKA}"));
        assert_eq!(POM.matches(&format!("<version>{KAFKA}</version>")).count(), 2);
    }
}
