//! Container images made of files of this machine, without a registry and without a build tool.

mod archive;
mod files;
mod pause;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

pub(crate) use pause::program as pause_program;

use crate::{Result, error::Context};
use archive::Content;

/// Who runs in the images: nobody that a host has.
const USER: &str = "65532:65532";

/// The image that holds a pod's namespaces; containerd's settings name it too.
pub(crate) const PAUSE: &str = "batchpipe.local/pause:1";

/// An image: a name and an OCI archive.
#[derive(Debug)]
pub struct Image {
    name: String,
    archive: Vec<u8>,
}

impl Image {
    /// The whole name, as a pod's `image` must say it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The archive, as `ctr images import`, `docker load` and `skopeo` read it.
    pub fn archive(&self) -> &[u8] {
        &self.archive
    }

    fn new(name: String, config: &Value, files: &[(String, Content)]) -> Result<Self> {
        let archive = archive::assemble(&name, config, files)?;
        Ok(Self { name, archive })
    }

    /// An image of tar archives, each laid over those before.
    pub(crate) fn of_layers(name: &str, config: &Value, layers: &[PathBuf]) -> Result<Self> {
        let read = layers.iter().map(|layer| fs::read(layer).context("read", layer));
        let archive = archive::stack(name, config, read.collect::<Result<_>>()?)?;
        Ok(Self { name: name.to_owned(), archive })
    }
}

/// The data plane's image, `batchpipe.local/workload:dev`, around the program `batchpipe`.
pub fn workload_image(binary: &Path) -> Result<Image> {
    let environment = ["BATCHPIPE_ADMIN=0.0.0.0:8080", "BATCHPIPE_LISTEN=0.0.0.0"];
    around(binary, "workload", "batchpipe", &environment)
}

/// The operator's image, `batchpipe.local/operator:dev`, around the program `batchpipe-operator`.
pub fn operator_image(binary: &Path) -> Result<Image> {
    around(binary, "operator", "batchpipe-operator", &[])
}

/// The files that `binary` needs beside itself, as a tar archive.
pub(crate) fn base(binary: &Path) -> Result<Vec<u8>> {
    archive::pack(&files::beside(binary)?).context("pack what is needed by", binary)
}

pub(crate) fn pause_image() -> Result<Image> {
    let files = [("pause".to_owned(), Content::program(&pause_program()?)?)];
    let config = json!({"Entrypoint": ["/pause"], "User": USER});
    Image::new(PAUSE.to_owned(), &config, &files)
}

fn around(binary: &Path, image: &str, program: &str, environment: &[&str]) -> Result<Image> {
    let entry = format!("/usr/local/bin/{program}");
    let path = "PATH=/usr/local/bin:/usr/bin:/bin";
    let environment: Vec<&str> = [path].into_iter().chain(environment.iter().copied()).collect();
    let config = json!({
        "Entrypoint": [entry],
        "Env": environment,
        "User": USER,
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": program,
            "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
            "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        },
    });
    Image::new(format!("batchpipe.local/{image}:dev"), &config, &files::around(binary, &entry)?)
}
