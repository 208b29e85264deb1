//! A client that is let go of within bounds.
//!
//! librdkafka (2.12) stands still for ever in destroying a client when a broker says in that moment that an offset is out of
//! range: `rd_kafka_offset_reset_op_cb` comes to itself, and waits for a lock that it holds. That is just what brokers say
//! behind a record batch that is damaged.

use std::{ops::Deref, thread, time::Duration};

use rdkafka::{ClientConfig, consumer::BaseConsumer, error::KafkaResult};

use super::topics::QuietContext;

/// How long the end of a client is waited for. It takes milliseconds if it comes at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client whose end is waited for, but not for ever: then its threads stay until the process ends.
pub(crate) struct Bounded(Option<BaseConsumer<QuietContext>>);

impl Bounded {
    pub(crate) fn create(settings: &ClientConfig) -> KafkaResult<Self> {
        settings.create_with_context(QuietContext::default()).map(|client| Self(Some(client)))
    }
}

impl Deref for Bounded {
    type Target = BaseConsumer<QuietContext>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("it is taken out only when this is dropped")
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        let client = self.0.take();
        let (told, gone) = crossbeam_channel::bounded::<()>(0);
        // Without a thread the client is dropped here, with what was to run in it.
        let _ = thread::Builder::new().name("closing".to_owned()).spawn(move || {
            drop(client);
            drop(told);
        });
        if gone.recv_timeout(PATIENCE) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            tracing::debug!("a client does not end; it is left behind");
        }
    }
}
