//! The sink that keeps nothing: for measuring everything but a sink.

use std::{sync::Arc, time::Instant};

use super::{Delivery, Durable, Sink, WriteError, Writer, tenure::Tenure};

/// Takes records and forgets them.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlackholeSink;

impl Sink for BlackholeSink {
    fn name(&self) -> &'static str {
        "blackhole"
    }

    fn open(&self, _: &str, _: Arc<dyn Tenure>) -> Result<Box<dyn Writer>, WriteError> {
        Ok(Box::new(Self))
    }
}

impl Writer for BlackholeSink {
    fn write(&mut self, _delivery: &Delivery<'_>, _now: Instant) -> Result<Durable, WriteError> {
        Ok(Durable::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::tenure::lasting;

    #[test]
    fn everything_counts_as_durable_at_once() {
        let mut writer = BlackholeSink.open("t", lasting(0)).unwrap();
        let delivery = Delivery {
            offset: 7,
            timestamp_ms: 0,
            text: b"1",
            runs: &[0..0, 0..1],
            records: 1,
            packed: None,
        };
        assert_eq!(writer.write(&delivery, Instant::now()).unwrap(), Durable::All);
        assert_eq!(writer.skip(8), Durable::All);
        assert_eq!(writer.flush().unwrap(), Durable::All);
    }
}
