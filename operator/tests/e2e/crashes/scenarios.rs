//! What happens to pipelines, in steps there and back.

use serde_json::json;

use super::acts::{
    claim, clear, edit_pods, foreign, make, older_and_younger, set, strimzi, strip, with_strimzi,
};
use super::scenario::{
    Goal::{Both, Gone, Ready},
    Scenario, Step,
};
use crate::support::Place;

/// The lists and watches of the start are the same in every scenario and change nothing: to crash at each of them in
/// two scenarios is enough. Those about the Lease come last.
const AFTER_START: usize = 17;

const DEMO_IS_READY: (&str, &str) = ("demo", "AsDesired");
const IS_READY: super::scenario::Goal = Ready(DEMO_IS_READY.0, DEMO_IS_READY.1);

/// Changes of the spec.
const CHANGES: [Scenario; 7] = [
    scenario(
        "scale",
        make,
        step(
            "scaled up",
            |at| set(at, &json!({"producer": {"replicas": 2}, "consumer": {"replicas": 3}})),
            IS_READY,
        ),
        step(
            "scaled down",
            |at| set(at, &json!({"producer": {"replicas": 1}, "consumer": {"replicas": 1}})),
            IS_READY,
        ),
    ),
    scenario(
        "image",
        make,
        step(
            "image changed",
            |at| set(at, &json!({"image": "example.com/batchpipe:next"})),
            IS_READY,
        ),
        step("image changed back", |at| set(at, &json!({"image": null})), IS_READY),
    ),
    scenario(
        "codec",
        make,
        step("codec changed", |at| set(at, &json!({"compression": {"codec": "zlib"}})), IS_READY),
        step(
            "codec changed back",
            |at| set(at, &json!({"compression": {"codec": "zstd"}})),
            IS_READY,
        ),
    ),
    scenario(
        "side",
        make,
        step("side removed", |at| set(at, &json!({"producer": null})), IS_READY),
        step(
            "side added",
            |at| set(at, &json!({"producer": {"source": {"generator": {}}}})),
            IS_READY,
        ),
    ),
    scenario(
        "invalid",
        make,
        step(
            "made invalid",
            |at| set(at, &json!({"producer": {"source": {"generator": null, "stdin": {}}}})),
            Ready("demo", "InvalidSpec"),
        ),
        step(
            "mended",
            |at| set(at, &json!({"producer": {"source": {"generator": {}, "stdin": null}}})),
            IS_READY,
        ),
    ),
    scenario(
        "pause",
        make,
        step("paused", |at| set(at, &json!({"state": "Paused"})), Ready("demo", "Paused")),
        step("resumed", |at| set(at, &json!({"state": "Running"})), IS_READY),
    ),
    Scenario {
        lanes: 4,
        ..scenario(
            "drain",
            make,
            step("drained", |at| set(at, &json!({"state": "Drained"})), Ready("demo", "Drained")),
            step("resumed after draining", |at| set(at, &json!({"state": "Running"})), IS_READY),
        )
    },
];

/// Pipelines and children that come and go.
const LIVES: [Scenario; 7] = [
    Scenario {
        from: 1,
        ..scenario(
            "create",
            |_| {},
            step("created", make, IS_READY),
            step("deleted", |at| at.delete_last("batchpipelines", "demo"), Gone("demo")),
        )
    },
    scenario(
        "edit",
        make,
        step("children edited", edit_pods, IS_READY),
        step("children stripped", strip, IS_READY),
    ),
    scenario(
        "lose",
        make,
        step("children deleted", clear, IS_READY),
        step(
            "more children deleted",
            |at| {
                at.delete("deployments", "demo-consumer");
                at.delete("networkpolicies", "demo-consumer");
                at.delete("poddisruptionbudgets", "demo-producer");
            },
            IS_READY,
        ),
    ),
    scenario(
        "conflict",
        |at| older_and_younger(at, "own"),
        step(
            "conflict began",
            |at| claim(at, "shared"),
            Both([DEMO_IS_READY, ("other", "Conflict")]),
        ),
        step(
            "conflict ended",
            |at| claim(at, "own"),
            Both([DEMO_IS_READY, ("other", "AsDesired")]),
        ),
    ),
    Scenario {
        from: 1,
        ..scenario(
            "heir",
            |at| older_and_younger(at, "shared"),
            step(
                "the older one deleted",
                |at| at.delete_last("batchpipelines", "demo"),
                Ready("other", "AsDesired"),
            ),
            step(
                "an older one wins",
                |at| {
                    at.delete_last("batchpipelines", "other");
                    super::scenario::await_gone(at, "other");
                    older_and_younger(at, "shared");
                },
                Both([DEMO_IS_READY, ("other", "Conflict")]),
            ),
        )
    },
    // After a failure it looks again only after some seconds.
    Scenario {
        lanes: 4,
        ..scenario(
            "foreign",
            |at| {
                foreign(at);
                make(at);
            },
            step("foreign objects gone", clear, IS_READY),
            step(
                "foreign objects came",
                |at| {
                    clear(at);
                    // As at the start: with somebody else's ServiceAccount there none is made.
                    at.delete("deployments", "demo-consumer");
                    foreign(at);
                },
                Ready("demo", "Conflict"),
            ),
        )
    },
    scenario(
        "strimzi",
        strimzi,
        step("created with Strimzi", with_strimzi, IS_READY),
        step(
            "deleted with Strimzi",
            |at| {
                at.delete_last("batchpipelines", "demo");
                for topic in at.list("kafkatopics") {
                    at.delete("kafkatopics", topic["metadata"]["name"].as_str().unwrap());
                }
            },
            Gone("demo"),
        ),
    ),
];

const fn step(name: &'static str, act: fn(&Place), goal: super::scenario::Goal) -> Step {
    Step { name, act, goal }
}

const fn scenario(name: &'static str, set_up: fn(&Place), there: Step, back: Step) -> Scenario {
    Scenario { name, lanes: 1, from: AFTER_START, set_up, there, back }
}

pub(super) fn all() -> Vec<Scenario> {
    LIVES.into_iter().chain(CHANGES).collect()
}
