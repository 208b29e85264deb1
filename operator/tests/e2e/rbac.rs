//! What the shipped Role allows is enough, and none of it is too much: each verb on each resource is taken away alone,
//! and something that users see does not happen until it is given back.

mod scenario;
mod strimzi;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread::{self, sleep},
    time::Duration,
};

use self::scenario::{Scenario, refusals};
use crate::support::{
    Faults, Namespace, Operator, Pair, Rights, cluster, install, manifest, options, wait_for,
    within,
};

/// How many operators run at the same time.
const TOGETHER: usize = 6;

/// What breaks when a pair is missing. Verbs that break in the same way stand together.
const NEEDED: [(&str, &str, Scenario); 18] = [
    ("batchpipelines.batchpipe.dev", "list watch", Scenario::NothingIsMade),
    ("batchpipelines.batchpipe.dev/status", "patch", Scenario::NoStatus),
    ("deployments.apps", "get list watch create patch", Scenario::SaidAtCreation),
    ("deployments.apps", "delete", Scenario::SaidAtRemoval),
    ("replicasets.apps", "list watch", Scenario::SaidAtCreation),
    ("pods", "list watch", Scenario::SaidAtCreation),
    ("serviceaccounts", "get list watch create patch", Scenario::SaidAtCreation),
    ("services", "get list watch create patch", Scenario::SaidAtCreation),
    ("services", "delete", Scenario::SaidAtRemoval),
    ("poddisruptionbudgets.policy", "get list watch create patch", Scenario::SaidAtCreation),
    ("poddisruptionbudgets.policy", "delete", Scenario::SaidAtRemoval),
    ("networkpolicies.networking.k8s.io", "get list watch create patch", Scenario::SaidAtCreation),
    ("networkpolicies.networking.k8s.io", "delete", Scenario::SaidAtRemoval),
    ("events.events.k8s.io", "create", Scenario::NoEvent),
    ("events.events.k8s.io", "patch", Scenario::NoRepeatedEvent),
    ("kafkas.kafka.strimzi.io", "get", Scenario::SaidOfStrimzi),
    ("kafkausers.kafka.strimzi.io", "get", Scenario::SaidOfStrimzi),
    ("kafkatopics.kafka.strimzi.io", "get create", Scenario::SaidOfStrimzi),
];
const NEEDED_OF_LEASES: (&str, &str) = ("leases.coordination.k8s.io", "get create update");

