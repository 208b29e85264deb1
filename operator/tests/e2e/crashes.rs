//! The operator ends in the middle of its work, at every single write: the next one brings it to the same end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::support::{CHILDREN, Fault, Faults, Namespace, Operator, cluster, wait_for};

/// An operator that gets stuck for ever at its `k`th write, and whether it has.
fn stuck_at(k: usize, fault: Fault) -> (Faults, Arc<AtomicBool>) {
    let (count, is_stuck) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let tell = Arc::clone(&is_stuck);
    let faults = Faults::new(move |request| {
        if request.is_write() && count.fetch_add(1, Ordering::Relaxed) + 1 == k {
            tell.store(true, Ordering::Relaxed);
            return fault;
        }
        Fault::None
    });
    (faults, is_stuck)
}

/// What is left of a child when all that differs from run to run is taken away. The generation stays: it tells
/// whether anything was written twice.
fn essence(namespace: Namespace<'_>, child: &str) -> String {
    let mut object = namespace.get(child);
    object.as_object_mut().unwrap().remove("status");
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| ["name", "labels", "generation"].contains(&field.as_str()));
    object.to_string().replace(namespace.name, "NAMESPACE")
}

fn outcome(namespace: Namespace<'_>) -> [String; CHILDREN.len()] {
    CHILDREN.map(|child| essence(namespace, &child.replace("NAME", "demo")))
}

/// The number of writes that it took to create a pipeline without a crash, and what came of it.
fn reference() -> (usize, [String; CHILDREN.len()]) {
    let namespace = Namespace::new(cluster(), "crash");
    let operator = Operator::start(namespace);
    namespace.pipeline("demo", "");
    namespace.await_children("demo");
    wait_for("a status", || namespace.condition("demo", "Ready"));
    let writes = operator.faults.writes().iter().filter(|it| !it.path.contains("/events")).count();
    operator.stop();
    (writes, outcome(namespace))
}

fn crash(k: usize, fault: Fault, expected: &[String]) {
    let namespace = Namespace::new(cluster(), "crash");
    let (faults, is_stuck) = stuck_at(k, fault);
    let first = Operator::with(namespace, "operator", faults);
    namespace.pipeline("demo", "");
    wait_for("the crash", || is_stuck.load(Ordering::Relaxed).then_some(()));
    first.crash();
    let second = Operator::start(namespace);
    namespace.await_children("demo");
    wait_for("a status", || namespace.condition("demo", "Ready"));
    for (found, expected) in outcome(namespace).iter().zip(expected) {
        assert_eq!(found, expected, "crash at write {k}, {fault:?}");
    }
    second.stop();
}

#[test]
fn a_crash_at_any_write_of_a_creation_changes_nothing_in_the_end() {
    let (writes, expected) = reference();
    assert!(writes > CHILDREN.len(), "each child and the status: {writes}");
    let expected = &expected;
    for fault in [Fault::NeverSent, Fault::AnswerLost] {
        thread::scope(|scope| {
            for k in 1..=CHILDREN.len() + 1 {
                scope.spawn(move || crash(k, fault, expected));
            }
        });
    }
    println!("{} crashes", 2 * (CHILDREN.len() + 1));
}
