//! Strimzi's operators and the Kafka that they run, as images, made from checkouts: there is no registry to have them
//! from. The first build takes minutes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::java;
use crate::{
    Image, Result, cache,
    error::Context,
    jars::{self, Jars},
    process,
};

const BUILD: &str = include_str!("../../assets/strimzi/build.sh");
const IMAGES: &str = include_str!("../../assets/strimzi/images.sh");
const POMS: &str = include_str!("../../assets/strimzi/poms.py");

/// The names of the images.
pub(super) const OPERATOR: &str = "batchpipe.local/strimzi-operator:dev";
pub(super) const KAFKA: &str = "batchpipe.local/strimzi-kafka:dev";

/// Who runs in them, as in Strimzi's own.
const USER: &str = "1001";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const JAVA: &str = "JAVA_HOME=/usr/lib/jvm/jre";

/// What lies in the sources for those who install Strimzi.
const MANIFESTS: &str = "packaging/install/cluster-operator";

/// Strimzi, built.
#[derive(Debug)]
pub struct Strimzi {
    folder: PathBuf,
}

impl Strimzi {
    /// Builds the newest commits of two git folders, of Strimzi and of Apache Kafka, unless that was done before. It
    /// needs root, a JDK of 21 or newer, Maven Central and Debian's packages.
    pub fn build(strimzi: &Path, kafka: &Path) -> Result<Self> {
        let java = java::development_kit()?;
        for program in ["git", "mvn", "python3", "tar", "unzip"] {
            process::require(program.as_ref())?;
        }
        let jars = Jars::get()?;
        let release = java.join("release");
        let release = fs::read_to_string(&release).context("read", release)?;
        let commits = [head(strimzi)?, head(kafka)?].join("\n");
        let stamp = [&*commits, &release, jars::NAME, BUILD, IMAGES, POMS].join("\n");
        let folder = cache::once("strimzi", &stamp, |aside| {
            eprintln!("building Strimzi once, which takes minutes");
            let scripts = write_scripts(aside)?;
            let script = |name: &str| {
                let mut bash = Command::new("bash");
                bash.arg(scripts.join(name)).env("JAVA_HOME", &java);
                bash
            };
            process::run(script("build.sh").arg(strimzi).arg(aside).arg(&scripts))?;
            let mut images = script("images.sh");
            images.arg(aside).arg(kafka).arg(jars.libs()).arg(&scripts);
            process::run(&mut images)?;
            tidy(aside)
        })?;
        Ok(Self { folder })
    }

    /// The images of its operators and of Kafka.
    pub(super) fn images(&self) -> Result<[Image; 2]> {
        let layers = |own: &str| ["base.tar", own].map(|layer| self.folder.join(layer));
        let operator = config("/opt/strimzi", &["STRIMZI_HOME=/opt/strimzi".to_owned()]);
        let kafka = config(
            "/opt/kafka",
            &[
                "KAFKA_HOME=/opt/kafka".to_owned(),
                format!("KAFKA_VERSION={}", jars::KAFKA),
                "KAFKA_EXPORTER_HOME=/opt/kafka-exporter".to_owned(),
                "JMX_EXPORTER_HOME=/opt/prometheus-jmx-exporter".to_owned(),
                "CRUISE_CONTROL_HOME=/opt/cruise-control".to_owned(),
            ],
        );
        Ok([
            Image::of_layers(OPERATOR, &operator, &layers("operator.tar"))?,
            Image::of_layers(KAFKA, &kafka, &layers("kafka.tar"))?,
        ])
    }

    /// The files that install it, as its sources have them.
    pub(super) fn manifests(&self) -> PathBuf {
        self.folder.join("manifests")
    }
}

fn config(home: &str, environment: &[String]) -> Value {
    let common = [PATH.to_owned(), JAVA.to_owned(), "STRIMZI_VERSION=dev".to_owned()];
    let environment = [&common, environment].concat();
    json!({"User": USER, "WorkingDir": home, "Env": environment})
}

/// The commit that is checked out.
fn head(git: &Path) -> Result<String> {
    process::run(Command::new("git").arg("--git-dir").arg(git).args(["rev-parse", "HEAD"]))
}

fn write_scripts(aside: &Path) -> Result<PathBuf> {
    let folder = aside.join("scripts");
    fs::create_dir(&folder).context("create", &folder)?;
    for (name, text) in [("build.sh", BUILD), ("images.sh", IMAGES), ("poms.py", POMS)] {
        let path = folder.join(name);
        fs::write(&path, text).context("write", &path)?;
    }
    Ok(folder)
}

/// Keeps layers and manifests, and none of the gigabytes that they were made of.
fn tidy(aside: &Path) -> Result<()> {
    let (from, to) = (aside.join("src").join(MANIFESTS), aside.join("manifests"));
    fs::rename(&from, &to).context("move", from)?;
    for entry in fs::read_dir(aside).context("read", aside)? {
        let path = entry.context("read", aside)?.path();
        if path.is_dir() && path != to {
            fs::remove_dir_all(&path).context("remove", path)?;
        }
    }
    Ok(())
}
