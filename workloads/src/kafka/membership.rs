//! Where librdkafka is on its way into and out of the group: it tells that in its log alone. Pure.
//!
//! It has to be known, because the broker answers the members' requests in order: a commit that is sent while the
//! group is being joined anew waits behind that, and is then refused for naming the generation before.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Nothing was heard, or librdkafka is about to ask.
const OUT: u8 = 0;
/// The brokers were asked to let us join, and have not told the new generation yet.
const JOINING: u8 = 1;
/// The new generation is known, and partitions come or go.
const CHANGING: u8 = 2;
/// Nothing changes.
const STEADY: u8 = 3;

/// What librdkafka said last.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    stage: AtomicU8,
    has_asked: AtomicBool,
    has_left: AtomicBool,
}

impl Membership {
    /// Takes a line of librdkafka's log of the group (`debug=cgrp`).
    pub(crate) fn note(&self, facility: &str, text: &str) {
        match facility {
            "CGRPJOINSTATE" => {
                let Some(stage) = stage(text) else { return };
                self.stage.store(stage, Ordering::Release);
                self.has_asked.fetch_or(stage != OUT, Ordering::AcqRel);
            }
            "HEARTBEAT" => self.note_heartbeat(text),
            // Told right before the request to leave is sent, or when there is nothing to leave.
            "NOREJOIN" => self.has_left.store(true, Ordering::Release),
            _ => {}
        }
    }

    /// With the group protocol `consumer` the first heartbeat is the request to join, and its answer the generation;
    /// librdkafka leaves without a word in between.
    fn note_heartbeat(&self, text: &str) {
        if text.contains("ConsumerGroupHeartbeat of member id") {
            if !self.has_asked.swap(true, Ordering::AcqRel) {
                self.stage.store(JOINING, Ordering::Release);
            }
        } else if text.contains("ConsumerGroupHeartbeat response received for") {
            let settle = |stage| (stage < CHANGING).then_some(STEADY);
            let _ = self.stage.fetch_update(Ordering::AcqRel, Ordering::Acquire, settle);
        }
    }

    /// Whether the brokers would refuse a commit that is sent now.
    pub(crate) fn is_joining(&self) -> bool {
        self.stage.load(Ordering::Acquire) == JOINING
    }

    /// Whether nothing changes, or nothing was ever asked for.
    pub(crate) fn is_settled(&self) -> bool {
        !self.has_asked() || self.stage.load(Ordering::Acquire) == STEADY
    }

    /// Whether the brokers may know us as a member.
    pub(crate) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Acquire)
    }

    /// Whether the group was told that we leave.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }
}

/// What a line says of the stage that begins.
fn stage(text: &str) -> Option<u8> {
    let (before, after) = text.rsplit_once(" -> ")?;
    if !before.contains(" changed join state ") {
        return None;
    }
    Some(match after.split_once(' ')?.0 {
        "init" => OUT,
        "wait-join" | "wait-metadata" | "wait-sync" => JOINING,
        "steady" => STEADY,
        _ => CHANGING,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(states: &[&str]) -> Membership {
        let membership = Membership::default();
        for state in states {
            let text = format!(
                "[thrd:main]: Group \"a -> b\" changed join state init -> {state} (state up)"
            );
            membership.note("CGRPJOINSTATE", &text);
        }
        membership
    }

    #[test]
    fn a_commit_is_in_vain_from_the_request_to_join_to_the_new_generation() {
        for state in ["wait-join", "wait-metadata", "wait-sync"] {
            assert!(heard(&[state]).is_joining(), "{state}");
        }
        for state in ["init", "wait-assign-call", "wait-incr-unassign-to-complete", "steady"] {
            assert!(!heard(&["wait-join", state]).is_joining(), "{state}");
        }
    }

    #[test]
    fn who_never_asked_to_join_has_nothing_to_wait_for() {
        assert!(Membership::default().is_settled());
        assert!(!heard(&["wait-join"]).is_settled());
        assert!(!heard(&["wait-join", "init"]).is_settled(), "joined anew in a moment");
        assert!(heard(&["wait-join", "steady"]).is_settled());
    }

    #[test]
    fn the_first_heartbeat_of_the_new_protocol_asks_to_join_and_its_answer_settles_that() {
        let membership = Membership::default();
        let sent =
            "[thrd:main]: kafka:9092/1: ConsumerGroupHeartbeat of member id \"m\", group id \"g\"";
        let answer = "[thrd:main]: ConsumerGroupHeartbeat response received for member id \"m\" with epoch 1";
        membership.note("HEARTBEAT", sent);
        assert!(membership.is_joining() && !membership.is_settled());
        membership.note("HEARTBEAT", answer);
        assert!(!membership.is_joining() && membership.is_settled());
        membership.note("HEARTBEAT", sent);
        assert!(membership.is_settled(), "only the first one asks");
    }

    #[test]
    fn a_member_without_topics_has_left() {
        let membership = heard(&["steady"]);
        assert!(!membership.has_left());
        membership.note("NOREJOIN", "[thrd:main]: Group \"g\": Not rejoining group without topics");
        assert!(membership.has_left());
    }

    #[test]
    fn other_lines_say_nothing() {
        let membership = Membership::default();
        membership.note("CGRPSTATE", "Group \"g\" changed state wait-coord -> wait-join (x)");
        membership.note("CGRPJOINSTATE", "Group \"g\" changed state wait-coord -> wait-join (x)");
        assert!(!membership.has_asked());
    }
}
