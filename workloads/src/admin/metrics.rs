//! `/metrics`: everything computed from the state at the moment of the scrape, in the OpenMetrics text format.
//!
//! Labels are bounded: side, reason, codec, sink, and partition for lag alone.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use batchpipe_api::{reason::Reason, report::PartitionLag};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, text},
    metrics::{MetricType, exemplar::Exemplar},
    registry::{Registry, Unit},
};

use super::{side::Side, state::State};
use crate::batch::CloseReason;
use crate::{latency::BOUNDS_MS, ledger::Counts};

/// What the answer is.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A counter that the ledger keeps.
struct LedgerCounter {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    label: fn(&Side) -> Option<(&'static str, &'static str)>,
    value: fn(&Counts) -> u64,
}

impl LedgerCounter {
    const fn plain(name: &'static str, help: &'static str, value: fn(&Counts) -> u64) -> Self {
        Self { name, help, unit: None, label: |_| None, value }
    }

    const fn bytes(name: &'static str, help: &'static str, value: fn(&Counts) -> u64) -> Self {
        Self { name, help, unit: Some(Unit::Bytes), label: codec, value }
    }
}

static LEDGER_COUNTERS: [LedgerCounter; 11] = [
    LedgerCounter::plain("records_accepted", "Records taken in", |counts| counts.accepted),
    LedgerCounter {
        name: "records_delivered",
        help: "Records acknowledged by the broker (producer) or by the sink (consumer)",
        unit: None,
        label: sink,
        value: |counts| counts.delivered,
    },
    LedgerCounter::plain(
        "records_released",
        "Records given back undelivered to be fetched again, after a revocation or a failure of the sink",
        |counts| counts.released,
    ),
    LedgerCounter::plain("batches", "Batches delivered", |counts| counts.batches),
    LedgerCounter::bytes("raw", "Bytes of delivered batches before compression", |counts| {
        counts.raw_bytes
    }),
    LedgerCounter::bytes("wire", "Bytes of delivered message values", |counts| counts.wire_bytes),
    LedgerCounter::plain(
        "messages_resent",
        "Messages handed to the broker again without knowing whether the first one had arrived",
        |counts| counts.resent,
    ),
    LedgerCounter::plain("tombstones", "Messages without a value, skipped", |counts| {
        counts.tombstones
    }),
    LedgerCounter::plain(
        "newlines_replaced",
        "Records in which a raw newline became a space",
        |counts| counts.newlines_replaced,
    ),
    LedgerCounter::plain(
        "messages_expired",
        "Messages that retention removed before they were read",
        |counts| counts.expired_messages,
    ),
    LedgerCounter::plain(
        "records_missing",
        "Records that envelopes show to be missing from the topic",
        |counts| counts.missing_records,
    ),
];

fn codec(side: &Side) -> Option<(&'static str, &'static str)> {
    side.codec().map(|codec| ("codec", codec))
}

fn sink(side: &Side) -> Option<(&'static str, &'static str)> {
    side.sink().map(|sink| ("sink", sink))
}

/// A registry that describes this state.
pub(super) fn registry(state: Arc<State>) -> Registry {
    let mut registry = Registry::with_prefix("batchpipe");
    registry.register_collector(Box::new(StateCollector(state)));
    registry
}

/// The text of a scrape.
pub(super) fn scrape(registry: &Registry) -> Result<String, fmt::Error> {
    let mut answer = String::new();
    text::encode(&mut answer, registry)?;
    Ok(answer)
}

#[derive(Debug)]
struct StateCollector(Arc<State>);

/// A side and its counters at the moment of the scrape, so that all metrics agree with each other.
struct Seen<'a> {
    side: &'a Side,
    counts: Counts,
}

impl Collector for StateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sides = self.0.sides().iter();
        let seen: Vec<_> = sides.map(|side| Seen { side, counts: side.counts() }).collect();
        let mut page = Page { encoder: &mut encoder };
        page.ledger(&seen)?;
        page.batches_closed(&seen)?;
        page.latency(&seen)?;
        page.lag(&seen)?;
        page.process(&self.0)
    }
}

/// The page being written, one family of metrics after the other.
struct Page<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
}

