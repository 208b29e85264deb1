//! A copy of what `docker compose up` needs of the repository, on a machine with a Docker engine.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{Docker, docker_hindrance};
use serde_json::Value;

use crate::root;

/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(200);

const FILES: [&str; 4] =
    [".dockerignore", "Dockerfile", "docker-compose.yml", "examples/seed.yaml"];

/// The folder, and the engine that takes all of it along when this is dropped.
pub(crate) struct Project {
    pub(crate) docker: Docker,
    folder: PathBuf,
}

impl Project {
    /// A project with the program of this build, which is not compiled again. None where no engine can run, which is
    /// said.
    pub(crate) fn start() -> Option<Self> {
        if let Some(reason) = docker_hindrance() {
            eprintln!("left out: {reason}");
            return None;
        }
        let docker = Docker::start().unwrap();
        let folder = docker.folder().join("batchpipe");
        for file in FILES {
            copy(&root().join(file), &folder.join(file));
        }
        let program = Path::new(env!("CARGO_BIN_EXE_batchpipe"));
        copy(program, &folder.join("dist/batchpipe"));
        let built = folder.join("target/release");
        fs::create_dir_all(&built).unwrap();
        symlink(program, built.join("batchpipe")).unwrap();
        docker.stand_in_for_distroless(program).unwrap();
        Some(Self { docker, folder })
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a line of shell did.
    pub(crate) fn outcome(&self, line: &str) -> Output {
        let mut shell = self.docker.shell(&self.folder, line);
        shell.env("BINARIES", "prebuilt").output().unwrap()
    }

    /// What a line of shell printed, which has to succeed.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        let output = self.outcome(line);
        let [printed, said] =
            [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert!(output.status.success(), "{line}: {:?}\n{printed}{said}", output.status);
        printed
    }

    /// The JSON that a line of shell printed.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        let printed = self.run(line);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{line}: {error}: {printed}"))
    }

    /// Waits until something holds; else all that the containers said is shown.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "never {what}:\n{}",
                self.run("docker compose ps; docker compose logs --tail 40")
            );
            thread::sleep(POLL);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}
