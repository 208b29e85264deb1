//! Using the cluster: `kubectl`, `helm`, and kubeconfigs of users who may do less than everything.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::ControlPlane;
use crate::{
    Program, Result,
    kubeconfig::{self, Credentials},
    process,
};

impl ControlPlane {
    /// Runs the cluster's own `kubectl` as the administrator and returns what it printed, for example
    /// `cluster.kubectl(&["get", "pods", "-o", "name"])`.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        process::run(self.kubectl_command().args(args))
    }

    /// As [`Self::kubectl`], with `input` on its standard input, for `apply -f -` and the like.
    pub fn kubectl_with_input(&self, args: &[&str], input: &str) -> Result<String> {
        process::run_with_input(self.kubectl_command().args(args), input)
    }

    /// The command that [`Self::kubectl`] runs. Set `KUBECONFIG` to be somebody else.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.envs(self.kubectl_variables());
        command
    }

    /// A `helm` that is the administrator, and that is built at the first call. It keeps its files here too.
    pub fn helm_command(&self) -> Result<Command> {
        let mut command = Command::new(Program::Helm.get()?);
        command.envs(self.kubectl_variables());
        for kind in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{kind}_HOME"), self.folder.join("helm").join(kind));
        }
        Ok(command)
    }

    /// A kubeconfig of a user with a client certificate, and of its group if it has one. Roles are bound to
    /// these names; nothing is allowed without.
    pub fn kubeconfig_for_user(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let name = file_name(&[user, group.unwrap_or_default()]);
        let pair = self.pki.client(&name, user, group)?;
        self.write_kubeconfig(&name, &Credentials::Certificate(&pair))
    }

    /// A kubeconfig of a service account that exists, with a token as its pods get one, for a day.
    pub fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let args = ["create", "token", name, "--namespace", namespace, "--duration=24h"];
        let token = self.kubectl(&args)?;
        let name = file_name(&["serviceaccount", namespace, name]);
        self.write_kubeconfig(&name, &Credentials::Token(token.trim_end()))
    }

    /// Nothing is read from nor left in the home folder.
    pub(super) fn kubectl_variables(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("KUBECONFIG", self.kubeconfig()),
            ("KUBECACHEDIR", self.folder.join("kubectl-cache")),
            ("KUBERC", Path::new("off").to_owned()),
        ]
    }

    fn write_kubeconfig(&self, name: &str, credentials: &Credentials) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.kubeconfig"));
        kubeconfig::write(&path, &self.server(), &self.pki.authority(), credentials)?;
        Ok(path)
    }
}

/// Names of users have colons and worse.
fn file_name(parts: &[&str]) -> String {
    parts.join(".").replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.', "-")
}
