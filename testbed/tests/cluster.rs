//! The testbed's Kubernetes: it answers, controls, keeps objects, refuses whom it should, and leaves nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::{
    ControlPlane, Error, KUBERNETES, Result, control_plane, shared_control_plane,
};
use serde_json::Value;

/// Waits up to 30 s: controllers act when they come to it.
fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
        thread::sleep(Duration::from_millis(100));
    }
    false
}

fn namespace(cluster: &ControlPlane, name: &str) {
    cluster.kubectl(&["create", "namespace", name]).unwrap();
}

/// A configuration map named `kept` in the namespace `default`, or why there is none.
fn kept(cluster: &ControlPlane) -> Result<String> {
    cluster.kubectl(&[
        "get",
        "configmap",
        "kept",
        "-o=jsonpath={.data.key}",
        "--request-timeout=5s",
    ])
}

fn keep(cluster: &ControlPlane, value: &str) {
    let literal = format!("--from-literal=key={value}");
    cluster.kubectl(&["create", "configmap", "kept", &literal]).unwrap();
}

/// Runs `kubectl` as who the kubeconfig says.
fn kubectl_as(cluster: &ControlPlane, kubeconfig: &Path, args: &[&str]) -> (bool, String) {
    let mut command = cluster.kubectl_command();
    let output = command.env("KUBECONFIG", kubeconfig).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_server_and_its_client_say_their_version() {
    let cluster = shared_control_plane().unwrap();
    let versions = cluster.kubectl(&["version", "--output=json"]).unwrap();
    let versions: Value = serde_json::from_str(&versions).unwrap();
    for side in ["clientVersion", "serverVersion"] {
        assert_eq!(versions[side]["gitVersion"], KUBERNETES, "{side}");
    }
}

#[test]
fn a_deployment_gets_its_pods() {
    let cluster = shared_control_plane().unwrap();
    namespace(cluster, "deployed");
    let pods = || cluster.kubectl(&["get", "pods", "-o=name", "-n=deployed"]).unwrap();
    let args = ["create", "deployment", "web", "--image=web", "--replicas=3", "-n=deployed"];
    cluster.kubectl(&args).unwrap();
    assert!(soon(|| pods().lines().count() == 3), "{}", pods());
}

#[test]
fn objects_survive_a_kill_and_a_stop_of_the_api_server_at_the_same_address() {
    let mut cluster = control_plane().unwrap();
    let server = cluster.server();
    keep(&cluster, "value");
    cluster.kill().unwrap();
    assert!(kept(&cluster).is_err());
    cluster.start_again().unwrap();
    assert_eq!(kept(&cluster).unwrap(), "value");
    cluster.stop().unwrap();
    cluster.start_again().unwrap();
    assert_eq!(kept(&cluster).unwrap(), "value");
    assert_eq!(cluster.server(), server);
}

#[test]
fn a_paused_api_server_answers_only_when_it_is_resumed() {
    let cluster = control_plane().unwrap();
    keep(&cluster, "value");
    cluster.pause().unwrap();
    assert!(kept(&cluster).is_err());
    cluster.resume().unwrap();
    assert_eq!(kept(&cluster).unwrap(), "value");
}

#[test]
fn a_dropped_cluster_leaves_neither_a_process_nor_a_folder() {
    let cluster = control_plane().unwrap();
    let (processes, folder) = (cluster.process_ids(), cluster.folder().to_owned());
    assert_eq!(processes.len(), 3);
    drop(cluster);
    let is_running = |id: &u32| Path::new(&format!("/proc/{id}")).exists();
    assert!(!processes.iter().any(is_running) && !folder.exists());
}

#[test]
fn a_service_account_may_do_what_its_role_says_and_no_more() {
    let cluster = shared_control_plane().unwrap();
    namespace(cluster, "guarded");
    cluster.kubectl(&["create", "serviceaccount", "reader", "-n=guarded"]).unwrap();
    let rule = ["--verb=get,list", "--resource=pods", "-n=guarded"];
    cluster.kubectl(&[&["create", "role", "reads"], &rule[..]].concat()).unwrap();
    let binding = ["--role=reads", "--serviceaccount=guarded:reader", "-n=guarded"];
    cluster.kubectl(&[&["create", "rolebinding", "reads"], &binding[..]].concat()).unwrap();
    let reader = cluster.kubeconfig_for_service_account("guarded", "reader").unwrap();
    assert!(soon(|| kubectl_as(cluster, &reader, &["get", "pods", "-n=guarded"]).0));
    let (is_allowed, answer) = kubectl_as(cluster, &reader, &["get", "secrets", "-n=guarded"]);
    assert!(!is_allowed && answer.contains("Forbidden"), "{answer}");
    assert!(answer.contains("system:serviceaccount:guarded:reader"), "{answer}");
}

#[test]
fn a_user_is_known_by_name_and_group() {
    let cluster = shared_control_plane().unwrap();
    let user = cluster.kubeconfig_for_user("ada", Some("team:makers")).unwrap();
    let (is_known, answer) = kubectl_as(cluster, &user, &["auth", "whoami", "-o=json"]);
    assert!(is_known, "{answer}");
    let subject: Value = serde_json::from_str(&answer).unwrap();
    let info = &subject["status"]["userInfo"];
    assert_eq!(info["username"], "ada");
    assert!(info["groups"].as_array().unwrap().contains(&"team:makers".into()), "{info}");
}

#[test]
fn the_audit_log_says_who_wrote_what() {
    let cluster = shared_control_plane().unwrap();
    let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: audited, namespace: default}}";
    cluster.kubectl_with_input(&["create", "--filename=-"], object).unwrap();
    let writes = || {
        let log = fs::read_to_string(cluster.audit_log()).unwrap();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_it = |event: &Value| {
            event["verb"] == "create"
                && event["user"]["username"] == "admin"
                && event["objectRef"]["name"] == "audited"
        };
        events.filter(is_it).count()
    };
    assert!(soon(|| writes() == 1), "{}", writes());
}

#[test]
fn helm_is_there_and_talks_to_the_cluster() {
    let cluster = shared_control_plane().unwrap();
    let output = cluster.helm_command().unwrap().args(["list", "--output=json"]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), "[]");
}

#[test]
fn a_flag_of_the_callers_reaches_the_api_server() {
    let wrong = ControlPlane::builder().api_server_flag("--no-such-flag=1").start();
    let error = wrong.unwrap_err();
    let Error::Start { name, log, tail, .. } = &error else { panic!("{error}") };
    assert_eq!(*name, "kube-apiserver");
    assert!(tail.contains("no-such-flag"), "{error}");
    fs::remove_file(log).unwrap();
}
