//! What librdkafka tells the outbox in callbacks: deliveries, and that brokers are away. Sent on, never acted on.

use std::sync::Arc;

use crossbeam_channel::Sender;
use rdkafka::{
    ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryResult, NoCustomPartitioner, ProducerContext},
};

use super::{Report, health::Health};
use crate::kafka::log::{self, Remark};

/// The callbacks of one client.
pub(super) struct Context {
    pub(super) generation: u32,
    pub(super) reports: Sender<Report>,
    pub(super) health: Arc<Health>,
    pub(super) servers: String,
    pub(super) remark: Remark,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.remark.note(&error, reason);
        match error {
            KafkaError::Global(RDKafkaErrorCode::AllBrokersDown) => {
                self.health.set(&(&self.remark.trouble(&self.servers, reason)).into());
            }
            KafkaError::Global(RDKafkaErrorCode::Fatal) => {
                let _ = self.reports.send(Report::fatal(self.generation));
            }
            _ => {}
        }
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let (partition, result) = match result {
            Ok(message) => (message.partition(), Ok(())),
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                (message.partition(), Err(code))
            }
        };
        if result.is_ok() {
            self.health.set_up();
        }
        let number = u32::try_from(number).expect("lanes number with u32");
        // The outbox is gone only when the process ends.
        let _ = self.reports.send(Report::message(self.generation, partition, number, result));
    }
}
