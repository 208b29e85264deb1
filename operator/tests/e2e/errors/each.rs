//! Every way in which a request can fail.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::support::{Fault, Faults, Request};

/// A name, short enough for objects, and what it is.
pub(super) const FAULTS: [(&str, Fault); 9] = [
    ("409", Fault::Status(409)),
    ("410", Fault::Status(410)),
    ("422", Fault::Status(422)),
    ("429", Fault::Status(429)),
    ("500", Fault::Status(500)),
    ("503", Fault::Status(503)),
    ("timeout", Fault::NeverSent),
    ("reset", Fault::Reset),
    ("half-open", Fault::HalfOpen),
];

/// Something that fails for as long as it is switched on.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(super) fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::SeqCst);
    }

    /// Requests fail as `rule` says while it is on.
    pub(super) fn faults(
        &self,
        rule: impl Fn(&Request) -> Fault + Send + Sync + 'static,
    ) -> Faults {
        let is_on = Arc::clone(&self.0);
        Faults::new(
            move |request| {
                if is_on.load(Ordering::SeqCst) { rule(request) } else { Fault::None }
            },
        )
    }
}
