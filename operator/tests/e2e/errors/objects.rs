//! Every kind of request about one object, failing in every way, all at the same time: each object is tried at most
//! twelve times a minute, says what is wrong, harms no other, and recovers when the fault has passed.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use batchpipe_operator::client::Verb;
use serde_json::{Value, json};

use super::{
    each::{FAULTS, Switch},
    reclaim,
};
use crate::support::{Fault, Operator, Place, Request, attended, lasting, options, within};

/// How long everything fails.
const WINDOW: Duration = Duration::from_mins(1);
/// The most tries of one object in this time.
const MOST: usize = 12;
/// The longest wait between two tries is a minute.
const RECOVERY: Duration = Duration::from_secs(75);
/// Others are not delayed by more than this, on a busy machine.
const SOON: Duration = Duration::from_secs(15);
const KINDS: [&str; 8] = ["get", "apply", "delete", "stop", "status", "topic", "kafka", "user"];

/// A pipeline to which something happens.
struct Subject {
    kind: &'static str,
    name: String,
    fault: Fault,
}

impl Subject {
    fn all() -> Vec<Self> {
        let of = |kind| {
            let each = FAULTS.into_iter();
            each.map(move |(fault, what)| Self {
                kind,
                name: format!("{kind}-{fault}"),
                fault: what,
            })
        };
        KINDS.into_iter().flat_map(of).collect()
    }

    /// Whether this request is the one that fails.
    fn is_hit(&self, request: &Request) -> bool {
        let (verb, path) = match self.kind {
            "get" => (Verb::Get, format!("/serviceaccounts/{}-batchpipe", self.name)),
            "apply" | "stop" => (Verb::Patch, format!("/deployments/{}-producer", self.name)),
            "delete" => (Verb::Delete, format!("/deployments/{}-consumer", self.name)),
            "status" => (Verb::Patch, format!("/batchpipelines/{}/status", self.name)),
            "topic" => (Verb::Get, format!("/kafkatopics/{}", self.name)),
            "user" => (Verb::Get, format!("/kafkausers/{}", self.name)),
            _ => (Verb::Get, format!("/kafkas/{}", self.name)),
        };
        request.verb == verb && request.path.ends_with(&path)
    }

    /// Whether it is made only when everything fails already.
    fn is_late(&self) -> bool {
        ["topic", "kafka", "user"].contains(&self.kind)
    }

    fn make(&self, place: &Place) {
        let mut object = pipeline(&self.name);
        if self.kind == "user" {
            place.create_kafka_with_user(&self.name);
            object["spec"]["kafka"] = json!({"strimzi":
                {"cluster": self.name, "listener": "tls", "user": self.name}});
        } else if self.is_late() {
            place.create_kafka(&self.name);
            object["spec"]["kafka"] =
                json!({"strimzi": {"cluster": self.name, "listener": "plain"}});
        }
        place.create("batchpipelines", &object);
    }

    /// Makes the operator send what fails.
    fn act(&self, place: &Place) {
        match self.kind {
            "get" => place.delete("serviceaccounts", &format!("{}-batchpipe", self.name)),
            "apply" => set(place, &self.name, &json!({"image": "example.com/batchpipe:next"})),
            "delete" => set(place, &self.name, &json!({"consumer": null})),
            // What cannot be carried out can only be stopped.
            "stop" => set(
                place,
                &self.name,
                &json!({"state": "Paused", "producer": {"source": {"generator": null, "stdin": {}}}}),
            ),
            "status" => set(place, &self.name, &json!({"state": "Paused"})),
            _ => self.make(place),
        }
    }

    fn goal(&self) -> &'static str {
        match self.kind {
            "status" => "Paused",
            "stop" => "InvalidSpec",
            _ => "AsDesired",
        }
    }

    /// Fails when its status does not say what is wrong.
    fn assert_said(&self, object: &Value) {
        let Self { kind, name, fault } = self;
        // What the server has done although its answer broke off is found when it is looked for again.
        let is_done = *fault == Fault::HalfOpen && ["apply", "delete", "stop"].contains(kind);
        if *kind == "status" || is_done {
            return;
        }
        let ready = ready(object);
        if *kind == "stop" {
            assert_ne!(object["status"]["phase"], "Paused", "{name}: {object}");
            let message = ready["message"].as_str().unwrap_or_default();
            assert!(message.contains(&format!("Deployment {name}-producer")), "{name}: {message}");
        } else {
            assert_eq!(ready["reason"], "ApiError", "{name}: {object}");
        }
    }
}

