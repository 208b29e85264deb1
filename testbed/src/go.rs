//! Kubernetes' own programs, those beside it, and what benchmarks compare with, compiled from Go modules with `go`,
//! each once.
//!
//! The module files are part of this crate, so every build of a version is made from the same sources.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, cache, error::Context, process};

/// The version of Kubernetes, as its server says it.
pub const KUBERNETES: &str = "v1.37.2";

const STAMPED: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37";

/// What can be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The store of the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of Deployments, namespaces, service accounts and the like.
    KubeControllerManager,
    /// The command line client.
    Kubectl,
    /// The scheduler.
    KubeScheduler,
    /// The node's agent.
    Kubelet,
    /// The node's rules for the addresses of Services.
    KubeProxy,
    /// The container runtime.
    Containerd,
    /// What stays beside each container; containerd finds it on its `PATH`.
    ContainerdShim,
    /// containerd's own client.
    Ctr,
    /// The package manager.
    Helm,
    /// The DNS server.
    CoreDns,
    /// What reads a compose file as the current `docker compose` does, and prints what it means as JSON.
    ComposeCheck,
    /// What others put and take records with, which benchmarks compare with.
    Bento,
}

/// A Go module of ours that names what is built and fixes all versions.
struct Module {
    name: &'static str,
    files: [(&'static str, &'static str); 3],
    /// The package of a program, whose name replaces `*`.
    package: &'static str,
    flags: &'static [&'static str],
}

macro_rules! module {
    ($name:literal, $source:literal, $package:literal, $flags:expr) => {
        Module {
            name: $name,
            files: [
                ("go.mod", include_str!(concat!("../assets/go/", $name, "/go.mod"))),
                ("go.sum", include_str!(concat!("../assets/go/", $name, "/go.sum"))),
                ($source, include_str!(concat!("../assets/go/", $name, "/", $source))),
            ],
            package: $package,
            flags: $flags,
        }
    };
}

static BENTO: Module = module!("bento", "main.go", ".", &["-ldflags", "-s -w"]);
static COMPOSE: Module = module!("compose", "main.go", ".", &["-ldflags", "-s -w"]);
static CONTAINERD: Module = module!(
    "containerd",
    "tools.go",
    "github.com/containerd/containerd/v2/cmd/*",
    &["-tags", "no_btrfs", "-ldflags", "-s -w"]
);
static COREDNS: Module = module!("coredns", "main.go", ".", &["-ldflags", "-s -w"]);
static ETCD: Module =
    module!("etcd", "tools.go", "go.etcd.io/etcd/server/v3", &["-ldflags", "-s -w"]);
static HELM: Module = module!(
    "helm",
    "tools.go",
    "helm.sh/helm/v4/cmd/*",
    &["-ldflags", "-s -w -X helm.sh/helm/v4/internal/version.version=v4.3.1"]
);
static KUBE: Module =
    module!("kubernetes", "tools.go", "k8s.io/kubernetes/cmd/*", &["-ldflags", STAMPED]);

impl Program {
    /// The program's file, built unless it is there. The first build of all of them takes many minutes.
    pub fn get(self) -> Result<PathBuf> {
        let (module, name) = self.recipe();
        let package = module.package.replace('*', name);
        let files = module.files.iter().map(|(_, text)| *text);
        let stamp: Vec<&str> =
            files.chain(module.flags.iter().copied()).chain([&*package]).collect();
        let folder = cache::once(&format!("go-{name}"), &stamp.join("\n"), |aside| {
            build(module, &package, &aside.join(name))
        })?;
        Ok(folder.join(name))
    }

    /// The module that has it, and the name of its file.
    fn recipe(self) -> (&'static Module, &'static str) {
        match self {
            Self::Etcd => (&ETCD, "etcd"),
            Self::KubeApiserver => (&KUBE, "kube-apiserver"),
            Self::KubeControllerManager => (&KUBE, "kube-controller-manager"),
            Self::Kubectl => (&KUBE, "kubectl"),
            Self::KubeScheduler => (&KUBE, "kube-scheduler"),
            Self::Kubelet => (&KUBE, "kubelet"),
            Self::KubeProxy => (&KUBE, "kube-proxy"),
            Self::Containerd => (&CONTAINERD, "containerd"),
            Self::ContainerdShim => (&CONTAINERD, "containerd-shim-runc-v2"),
            Self::Ctr => (&CONTAINERD, "ctr"),
            Self::Helm => (&HELM, "helm"),
            Self::CoreDns => (&COREDNS, "coredns"),
            Self::ComposeCheck => (&COMPOSE, "compose-check"),
            Self::Bento => (&BENTO, "bento"),
        }
    }
}

/// Go's own cache of compiled packages makes every program after the first of a module quick.
fn build(module: &Module, package: &str, output: &Path) -> Result<()> {
    process::require(Path::new("go"))?;
    let name = output.file_name().unwrap_or_default().display();
    eprintln!("building {name} once, which may take minutes");
    let sources = output.with_file_name(format!("module-{}", module.name));
    fs::create_dir(&sources).context("create", &sources)?;
    for (name, text) in module.files {
        let path = sources.join(name);
        fs::write(&path, text).context("write", &path)?;
    }
    let mut go = Command::new("go");
    go.current_dir(&sources).env("CGO_ENABLED", "0").env("GOWORK", "off");
    go.args(["build", "-trimpath", "-buildvcs=false"]).args(module.flags);
    process::run(go.arg("-o").arg(output).arg(package)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stamp_is_that_of_the_module() {
        let required = format!("require k8s.io/kubernetes {KUBERNETES}");
        assert!(KUBE.files[0].1.contains(&required));
        assert!(STAMPED.contains(&format!("gitVersion={KUBERNETES} ")));
    }
}