fn needed() -> Vec<(Pair, Scenario)> {
    let (resource, verbs) = NEEDED_OF_LEASES;
    let rows = NEEDED.iter().copied().chain([(resource, verbs, Scenario::NoLeader)]);
    let pair = |resource: &str, verb: &str| Pair { resource: resource.into(), verb: verb.into() };
    let pairs = |(resource, verbs, scenario): (&'static str, &'static str, Scenario)| {
        verbs.split(' ').map(move |verb| (pair(resource, verb), scenario))
    };
    let mut all: Vec<(Pair, Scenario)> = rows.flat_map(pairs).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn every_pair_of_the_shipped_role_is_in_the_table_and_no_other() {
    let listed: Vec<Pair> = needed().into_iter().map(|(pair, _)| pair).collect();
    assert_eq!(Rights::shipped("a").pairs(), listed);
    let wide = ["clusterWide=true", "rbac.aggregate=false"];
    assert_eq!(Rights::of_release("a", &wide).pairs(), listed);
}

/// An operator with these rights, which looks after its own namespace.
fn operator(namespace: Namespace<'_>, rights: &Rights) -> Operator {
    let kubeconfig = rights.give(namespace.cluster, namespace.name);
    Operator::at(&kubeconfig, options(namespace.name, "operator"), Faults::none())
}

#[test]
fn with_the_shipped_rights_everything_works_and_nothing_is_refused() {
    strimzi::install();
    let each = |scenario: Scenario| {
        let namespace = Namespace::new(cluster(), "sufficient");
        let operator = operator(namespace, &Rights::shipped(namespace.name));
        scenario.provoke(namespace);
        wait_for(&format!("{scenario:?} not to be"), || {
            scenario.nudge(namespace);
            scenario.works(namespace, &operator).then_some(())
        });
        assert_eq!(refusals(&operator), 0, "{scenario:?}");
        operator.stop();
    };
    thread::scope(|scope| {
        for scenario in Scenario::ALL {
            scope.spawn(move || each(scenario));
        }
    });
}

/// Shows that a pair is needed: what breaks without it works as soon as it is given.
fn show(pair: &Pair, scenario: Scenario) {
    let namespace = Namespace::new(cluster(), "necessary");
    let rights = Rights::shipped(namespace.name);
    let operator = operator(namespace, &rights.clone().without(pair));
    scenario.provoke(namespace);
    wait_for(&format!("to be refused to {pair}"), || {
        scenario.nudge(namespace);
        (refusals(&operator) > 0).then_some(())
    });
    scenario.await_symptom(namespace, &operator, pair);
    rights.give(namespace.cluster, namespace.name);
    wait_for(&format!("everything with {pair}"), || {
        scenario.nudge(namespace);
        scenario.works(namespace, &operator).then_some(())
    });
    operator.stop();
}

#[test]
fn a_right_that_is_missing_shows_be_it_from_the_start_or_taken_away_from_a_running_operator() {
    let of = |scenario| needed().into_iter().find(|(_, its)| *its == scenario).unwrap();
    thread::scope(|scope| {
        for verb in ["patch", "watch"] {
            scope.spawn(move || lose(verb));
        }
        show_all(Scenario::ALL.map(of).to_vec());
    });
}

#[test]
#[ignore = "takes minutes: make test-long"]
fn every_pair_is_needed_and_its_lack_shows() {
    show_all(needed());
}

fn show_all(pairs: Vec<(Pair, Scenario)>) {
    strimzi::install();
    let (todo, failed) = (Mutex::new(pairs.into_iter()), Mutex::new(Vec::new()));
    let work = || {
        while let Some((pair, scenario)) = { todo.lock().unwrap().next() } {
            match catch_unwind(AssertUnwindSafe(|| show(&pair, scenario))) {
                Ok(()) => println!("{pair:<55} {}", scenario.sentence()),
                Err(_) => failed.lock().unwrap().push(pair.to_string()),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "not shown to be needed:\n{}", failed.join("\n"));
}

/// A watch that runs is not cut when its right is taken away; it ends by itself after a minute, and may then not be begun
/// again.
const ONE_WATCH: Duration = Duration::from_secs(100);

/// Shows that a pair which is taken away while the operator runs is missed then, and used again when it is given back.
fn lose(verb: &str) {
    let pair = Pair { resource: "deployments.apps".to_owned(), verb: verb.to_owned() };
    let scenario = Scenario::SaidAtCreation;
    let namespace = Namespace::new(cluster(), "lost-right");
    let rights = Rights::shipped(namespace.name);
    let operator = operator(namespace, &rights);
    scenario.provoke(namespace);
    let works = || scenario.works(namespace, &operator).then_some(());
    wait_for("everything", works);
    assert_eq!(refusals(&operator), 0, "{pair}");
    rights.clone().without(&pair).give(namespace.cluster, namespace.name);
    let mut image = 0;
    within(ONE_WATCH, &format!("to be refused to {pair}"), || {
        image += 1;
        let patch = format!(r#"{{"spec": {{"image": "example.com/batchpipe:{image}"}}}}"#);
        namespace.kubectl(&["patch", "batchpipeline/demo", "--type=merge", "--patch", &patch]);
        sleep(Duration::from_secs(1));
        (refusals(&operator) > 0).then_some(())
    });
    scenario.await_symptom(namespace, &operator, &pair);
    rights.give(namespace.cluster, namespace.name);
    wait_for(&format!("everything with {pair}"), works);
    operator.stop();
}

#[test]
fn several_namespaces_are_looked_after_with_a_role_in_each() {
    let [home, one, other] = ["home", "one", "other"].map(|topic| Namespace::new(cluster(), topic));
    let watched = format!("watchNamespaces={{{},{}}}", one.name, other.name);
    let rights = Rights::of_release(home.name, &[&watched, "rbac.aggregate=false"]);
    let kubeconfig = rights.give(home.cluster, home.name);
    let mut options = options(home.name, "operator");
    options.settings.watch_namespaces = vec![one.name.to_owned(), other.name.to_owned()];
    let operator = Operator::at(&kubeconfig, options, Faults::none());
    for namespace in [one, other] {
        namespace.pipeline("demo", "");
        namespace.await_children("demo");
    }
    assert_eq!(refusals(&operator), 0);
    operator.stop();
}

#[test]
fn all_namespaces_are_looked_after_with_a_cluster_role() {
    // Not the cluster of the other tests: this operator takes every pipeline for its own.
    let cluster = batchpipe_testbed::control_plane().unwrap();
    install(&cluster);
    let [home, one, other] = ["home", "one", "other"].map(|topic| Namespace::new(&cluster, topic));
    let wide = ["clusterWide=true", "rbac.aggregate=false"];
    let kubeconfig = Rights::of_release(home.name, &wide).give(&cluster, home.name);
    let mut options = options(home.name, "operator");
    options.settings.watch_namespaces = Vec::new();
    let operator = Operator::at(&kubeconfig, options, Faults::none());
    for namespace in [one, other] {
        namespace.apply(&manifest("demo", ""));
        namespace.await_children("demo");
        wait_for("a status", || namespace.condition("demo", "Ready"));
    }
    assert_eq!(refusals(&operator), 0);
    operator.stop();
}
