//! What the node's programs are told (pure): addresses, and the text of their settings.

use std::{net::Ipv4Addr, path::Path};

use crate::images::PAUSE;

/// The node's name.
pub(crate) const NAME: &str = "node-1";

/// The host's end of the cable into the node's network.
pub(crate) const CABLE: &str = "batchpipe0";

/// The host, as pods and the node see it.
pub(crate) const HOST: &str = "10.88.0.1";

/// [`HOST`], as a value.
pub(crate) const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

/// The node: the pods' gateway, and their DNS server.
pub(crate) const ADDRESS: &str = "10.88.0.2";

/// The addresses of Services.
pub(crate) const SERVICES: &str = "10.96.0.0/16";

/// Where network plugins are: in Debian, in most other systems, in Fedora.
pub(crate) const PLUGINS: [&str; 3] = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

/// The control group of all pods. No other node's, for the watchdog of one that was killed may still remove it.
pub(crate) fn group() -> String {
    format!("batchpipe-node-{}", std::process::id())
}

/// Where containerd listens, in the node's own `/run`.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";

/// The pods' network: a bridge that the host is plugged into, so that pods and host reach each other directly.
pub(crate) fn network() -> String {
    serde_json::json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "cni0",
            "isDefaultGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni",
                "ranges": [[{
                    "subnet": "10.88.0.0/16",
                    "rangeStart": "10.88.1.1",
                    "gateway": ADDRESS,
                }]],
            },
        }],
    })
    .to_string()
}

/// containerd's settings.
pub(crate) fn containerd(root: &Path, network: &Path, shim: &Path) -> String {
    format!(
        r#"version = 3
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
address = "{SOCKET}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PAUSE}"

[plugins.'io.containerd.cri.v1.runtime']
# Without the capability to change resource limits, runc cannot set the negative score of a pod's sandbox.
restrict_oom_score_adj = true
# Profiles are loaded for the whole machine.
disable_apparmor = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = {PLUGINS:?}
conf_dir = "{network}"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = "{shim}"
"#,
        root = root.display(),
        network = network.display(),
        shim = shim.display(),
    )
}

/// kubelet's settings: pods are killed for their own limits only, never because the machine is busy or full.
pub(crate) fn kubelet(folder: &Path, authority: &Path) -> String {
    serde_json::json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": authority},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", group()),
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "enforceNodeAllocatable": [],
        "evictionHard": {
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
            "memory.available": "0%",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
        },
        "failCgroupV1": false,
        "failSwapOn": false,
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": false,
        "oomScoreAdj": 0,
        "podLogsDir": folder.join("logs"),
        "resolvConf": folder.join("resolv.conf"),
        "volumePluginDir": folder.join("plugins"),
    })
    .to_string()
}

/// The settings of cluster DNS.
pub(crate) fn names(kubeconfig: &Path) -> String {
    format!(
        ".:53 {{
    bind {ADDRESS}
    errors
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {}
        pods insecure
        ttl 5
    }}
}}
",
        kubeconfig.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_address_is_the_same_as_text_and_as_value() {
        assert_eq!(HOST_ADDRESS.to_string(), HOST);
    }

    #[test]
    fn settings_written_as_json_are_json() {
        let kubelet = kubelet(Path::new("/node"), Path::new("/ca.crt"));
        for text in [network(), kubelet] {
            assert!(serde_json::from_str::<serde_json::Value>(&text).unwrap().is_object());
        }
    }

    #[test]
    fn the_sandbox_is_the_image_that_is_imported() {
        let text = containerd(Path::new("/root"), Path::new("/net"), Path::new("/shim"));
        assert!(text.contains(&format!("sandbox = \"{PAUSE}\"")));
    }
}
