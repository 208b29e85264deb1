//! An edit that cannot be applied over is taken back by two requests of their own, which fail here in every way: the child
//! is tried seldom, the pipeline says what is wrong with it, and it is mended when they work.

use std::{
    collections::BTreeSet,
    sync::Mutex,
    thread::sleep,
    time::{Duration, Instant},
};

use batchpipe_operator::client::Verb;
use serde_json::{Value, json};

use super::each::{FAULTS, Switch};
use crate::support::{Fault, Operator, Place, Request, attended, lasting, options, within};

/// How long they fail.
const WINDOW: Duration = Duration::from_secs(40);
/// The most looks at what is to be taken back in this time.
const MOST: usize = 12;
/// The longest wait between two tries is a minute.
const RECOVERY: Duration = Duration::from_secs(75);
const KIND: &str = "poddisruptionbudgets";

/// A name, which request fails, and how.
fn subjects() -> Vec<(String, Verb, Fault)> {
    let of = |(word, verb)| {
        FAULTS.into_iter().map(move |(fault, what)| (format!("{word}-{fault}"), verb, what))
    };
    [("look", Verb::Get), ("take", Verb::Patch)].into_iter().flat_map(of).collect()
}

fn path(name: &str) -> String {
    format!("/{KIND}/{name}-producer")
}

/// Which of these requests fails. Nothing else reads these children one by one: the write that follows is the one that
/// takes them back.
fn rule(request: &Request, read: &Mutex<BTreeSet<String>>) -> Fault {
    let all = subjects();
    let Some((name, verb, fault)) =
        all.iter().find(|(name, ..)| request.path.ends_with(&path(name)))
    else {
        return Fault::None;
    };
    let mut read = read.lock().unwrap();
    let is_it = match request.verb {
        Verb::Get => {
            read.insert(name.clone());
            *verb == Verb::Get
        }
        Verb::Patch => read.remove(name) && *verb == Verb::Patch,
        _ => false,
    };
    if is_it { *fault } else { Fault::None }
}

fn make(place: &Place, name: &str) {
    place.create("batchpipelines", &json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": name},
        "spec": {"kafka": {"bootstrapServers": "kafka:9093"}, "producer": {"source": {"generator": {}}}},
    }));
}

fn spec(place: &Place, name: &str) -> Option<Value> {
    Some(place.find(KIND, &format!("{name}-producer"))?["spec"].clone())
}

/// The condition `Ready`.
fn ready(place: &Place, name: &str) -> Option<Value> {
    let object = place.find("batchpipelines", name)?;
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|it| it["type"] == "Ready").cloned()
}

/// What is taken back by requests that fail is tried seldom, said and mended.
pub(super) fn check() {
    let (cluster, server) = attended();
    let place = Place::new(&server, "reclaim");
    let (switch, read) = (Switch::default(), Mutex::default());
    let faults = switch.faults(move |request| rule(request, &read));
    let mut options = options(&place.namespace, "operator");
    options.concurrency = 16;
    options.lease.timing = lasting();
    let operator = Operator::at(&place.shipped_rights(cluster), options, faults);
    let subjects = subjects();
    for (name, ..) in &subjects {
        make(&place, name);
    }
    let before: Vec<_> =
        subjects.iter().map(|(name, ..)| within(RECOVERY, name, || spec(&place, name))).collect();

    switch.set(true);
    let (begun, asked) = (Instant::now(), operator.faults.count());
    for (name, ..) in &subjects {
        let both = json!({"spec": {"maxUnavailable": null, "minAvailable": 1}});
        place.merge(KIND, &format!("{name}-producer"), &both);
    }
    sleep(WINDOW.saturating_sub(begun.elapsed()));
    let seen = operator.faults.seen().split_off(asked);
    for (name, verb, fault) in &subjects {
        let is_look = |it: &&Request| it.verb == Verb::Get && it.path.ends_with(&path(name));
        let tries = seen.iter().filter(is_look).count();
        println!("{tries:>3} tries in {} s: {name}", WINDOW.as_secs());
        assert!((1..=MOST).contains(&tries), "{name} was tried {tries} times");
        // Taken back although the answer broke off: the next try has nothing in its way.
        if *fault == Fault::HalfOpen && *verb == Verb::Patch {
            continue;
        }
        let ready = ready(&place, name).unwrap();
        assert_eq!(ready["reason"], "ApiError", "{name}: {ready}");
        let message = ready["message"].as_str().unwrap();
        assert!(message.contains(&format!("PodDisruptionBudget {name}-producer")), "{message}");
    }

    switch.set(false);
    for ((name, ..), before) in subjects.iter().zip(before) {
        within(RECOVERY, &format!("{name} as it was"), || {
            (spec(&place, name)? == before).then_some(())
        });
        // Nobody fights for it: there were errors, and now there are none.
        within(RECOVERY, &format!("{name} to be content"), || {
            (ready(&place, name)?["reason"] == "AsDesired").then_some(())
        });
    }
    operator.stop();
}
