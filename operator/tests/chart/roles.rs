//! What the operator may do, and users of the cluster's own roles.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::helm::{NAMESPACE, Objects, name, render};

/// `group/resource verb` of each rule of roles.
fn pairs(roles: &[&Value]) -> BTreeSet<String> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let mut pairs = BTreeSet::new();
    for rule in roles.iter().flat_map(|role| role["rules"].as_array().unwrap()) {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                pairs.extend(
                    texts(&rule["verbs"]).iter().map(|verb| format!("{group}/{resource} {verb}")),
                );
            }
        }
    }
    pairs
}

/// Roles that are bound to the operator.
fn bound(objects: &Objects) -> Vec<&Value> {
    let bindings = [objects.all("RoleBinding"), objects.all("ClusterRoleBinding")].concat();
    let subject = json!([{"kind": "ServiceAccount", "name": "batchpipe", "namespace": NAMESPACE}]);
    let roles = [objects.all("Role"), objects.all("ClusterRole")].concat();
    let of = |binding: &&Value| {
        assert_eq!(binding["subjects"], subject);
        let (kind, wanted) = (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]);
        let namespace = &binding["metadata"]["namespace"];
        let matches = |role: &&&Value| {
            &role["kind"] == kind
                && &role["metadata"]["name"] == wanted
                && &role["metadata"]["namespace"] == namespace
        };
        *roles.iter().find(matches).unwrap()
    };
    bindings.iter().map(of).collect()
}

#[test]
fn the_operator_may_do_at_most_sixty_things() {
    let objects = render(&[]);
    let pairs = pairs(&bound(&objects));
    assert!(pairs.len() <= 60, "{}", pairs.len());
    assert!(pairs.contains("batchpipe.dev/batchpipelines/status patch"));
}

#[test]
fn nothing_may_touch_secrets_or_use_a_wildcard() {
    for settings in [vec![], vec!["clusterWide=true"]] {
        let objects = render(&settings);
        let roles = [objects.all("Role"), objects.all("ClusterRole")].concat();
        for pair in pairs(&roles) {
            assert!(!pair.contains("secrets"), "{pair}");
            assert!(!pair.contains('*'), "{pair}");
            let (resource, verb) = pair.split_once(' ').unwrap();
            assert!(!["escalate", "bind", "impersonate"].contains(&verb), "{pair}");
            assert!(!["/pods/exec", "/pods/attach"].contains(&resource), "{pair}");
        }
    }
}

#[test]
fn topics_are_never_altered_nor_deleted() {
    let objects = render(&[]);
    let verbs: Vec<String> =
        pairs(&bound(&objects)).into_iter().filter(|pair| pair.contains("kafkatopics")).collect();
    assert_eq!(verbs, ["kafka.strimzi.io/kafkatopics create", "kafka.strimzi.io/kafkatopics get"]);
}

#[test]
fn by_default_nothing_reaches_beyond_the_namespace() {
    let objects = render(&[]);
    assert!(objects.all("ClusterRoleBinding").is_empty());
    for object in [objects.all("Role"), objects.all("RoleBinding")].concat() {
        assert_eq!(object["metadata"]["namespace"], NAMESPACE);
    }
}

#[test]
fn each_watched_namespace_has_the_role_and_its_binding() {
    let objects = render(&[r#"watchNamespaces=["a","b"]"#]);
    for kind in ["Role", "RoleBinding"] {
        let mut namespaces: Vec<&str> = objects
            .all(kind)
            .iter()
            .map(|object| object["metadata"]["namespace"].as_str().unwrap())
            .collect();
        namespaces.sort_unstable();
        assert_eq!(namespaces, ["a", "b", NAMESPACE], "{kind}");
    }
    let own = objects.all("Role").into_iter().find(|it| it["metadata"]["namespace"] == NAMESPACE);
    assert!(
        pairs(&[own.unwrap()]).iter().all(|pair| pair.starts_with("coordination.k8s.io/leases"))
    );
}

#[test]
fn in_all_namespaces_the_operator_may_do_the_same() {
    let narrow = render(&[]);
    let wide = render(&["clusterWide=true"]);
    assert_eq!(pairs(&bound(&narrow)), pairs(&bound(&wide)));
    assert_eq!(wide.names("Role"), ["batchpipe-lease"]);
    assert_eq!(wide.names("ClusterRoleBinding").len(), 1);
}

#[test]
fn roles_can_be_left_to_somebody_else() {
    let objects = render(&["rbac.create=false", "rbac.aggregate=false", "clusterWide=true"]);
    for kind in ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"] {
        assert!(objects.all(kind).is_empty(), "{kind}");
    }
}

#[test]
fn viewers_read_and_editors_change_and_scale() {
    let objects = render(&[]);
    let role = |suffix: &str| {
        let roles = objects.all("ClusterRole");
        roles.into_iter().find(|role| name(role).ends_with(suffix)).unwrap()
    };
    let aggregated = |role: &Value, to: &str| {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{to}");
        role["metadata"]["labels"][label] == "true"
    };
    let view = role("-view");
    assert!(aggregated(view, "view") && aggregated(view, "edit") && aggregated(view, "admin"));
    assert_eq!(view["rules"][0]["verbs"], json!(["get", "list", "watch"]));
    let edit = role("-edit");
    assert!(!aggregated(edit, "view") && aggregated(edit, "edit") && aggregated(edit, "admin"));
    assert!(pairs(&[edit]).contains("batchpipe.dev/batchpipelines/scale patch"));
    assert!(!pairs(&[edit]).iter().any(|pair| pair.contains("status")));
}

#[test]
fn a_service_account_that_is_there_is_used() {
    let objects = render(&["serviceAccount.create=false", "serviceAccount.name=mine"]);
    assert!(objects.all("ServiceAccount").is_empty());
    assert_eq!(objects.pod()["serviceAccountName"], "mine");
    for binding in objects.all("RoleBinding") {
        assert_eq!(binding["subjects"][0]["name"], "mine");
    }
    let unnamed = render(&["serviceAccount.create=false"]);
    assert_eq!(unnamed.pod()["serviceAccountName"], "default");
}

#[test]
fn a_service_account_carries_its_annotations() {
    let objects = render(&[r#"serviceAccount.annotations={"a":"b"}"#, "serviceAccount.name=me"]);
    let account = objects.one("ServiceAccount");
    assert_eq!((name(account), &account["metadata"]["annotations"]), ("me", &json!({"a": "b"})));
    assert_eq!(objects.pod()["serviceAccountName"], "me");
}
