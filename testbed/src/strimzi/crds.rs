//! Strimzi's kinds as it publishes them: the classes that they are made of, and the program that makes them, come from
//! Maven Central.

use std::{fs, path::PathBuf, process::Command};

use super::java::java;
use crate::{Result, cache, error::Context, jars, process};

const POM: &str = include_str!("../../assets/strimzi/pom.xml");
const GENERATOR: &str = "io.strimzi.crdgenerator.CrdGenerator";
/// The kinds that pipelines have to do with, by their classes below [`MODEL`].
const KINDS: [&str; 3] = ["kafka.Kafka", "topic.KafkaTopic", "user.KafkaUser"];
const MODEL: &str = "io.strimzi.api.kafka.model";
/// The oldest Kubernetes that they are for.
const KUBERNETES: &str = "1.30+";
const FOLDER: &str = "kinds";

/// A folder with the `CustomResourceDefinition`s of `Kafka`, `KafkaTopic` and `KafkaUser`, each in a file, for
/// `kubectl apply --filename`. The first call ever downloads what makes them.
pub fn strimzi_crds() -> Result<PathBuf> {
    let stamp = [POM, jars::COPY, GENERATOR, &KINDS.join(" "), KUBERNETES].join("\n");
    let folder = cache::once("strimzi-kinds", &stamp, |aside| {
        process::require("mvn".as_ref())?;
        let java = java()?;
        let pom = aside.join("pom.xml");
        fs::write(&pom, POM).context("write", &pom)?;
        jars::copy_dependencies(&pom)?;
        let kinds = aside.join(FOLDER);
        fs::create_dir(&kinds).context("create", &kinds)?;
        let mut generate = Command::new(java);
        generate.arg("-cp").arg(aside.join("libs/*")).arg(GENERATOR);
        generate.args(["--yaml", "--target-kube", KUBERNETES]);
        for class in KINDS {
            let kind = class.rsplit('.').next().unwrap_or(class);
            let file = kinds.join(kind).with_extension("yaml");
            generate.arg(format!("{MODEL}.{class}={}", file.display()));
        }
        process::run(&mut generate).map(drop)
    })?;
    Ok(folder.join(FOLDER))
}
