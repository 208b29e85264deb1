//! The command lines of the control plane's programs; pure but for looking up where the programs are.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Program, Result,
    pki::{Pair, Pki},
};

/// The API server's address in the network of Services, the first of [`SERVICES`].
const SERVICE: &str = "10.96.0.1";
const SERVICES: &str = "10.96.0.0/16";

/// The address of a node's bridge, at which its pods reach this machine.
const BRIDGE: &str = "10.88.0.1";

/// Where things are that several programs are told.
pub(super) struct Layout<'a> {
    pub(super) folder: &'a Path,
    pub(super) pki: &'a Pki,
    pub(super) port: u16,
    pub(super) etcd_port: u16,
}

pub(super) fn server(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}

pub(super) fn audit_log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}

pub(super) fn audit_policy(folder: &Path) -> PathBuf {
    folder.join("audit-policy.yaml")
}

/// What the API server's certificate is for.
pub(super) fn hosts(advertised: Option<Ipv4Addr>) -> Vec<String> {
    let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let fixed = names.into_iter().chain(["127.0.0.1", SERVICE, BRIDGE]).map(str::to_owned);
    let mut hosts: Vec<String> = fixed.collect();
    hosts.extend(advertised.map(|address| address.to_string()).filter(|text| text != BRIDGE));
    hosts
}

/// It keeps nothing that must survive a power failure, so it waits for no disk.
pub(super) fn etcd(layout: &Layout, peer_port: u16) -> Result<Command> {
    let clients = etcd_url(layout.etcd_port);
    let mut command = Command::new(Program::Etcd.get()?);
    command.arg("--unsafe-no-fsync").arg("--log-level=warn");
    command.args([flag("data-dir", layout.folder.join("etcd").display())]);
    command.args([flag("listen-client-urls", &clients), flag("advertise-client-urls", &clients)]);
    command.arg(flag("listen-peer-urls", etcd_url(peer_port)));
    Ok(command)
}

pub(super) fn api_server(
    layout: &Layout,
    serving: &Pair,
    admin: &Pair,
    advertised: Option<Ipv4Addr>,
) -> Result<Command> {
    let pki = layout.pki;
    let mut command = Command::new(Program::KubeApiserver.get()?);
    command.args([
        flag("etcd-servers", etcd_url(layout.etcd_port)),
        flag("secure-port", layout.port),
        flag("tls-cert-file", serving.certificate.display()),
        flag("tls-private-key-file", serving.key.display()),
        flag("client-ca-file", pki.authority().display()),
        flag("service-account-issuer", "https://kubernetes.default.svc"),
        flag("service-account-key-file", pki.token_public_key().display()),
        flag("service-account-signing-key-file", pki.token_key().display()),
        flag("service-cluster-ip-range", SERVICES),
        flag("authorization-mode", "Node,RBAC"),
        flag("enable-admission-plugins", "NodeRestriction"),
        flag("kubelet-client-certificate", admin.certificate.display()),
        flag("kubelet-client-key", admin.key.display()),
        flag("kubelet-preferred-address-types", "InternalIP"),
        flag("allow-privileged", true),
        flag("profiling", false),
        // Without it a stop waits a minute for open watches, which only their clients would end.
        flag("shutdown-watch-termination-grace-period", "2s"),
        flag("audit-policy-file", audit_policy(layout.folder).display()),
        flag("audit-log-path", audit_log(layout.folder).display()),
    ]);
    command.args(reachable(advertised));
    Ok(command)
}

/// A loopback address is no endpoint of a Service. Without a node nobody uses the Service `kubernetes`, so it
/// gets no endpoint then, and the API server needs no other network.
fn reachable(advertised: Option<Ipv4Addr>) -> [String; 3] {
    let (bind, reconciler) = match advertised {
        Some(_) => (Ipv4Addr::UNSPECIFIED, "lease"),
        None => (Ipv4Addr::LOCALHOST, "none"),
    };
    let advertised = advertised.unwrap_or(Ipv4Addr::LOCALHOST);
    [
        flag("bind-address", bind),
        flag("advertise-address", advertised),
        flag("endpoint-reconciler-type", reconciler),
    ]
}

pub(super) fn controllers(layout: &Layout, kubeconfig: &Path) -> Result<Command> {
    let kubeconfig = kubeconfig.display();
    let mut command = Command::new(Program::KubeControllerManager.get()?);
    command.args([
        flag("kubeconfig", &kubeconfig),
        flag("authentication-kubeconfig", &kubeconfig),
        flag("authorization-kubeconfig", &kubeconfig),
        flag("use-service-account-credentials", true),
        flag("service-account-private-key-file", layout.pki.token_key().display()),
        flag("root-ca-file", layout.pki.authority().display()),
        flag("leader-elect", false),
        flag("allocate-node-cidrs", false),
        flag("profiling", false),
        // At its usual 20 requests a second, the first start takes seconds longer, and so do many objects.
        flag("kube-api-qps", 200),
        flag("kube-api-burst", 400),
        // It serves nothing that a test reads.
        flag("secure-port", 0),
    ]);
    Ok(command)
}

fn etcd_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_node_the_api_server_listens_to_this_machine_only() {
        assert_eq!(reachable(None)[0], "--bind-address=127.0.0.1");
        let advertised = reachable(Some(Ipv4Addr::new(10, 88, 0, 1)));
        assert_eq!(advertised[..2], ["--bind-address=0.0.0.0", "--advertise-address=10.88.0.1"]);
    }

    #[test]
    fn an_advertised_address_is_in_the_certificate_once() {
        for address in [BRIDGE, "192.0.2.7"] {
            let hosts = hosts(Some(address.parse().unwrap()));
            assert_eq!(hosts.iter().filter(|host| *host == address).count(), 1);
        }
    }
}
