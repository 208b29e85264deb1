//! What librdkafka tells a transactional client in callbacks: the fate of messages, and that brokers are away. Kept for
//! whoever asks, never acted on.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode as Code},
    producer::{DeliveryResult, NoCustomPartitioner, ProducerContext},
};

use crate::kafka::{
    log::{self, Remark},
    waiting::Waiting,
};

/// What librdkafka tells in callbacks.
#[derive(Default)]
pub(super) struct Reports {
    servers: String,
    told: Mutex<Told>,
    /// Told of each report.
    pub(super) changed: Condvar,
    pub(super) remark: Remark,
}

/// What was told since the transaction was begun.
#[derive(Default)]
pub(super) struct Told {
    /// Messages of whose fate we heard.
    pub(super) reported: usize,
    /// Those that failed, by their number.
    pub(super) failed: Vec<(usize, Code)>,
    /// Why no broker can be used.
    pub(super) unreachable: Option<Waiting>,
}

impl Reports {
    /// Of a client of these brokers.
    pub(super) fn new(servers: String) -> Self {
        Self { servers, ..Self::default() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.remark.note(&error, reason);
        if error == KafkaError::Global(Code::AllBrokersDown) {
            self.lock().unreachable = Some((&self.remark.trouble(&self.servers, reason)).into());
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let mut told = self.lock();
        told.reported += 1;
        match result {
            Ok(_) => told.unreachable = None,
            Err((error, _)) => {
                told.failed.push((number, error.rdkafka_error_code().unwrap_or(Code::Unknown)));
            }
        }
        drop(told);
        self.changed.notify_all();
    }
}