impl Page<'_, '_> {
    fn ledger(&mut self, seen: &[Seen<'_>]) -> fmt::Result {
        for counter in &LEDGER_COUNTERS {
            let unit = counter.unit.as_ref();
            let kind = MetricType::Counter;
            let mut family =
                self.encoder.encode_descriptor(counter.name, counter.help, unit, kind)?;
            for Seen { side, counts } in seen {
                let mut labels = vec![label(side)];
                labels.extend((counter.label)(side));
                count(&mut family, &labels, (counter.value)(counts))?;
            }
        }
        self.dead_letters(seen)?;
        let help = "Records that are neither delivered nor dead-lettered nor released yet";
        let values = seen.iter().map(|seen| (seen.side, seen.counts.in_flight()));
        self.gauge("records_in_flight", help, values)
    }

    fn dead_letters(&mut self, seen: &[Seen<'_>]) -> fmt::Result {
        let help = "Records kept in the dead-letter topic";
        let kind = MetricType::Counter;
        let mut family =
            self.encoder.encode_descriptor("records_dead_lettered", help, None, kind)?;
        for Seen { side, counts } in seen {
            for reason in Reason::ALL {
                let value = counts.dead_lettered.get(&reason).copied().unwrap_or_default();
                count(&mut family, &[label(side), ("reason", reason.name())], value)?;
            }
        }
        Ok(())
    }

    fn batches_closed(&mut self, seen: &[Seen<'_>]) -> fmt::Result {
        let help = "Batches closed, by the limit that closed them";
        let mut family =
            self.encoder.encode_descriptor("batches_closed", help, None, MetricType::Counter)?;
        for Seen { side, .. } in seen {
            for (reason, value) in CloseReason::ALL.into_iter().zip(side.closed()) {
                count(&mut family, &[label(side), ("reason", reason.name())], value)?;
            }
        }
        Ok(())
    }

    fn latency(&mut self, seen: &[Seen<'_>]) -> fmt::Result {
        let help = "Time from a record's origin to its delivery, counted by record";
        let unit = Some(&Unit::Seconds);
        let mut family =
            self.encoder.encode_descriptor("latency", help, unit, MetricType::Histogram)?;
        for Seen { side, .. } in seen {
            let totals = side.latency_totals();
            let bounds = BOUNDS_MS.into_iter().map(seconds).chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(totals.buckets).collect();
            family.encode_family(&[label(side)])?.encode_histogram(
                seconds(totals.sum_ms),
                totals.records,
                &buckets,
                None::<&std::collections::HashMap<usize, Exemplar<[(&str, &str); 0], f64>>>,
            )?;
        }
        Ok(())
    }

    fn lag(&mut self, seen: &[Seen<'_>]) -> fmt::Result {
        let messages = "Messages that are not consumed yet";
        self.lag_family(("lag_messages", messages, None), seen, |lag| lag.messages)?;
        let records = "Records that are not consumed yet, estimated from the mean batch";
        self.lag_family(("lag_records", records, None), seen, |lag| lag.records)?;
        let age = "Age of the oldest message that is not consumed yet";
        self.lag_family(("lag", age, Some(&Unit::Seconds)), seen, |lag| lag.seconds)
    }

    fn lag_family<V: EncodeGaugeValue>(
        &mut self,
        (name, help, unit): (&str, &str, Option<&Unit>),
        seen: &[Seen<'_>],
        value: fn(&PartitionLag) -> Option<V>,
    ) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for Seen { side, .. } in seen {
            for lag in side.lags() {
                let labels = [label(side), ("partition", &lag.partition.to_string())];
                // What is unknown is absent, never 0.
                if let Some(value) = value(&lag) {
                    family.encode_family(&labels)?.encode_gauge(&value)?;
                }
            }
        }
        Ok(())
    }

    fn process(&mut self, state: &State) -> fmt::Result {
        let sides = || state.sides().iter().map(AsRef::as_ref);
        let ready = sides().map(|side| (side, i64::from(side.unmet().is_empty())));
        self.gauge("ready", "1 when the side is ready, else 0", ready)?;
        let stalled = sides().map(|side| (side, i64::from(!side.waiting_for().is_empty())));
        self.gauge("stalled", "1 while the side waits for something outside, else 0", stalled)?;
        let (used, limit) = (state.budget().used() as u64, state.budget().limit() as u64);
        self.bytes("memory_used", "Bytes of records in memory", used)?;
        self.bytes("memory_limit", "Bytes of records that may be in memory", limit)?;
        let help = "The program that is running";
        let mut family = self.encoder.encode_descriptor("build", help, None, MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn gauge<'s, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (&'s Side, V)>,
    ) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (side, value) in values {
            family.encode_family(&[label(side)])?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let unit = Some(&Unit::Bytes);
        self.encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
    }
}

const fn label(side: &Side) -> (&'static str, &'static str) {
    ("side", side.role().name())
}

fn count(family: &mut MetricEncoder<'_>, labels: &[(&str, &str)], value: u64) -> fmt::Result {
    family.encode_family(&labels)?.encode_counter(&value, None::<&Exemplar<[(&str, &str); 0], u64>>)
}

#[expect(clippy::cast_precision_loss, reason = "a latency needs no more than 53 bits")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use batchpipe_api::report::Role;

    use super::*;
    use crate::{admin::conditions::Gate, budget::Budget, ledger::Ledger};

    /// A consumer with one of everything, and a producer with nothing.
    fn page() -> String {
        let ledger = Arc::new(Ledger::new());
        ledger.update(|counts| {
            counts.accepted = 10;
            counts.delivered = 6;
            counts.raw_bytes = 600;
            counts.add_dead_letters(Reason::Truncated, 3);
        });
        let consumer = Side::new(Role::Consumer, ledger);
        consumer.set_sink("a \"strange\\\n name");
        let (messages, seconds) = (Some(7), Some(1.5));
        consumer.lag(PartitionLag { partition: 4, messages, seconds, ..PartitionLag::default() });
        consumer.latency(20, 6);
        let producer = Side::new(Role::Producer, Arc::default());
        producer.set_codec("zstd");
        producer.batch_closed(CloseReason::Linger);
        for gate in [Gate::Configuration, Gate::Brokers, Gate::Topic] {
            producer.gate(gate).open();
        }
        let state = State::new(Budget::new(1 << 20), vec![producer, consumer]);
        scrape(&registry(state)).unwrap()
    }

    fn has(line: &str) {
        let page = page();
        assert!(page.lines().any(|found| found == line), "no {line} in\n{page}");
    }

    #[test]
    fn the_accounting_is_exported() {
        has(r#"batchpipe_records_accepted_total{side="consumer"} 10"#);
        has(r#"batchpipe_records_dead_lettered_total{side="consumer",reason="truncated"} 3"#);
        has(r#"batchpipe_records_in_flight{side="consumer"} 1"#);
    }

    #[test]
    fn counters_exist_before_anything_is_counted() {
        has(r#"batchpipe_records_accepted_total{side="producer"} 0"#);
        has(r#"batchpipe_records_dead_lettered_total{side="producer",reason="corrupt"} 0"#);
        has(r#"batchpipe_batches_closed_total{side="producer",reason="size"} 0"#);
    }

    #[test]
    fn sizes_carry_their_unit_and_the_codec() {
        has("# UNIT batchpipe_raw_bytes bytes");
        has(r#"batchpipe_raw_bytes_total{side="producer",codec="zstd"} 0"#);
        has(r#"batchpipe_raw_bytes_total{side="consumer"} 600"#);
        has("batchpipe_memory_limit_bytes 1048576");
        has("batchpipe_memory_used_bytes 0");
    }

    #[test]
    fn label_values_are_escaped() {
        has(r#"batchpipe_records_delivered_total{side="consumer",sink="a \"strange\\\n name"} 6"#);
    }

    #[test]
    fn lag_is_given_by_partition() {
        has(r#"batchpipe_lag_messages{side="consumer",partition="4"} 7"#);
        has(r#"batchpipe_lag_seconds{side="consumer",partition="4"} 1.5"#);
    }

    #[test]
    fn lag_that_is_unknown_is_absent() {
        assert!(!page().contains("batchpipe_lag_records{"));
    }

    #[test]
    fn latencies_are_a_cumulative_histogram() {
        has(r#"batchpipe_latency_seconds_bucket{le="0.01",side="consumer"} 0"#);
        has(r#"batchpipe_latency_seconds_bucket{le="0.025",side="consumer"} 6"#);
        has(r#"batchpipe_latency_seconds_bucket{le="+Inf",side="consumer"} 6"#);
        has(r#"batchpipe_latency_seconds_sum{side="consumer"} 0.12"#);
        has(r#"batchpipe_latency_seconds_count{side="consumer"} 6"#);
    }

    #[test]
    fn readiness_and_build_are_exported() {
        has(r#"batchpipe_ready{side="producer"} 1"#);
        has(r#"batchpipe_ready{side="consumer"} 0"#);
        has(r#"batchpipe_stalled{side="consumer"} 0"#);
        has(concat!(r#"batchpipe_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#));
        has(r#"batchpipe_batches_closed_total{side="producer",reason="linger"} 1"#);
    }

    #[test]
    fn the_page_is_well_formed() {
        let page = page();
        assert!(page.ends_with("# EOF\n"));
        let mut kinds = BTreeMap::new();
        for line in page.lines() {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                assert_eq!(kinds.insert(name, kind), None, "{name} is declared twice");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap();
                value.parse::<f64>().unwrap();
                let name = series.split('{').next().unwrap();
                let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
                let is_declared =
                    |suffix| kinds.contains_key(name.strip_suffix(suffix).unwrap_or("-"));
                assert!(suffixes.into_iter().any(is_declared), "{name} is not declared");
                assert!(name.starts_with("batchpipe_"), "{name}");
            }
        }
    }
}