fn pipeline(name: &str) -> Value {
    json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline", "metadata": {"name": name},
        "spec": {
            "kafka": {"bootstrapServers": "kafka:9093"},
            "producer": {"source": {"generator": {}}}, "consumer": {"sink": {"blackhole": {}}},
        },
    })
}

fn set(place: &Place, name: &str, spec: &Value) {
    place.merge("batchpipelines", name, &json!({"spec": spec}));
}

/// Waits until all of these are as they should be.
fn await_all(place: &Place, patience: Duration, wanted: &[(&str, &str)]) {
    let mut last = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let objects = place.list("batchpipelines");
        let is_as_wanted = |(name, reason): &&(&str, &str)| {
            let object = objects.iter().find(|it| it["metadata"]["name"] == **name);
            object.is_some_and(|it| {
                it["status"]["observedGeneration"] == it["metadata"]["generation"]
                    && ready(it)["reason"] == **reason
            })
        };
        last = wanted.iter().filter(|it| !is_as_wanted(it)).collect();
        if last.is_empty() {
            return;
        }
        sleep(Duration::from_millis(500));
    }
    panic!("not within {patience:?}: {last:?}");
}

fn ready(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().find(|it| it["type"] == "Ready").cloned().unwrap_or_default()
}

fn image(place: &Place, name: &str) -> Option<Value> {
    let deployment = place.find("deployments", &format!("{name}-producer"))?;
    Some(deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone())
}

#[test]
fn whatever_fails_about_one_object_is_tried_seldom_said_and_mended_without_harm_to_others() {
    // Both wait most of the time.
    std::thread::scope(|scope| {
        scope.spawn(reclaim::check);
        check();
    });
}

fn check() {
    let (cluster, server) = attended();
    let place = Place::new(&server, "errors");
    let switch = Switch::default();
    let subjects = Subject::all();
    let faults = switch.faults(move |request| {
        let hit = subjects.iter().find(|subject| subject.is_hit(request));
        hit.map_or(Fault::None, |subject| subject.fault)
    });
    let mut options = options(&place.namespace, "operator");
    // As it is shipped: as many objects may hang at a time as it looks at together.
    options.concurrency = 16;
    // A leader that begins anew forgets what has failed: here it leads all the time, however busy the machine is.
    options.lease.timing = lasting();
    let operator = Operator::at(&place.shipped_rights(cluster), options, faults);
    let subjects = Subject::all();
    let early: Vec<_> = subjects.iter().filter(|subject| !subject.is_late()).collect();
    for subject in &early {
        subject.make(&place);
    }
    place.create("batchpipelines", &pipeline("good"));
    let names = early.iter().map(|subject| (subject.name.as_str(), "AsDesired"));
    await_all(&place, Duration::from_mins(2), &names.collect::<Vec<_>>());

    switch.set(true);
    let (begun, before) = (Instant::now(), operator.faults.count());
    for subject in &subjects {
        subject.act(&place);
    }
    set(&place, "good", &json!({"image": "example.com/batchpipe:good"}));
    within(SOON, "a change of the one that is well", || {
        (image(&place, "good")? == "example.com/batchpipe:good").then_some(())
    });
    sleep(WINDOW.saturating_sub(begun.elapsed()));
    let seen = operator.faults.seen().split_off(before);
    let objects = place.list("batchpipelines");
    let tries_of = |subject: &Subject| seen.iter().filter(|it| subject.is_hit(it)).count();
    for subject in &subjects {
        println!("{:>3} tries in {} s: {}", tries_of(subject), WINDOW.as_secs(), subject.name);
    }
    for subject in &subjects {
        let name = &subject.name;
        let about = || seen.iter().filter(|it| it.path.contains(name)).collect::<Vec<_>>();
        let tries = tries_of(subject);
        assert!((1..=MOST).contains(&tries), "{name} was tried {tries} times: {:?}", about());
        let object = objects.iter().find(|it| it["metadata"]["name"] == **name).unwrap();
        subject.assert_said(object);
    }

    switch.set(false);
    let names: Vec<_> = subjects.iter().map(|it| (it.name.as_str(), it.goal())).collect();
    await_all(&place, RECOVERY, &names);
    for Subject { name, .. } in subjects.iter().filter(|subject| subject.kind == "stop") {
        within(RECOVERY, &format!("{name} to be stopped"), || {
            let deployment = place.find("deployments", &format!("{name}-producer"))?;
            (deployment["spec"]["replicas"] == 0).then_some(())
        });
    }
    operator.stop();
}
