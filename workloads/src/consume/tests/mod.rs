//! How memory is divided, and what tests of the consumer's parts have in common: its settings, a member of a group, and a
//! worker's desk.

mod settling;

use std::{cell::Cell, sync::Weak};

use batchpipe_api::report::Role;
use rdkafka::consumer::BaseConsumer;

use super::{
    assignments::Assignments, dead_letters::DeadLetters, desk::Desk, group::Context,
    watermarks::Watermarks, *,
};
use crate::{
    admin::Side,
    budget::Budget,
    decode::{Batch, Opener},
    kafka::{
        outbox::Settings,
        stand_in::{StandIn, TOPIC, cluster_of},
    },
    ledger::Ledger,
    shutdown::Shutdown,
};

const MIB: usize = 1024 * 1024;

fn config(max_bytes: usize) -> Config {
    Config {
        cluster: Cluster::default(),
        topic: TopicSpec::existing(TOPIC),
        group: "g".to_owned(),
        dead_letter: TopicSpec::existing("t.dlq"),
        limits: Limits { max_bytes, max_records: 1 },
        validate: true,
        grace: Duration::ZERO,
        limit: None,
        catch_up: CatchUp::default(),
        sink_bytes: 0,
    }
}

#[test]
fn the_defaults_fit_into_a_container_of_128_mib() {
    assert_eq!(config(16 * MIB).check_memory(64 * MIB), Ok(()));
}

/// The documents say so.
#[test]
fn the_defaults_make_six_workers() {
    let division = Division::of(256 * MIB, &config(16 * MIB));
    assert_eq!((division.workers, division.queue), (6, 8 * MIB));
}

#[test]
fn what_a_sink_holds_is_charged() {
    let config = Config { sink_bytes: 64 * MIB, ..config(16 * MIB) };
    assert!(config.check_memory(64 * MIB).is_err());
    assert_eq!(Division::of(256 * MIB, &config).workers, 4);
}

#[test]
fn what_does_not_fit_is_refused_and_what_fits_never_exceeds_the_share() {
    assert!(config(256 * MIB).check_memory(256 * MIB).is_err());
    for share in [64 * MIB, 256 * MIB, 4096 * MIB] {
        assert!(Division::of(share, &config(MIB)).total(&config(MIB)) <= share);
    }
}

#[test]
fn no_message_that_may_occur_is_larger_than_what_it_has_to_pass() {
    let config = config(100 * MIB);
    let division = Division::of(4096 * MIB, &config);
    assert!(division.fetch >= config.largest_value());
    assert!(division.letters >= config.largest_letter());
}

/// The settings of a consumer at this broker.
pub(super) fn config_at(broker: &StandIn) -> Config {
    Config { cluster: cluster_of(broker), ..config(MIB) }
}

/// A client of the group, which has not joined it yet.
pub(super) fn member(config: &Config, assignments: &Arc<Assignments>) -> BaseConsumer<Context> {
    let (wake, _) = crossbeam_channel::bounded(1);
    let context = Context::new(config, false, Arc::clone(assignments), shared().side, wake);
    let access = config.cluster.access().unwrap();
    access.consumer_config(&config.group, MIB).create_with_context(context).unwrap()
}

fn shared() -> Shared {
    let ledger = Arc::new(Ledger::new());
    let side = Side::new(Role::Consumer, Arc::clone(&ledger));
    let budget = Budget::new(64 * MIB);
    Shared { ledger, budget, share: 64 * MIB, side, shutdown: Shutdown::new() }
}

/// What a worker with this sink has at hand, of which no letter gets anywhere.
fn desk(sink: Arc<dyn Sink>) -> Desk {
    let limits = Limits { max_bytes: MIB, max_records: 10 };
    let (config, shared) = (Config { limits, ..config(MIB) }, shared());
    let letters = Settings {
        cluster: config.cluster.clone(),
        topic: config.dead_letter.clone(),
        transport: "none".to_owned(),
        max_message_bytes: MIB,
        window_bytes: MIB,
    };
    let (notices, _) = crossbeam_channel::unbounded();
    Desk {
        config: Arc::new(config),
        dead_letters: DeadLetters::start(letters, shared.clone()),
        heartbeat: shared.side.heartbeat("worker"),
        shared,
        sink,
        watermarks: Arc::new(Watermarks::default()),
        client: Weak::new(),
        notices,
        opener: Opener::new(),
        batch: Batch::default(),
        stopped: Cell::new(false),
        checked: Cell::new(None),
    }
}
