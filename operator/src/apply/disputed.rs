//! The status of a pipeline that somebody else keeps changing: it is written over as a child is put back, and the pipeline
//! says so.

use std::time::Instant;

use batchpipe_api::{
    conditions::reasons,
    pipeline::{BatchPipeline, KIND},
};
use kube::ResourceExt;

use super::{
    Failure, Written,
    contest::{Rival, Turn},
    written::{Place, place},
};

impl Written {
    /// Whether the status may be written over now.
    pub(crate) fn turn_to_correct(&self, object: &BatchPipeline, now: Instant) -> Turn {
        self.contests.turn(&of(object), now)
    }

    /// It was written over; `by` is whose words those were, as far as it is known.
    pub(crate) fn note_correction(&self, object: &BatchPipeline, by: Option<String>, now: Instant) {
        self.contests.note(of(object), by, now);
    }

    /// What there is to say when somebody changes the status again and again.
    pub(crate) fn disputed(&self, object: &BatchPipeline, now: Instant) -> Option<Failure> {
        let Rival { name } = self.contests.rival(&of(object), now)?;
        let namespace = object.namespace().unwrap_or_default();
        let object = format!("status of {KIND} {}", object.name_any());
        let (by, remedy) = if let Some(by) = name {
            (by.clone(), format!("keep {by} from it, which is the operator's to write"))
        } else {
            let remedy = format!("let only one release look after namespace {namespace}");
            ("another operator".to_owned(), remedy)
        };
        let message = format!(
            "the {object} is changed again and again by {by}, and written over more seldom; {remedy}"
        );
        Some(Failure { object, reason: reasons::CONFLICT, message, is_passing: false })
    }
}

fn of(object: &BatchPipeline) -> Place {
    place(&object.uid().unwrap_or_default(), KIND, &object.name_any())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::build::fixture::{TELEMETRY, object};

    #[test]
    fn who_changes_the_status_again_and_again_is_answered_seldom_and_named() {
        let (written, object, start) = (Written::default(), object(TELEMETRY), Instant::now());
        let is_written_over = |second: &u64| {
            let now = start + Duration::from_secs(*second);
            let may = written.turn_to_correct(&object, now) != Turn::Wait;
            if may {
                written.note_correction(&object, Some("rogue".to_owned()), now);
            }
            may
        };
        let times = (0..120).filter(is_written_over).count();
        assert!((6..=12).contains(&times), "{times}");
        let failure = written.disputed(&object, start + Duration::from_mins(2)).unwrap();
        assert_eq!((failure.reason, failure.is_passing), (reasons::CONFLICT, false));
        assert!(failure.message.contains("by rogue"), "{}", failure.message);
        assert_eq!(written.disputed(&object, start + Duration::from_mins(9)), None);
    }

    #[test]
    fn another_operator_has_our_own_name() {
        let (written, object, now) = (Written::default(), object(TELEMETRY), Instant::now());
        for _ in 0..5 {
            written.note_correction(&object, None, now);
        }
        let message = written.disputed(&object, now).unwrap().message;
        assert!(message.contains("only one release look after namespace default"), "{message}");
        written.forget(&object.uid().unwrap());
        assert_eq!(written.disputed(&object, now), None);
    }
}
