//! Images under the names that our files ask for, made of files of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::Docker;
use crate::{
    Result,
    error::Context,
    images,
    jars::{self, Jars},
    process,
};

const DISTROLESS: &str = "gcr.io/distroless/cc-debian13:nonroot";
const KAFKA: &str = "apache/kafka:4.3.1";

const FILES: &str = include_str!("../../assets/docker/kafka-files.sh");
const RUN: &str = include_str!("../../assets/docker/kafka-run.sh");
const LOGGING: &str = include_str!("../../assets/docker/kafka-log4j2.yaml");

/// As in the original: who runs, what it runs, and which folders are volumes.
const KAFKA_CONFIGURATION: [&str; 3] = [
    "USER 1000",
    r#"CMD ["/etc/kafka/docker/run"]"#,
    r#"VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]"#,
];

impl Docker {
    /// An image that holds what `program` needs beside itself and nothing else, no shell either, under the name of the
    /// base of our images.
    pub fn stand_in_for_distroless(&self, program: &Path) -> Result<()> {
        let file = self.write("distroless.tar", &images::base(program)?)?;
        self.import(&file, DISTROLESS, &["USER 65532:65532"])
    }

    /// The same Kafka as in `apache/kafka` with a Java and a bash of this machine, under that image's name. Its settings
    /// come from the same environment by the same class, and its data is in the same place.
    pub fn stand_in_for_kafka(&self) -> Result<()> {
        let own = self.folder().join("kafka");
        fs::create_dir_all(&own).context("create", &own)?;
        self.write("kafka/run.sh", RUN.as_bytes())?;
        self.write("kafka/log4j2.yaml", LOGGING.as_bytes())?;
        let archive = self.folder().join("kafka.tar");
        let mut script = Command::new("sh");
        script.args(["-c", FILES, "files"]).arg(Jars::get()?.libs()).arg(jars::java());
        process::run(script.arg(own).arg(&archive))?;
        self.import(&archive, KAFKA, &KAFKA_CONFIGURATION)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::write(&path, bytes).context("write", &path)?;
        Ok(path)
    }

    fn import(&self, archive: &Path, name: &str, changes: &[&str]) -> Result<()> {
        let changes: Vec<_> = changes.iter().map(|change| format!("--change '{change}'")).collect();
        let changes = changes.join(" ");
        self.run(&format!("docker import {changes} {} {name}", archive.display()))?;
        fs::remove_file(archive).context("remove", archive)
    }
}
