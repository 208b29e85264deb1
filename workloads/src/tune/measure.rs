//! Measuring candidates: the CPU time of this thread, in turns. The only part that looks at a clock.
//!
//! A pass compresses and seals all batches of the sample as a producer does, and another opens and checks the
//! messages as a consumer does. CPU time, not time: what else the machine does counts less. Candidates take
//! turns in rounds, and the median counts, so that a machine that becomes slower does so for all.

use std::time::Duration;

use batchpipe_api::{
    codec::Codec,
    envelope::{CONTENT_ENCODING, CONTENT_TYPE, Envelope, HEADER, Incarnation, NDJSON},
};
use rustix::time::{ClockId, clock_gettime};

use super::{
    Candidate, Measured,
    cut::{Cut, Layout},
    framing, layout_of,
    numbers::{median, quotient},
    sample::Sample,
};
use crate::{
    chunk::{Records, Rules},
    codec::{CodecError, Encoder},
    decode::{Batch, Headers, Limits, Message, Opened, Opener},
    source::{BLOCK_BYTES, Block},
};

/// A pass over a small sample is repeated until it has taken so long.
const LEAST: Duration = Duration::from_millis(10);

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Measurements that are done.
    pub done: usize,
    /// How many there are.
    pub of: usize,
    /// What comes next.
    pub next: Candidate,
}

/// What was measured.
pub(super) struct Outcome {
    /// CPU seconds to find and check a million records.
    pub(super) handling: f64,
    /// The candidates, in their order.
    pub(super) measured: Vec<Measured>,
}

/// Why something could not be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// The codec cannot be used.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A message could not be opened again.
    #[error("{0} does not give back what was put into it; this is a defect of batchpipe")]
    RoundTrip(Codec),
}

/// What one candidate took in one round.
struct Run {
    compress: f64,
    decompress: f64,
    messages: u64,
    value_bytes: u64,
    topic_bytes: u64,
}

/// A message as it goes to the broker.
struct Sealed {
    value: Box<[u8]>,
    codec: Codec,
    envelope: String,
}

/// Measures all candidates, taking turns.
pub(super) fn measure(
    sample: &Sample,
    layouts: &[Layout],
    candidates: &[Candidate],
    rounds: u32,
    mut tell: impl FnMut(Progress),
) -> Result<Outcome, MeasureError> {
    let of = candidates.len() * rounds as usize;
    let mut runs: Vec<Vec<Run>> = candidates.iter().map(|_| Vec::new()).collect();
    let (mut bench, mut handling, mut done) = (Bench::new(sample), Vec::new(), 0);
    for _ in 0..rounds {
        handling.push(bench.handle());
        for (candidate, runs) in candidates.iter().zip(&mut runs) {
            tell(Progress { done, of, next: *candidate });
            runs.push(bench.run(candidate, layout_of(layouts, candidate))?);
            done += 1;
        }
    }
    let records = sample.facts.records;
    let summed = candidates.iter().zip(runs).map(|(it, runs)| summarize(*it, &runs, records));
    Ok(Outcome { handling: per_million(median(handling), records), measured: summed.collect() })
}

fn per_million(seconds: f64, records: u64) -> f64 {
    seconds * quotient(1_000_000, records)
}

fn summarize(candidate: Candidate, runs: &[Run], records: u64) -> Measured {
    let time = |of: fn(&Run) -> f64| per_million(median(runs.iter().map(of).collect()), records);
    let last = runs.last().expect("there is at least one round");
    Measured {
        candidate,
        messages: last.messages,
        records_per_message: quotient(records, last.messages),
        value_bytes: quotient(last.value_bytes, records),
        topic_bytes: quotient(last.topic_bytes, records),
        compress: time(|run| run.compress),
        decompress: time(|run| run.decompress),
    }
}

/// CPU time of this thread so far.
fn cpu_time() -> Duration {
    // The system's clock of a thread stands at no negative time.
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// CPU seconds of one pass.
fn timed<E>(mut pass: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let (start, mut passes) = (cpu_time(), 0_u32);
    loop {
        pass()?;
        passes += 1;
        let spent = cpu_time().saturating_sub(start);
        if spent >= LEAST {
            return Ok(spent.as_secs_f64() / f64::from(passes));
        }
    }
}

/// What is used again from one candidate to the next, as a thread of a pipeline uses it again.
struct Bench<'a> {
    sample: &'a Sample,
    opener: Opener,
    opened: Batch,
    scratch: Vec<u8>,
    sealed: Vec<Sealed>,
}

impl<'a> Bench<'a> {
    fn new(sample: &'a Sample) -> Self {
        Self {
            sample,
            opener: Opener::new(),
            opened: Batch::default(),
            scratch: Vec::new(),
            sealed: Vec::new(),
        }
    }

    /// CPU seconds to find line ends and check every record, in blocks as a source reads them.
    fn handle(&self) -> f64 {
        let blocks = Layout::new(self.sample, u32::MAX, BLOCK_BYTES);
        let (mut block, mut records) = (Block::default(), Records::default());
        let rules = Rules { validate: true, key: None };
        let pass = || {
            for cut in &blocks.cuts {
                block.text.extend_from_slice(&self.sample.text()[cut.text.clone()]);
                records.fill(&mut block, &rules);
            }
            Ok::<_, std::convert::Infallible>(())
        };
        let Ok(seconds) = timed(pass);
        seconds
    }

    fn run(&mut self, candidate: &Candidate, layout: &Layout) -> Result<Run, MeasureError> {
        let mut encoder = Encoder::new(candidate.codec, candidate.level)?;
        // Its memory is touched for the first time, which happens once in the life of a producer.
        self.seal(&mut encoder, &layout.cuts[..1]);
        let compress = timed(|| {
            self.seal(&mut encoder, &layout.cuts);
            Ok::<_, MeasureError>(())
        })?;
        let decompress = timed(|| self.open(&layout.cuts))
            .map_err(|Altered| MeasureError::RoundTrip(candidate.codec))?;
        let sizes = self.sealed.iter().map(|it| it.value.len() as u64);
        Ok(Run {
            compress,
            decompress,
            messages: self.sealed.len() as u64,
            value_bytes: sizes.sum(),
            topic_bytes: self.sealed.iter().map(Sealed::topic_bytes).sum(),
        })
    }

    /// A producer's work on full batches.
    fn seal(&mut self, encoder: &mut Encoder, cuts: &[Cut]) {
        self.sealed.clear();
        for cut in cuts {
            let text = &self.sample.text()[cut.text.clone()];
            let codec = encoder.encode(text, &mut self.scratch);
            let envelope = Envelope {
                records: cut.len(),
                raw_bytes: text.len() as u64,
                crc32c: Some(crc32c::crc32c(text)),
                incarnation: Incarnation(u64::MAX),
                sequence: cut.records.start as u64,
                validated: true,
                dead_lettered: None,
            };
            let (value, envelope) = (Box::from(self.scratch.as_slice()), envelope.to_string());
            self.sealed.push(Sealed { value, codec, envelope });
        }
    }

    /// A consumer's work on messages.
    fn open(&mut self, cuts: &[Cut]) -> Result<(), Altered> {
        let limits = Limits { max_bytes: usize::MAX, max_records: u32::MAX };
        for (sealed, cut) in self.sealed.iter().zip(cuts) {
            let opened = self.opener.open(&sealed.message(), &limits, true, &mut self.opened);
            // That the text is the same was checked by its CRC.
            let is_whole = matches!(opened, Ok(Opened::Batch { envelope: Some(_), .. }))
                && self.opened.records == cut.len()
                && self.opened.text.len() == cut.text.len();
            if !is_whole {
                return Err(Altered);
            }
        }
        Ok(())
    }
}

/// What came out is not what went in.
struct Altered;

impl Sealed {
    fn message(&self) -> Message<'_> {
        let encoding = self.codec.content_encoding().as_bytes();
        let headers = Headers::new(Some(encoding), Some(self.envelope.as_bytes()));
        Message { value: Some(&self.value), headers }
    }

    /// Bytes on the topic when it has one of Kafka's record batches to itself.
    fn topic_bytes(&self) -> u64 {
        let headers = [
            (CONTENT_TYPE, NDJSON.as_bytes()),
            (CONTENT_ENCODING, self.codec.content_encoding().as_bytes()),
            (HEADER, self.envelope.as_bytes()),
        ];
        framing::alone(self.value.len() as u64, &headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::{cut, sample};

    fn sample() -> Sample {
        let text = (0..300).map(|id| format!("{{\"id\":{id},\"text\":\"always the same\"}}\n"));
        let limits = sample::Limits { records: 0, bytes: 1 << 20, record_bytes: 1000 };
        Sample::read(text.collect::<String>().as_bytes(), &limits).unwrap()
    }

    fn candidate(codec: Codec, max_records: u32) -> Candidate {
        Candidate { codec, level: codec.default_level(), max_records }
    }

    #[test]
    fn every_codec_is_measured_in_turns_and_gives_back_what_was_put_in() {
        let sample = sample();
        let (layouts, _) = cut::layouts(&sample, &[10, 100], 10_000);
        let candidates: Vec<_> = Codec::ALL.map(|codec| candidate(codec, 100)).into();
        let mut turns = Vec::new();
        let outcome = measure(&sample, &layouts, &candidates, 2, |it| turns.push(it)).unwrap();
        assert!(outcome.handling > 0.0);
        let next: Vec<_> = turns.iter().map(|it| it.next).collect();
        assert_eq!(next, candidates.repeat(2));
        for (measured, candidate) in outcome.measured.iter().zip(&candidates) {
            assert_eq!((measured.candidate, measured.messages), (*candidate, 3));
            assert!(measured.compress > 0.0 && measured.decompress > 0.0, "{measured:?}");
            let framed = measured.topic_bytes - measured.value_bytes;
            // 61 for the record batch, some 140 for the headers, for a hundred records.
            assert!((1.9..2.3).contains(&framed), "{measured:?}");
        }
    }

    #[test]
    fn bytes_are_those_of_the_codec() {
        let sample = sample();
        let (layouts, _) = cut::layouts(&sample, &[300], 100_000);
        let candidates = [candidate(Codec::None, 300), candidate(Codec::Zstd, 300)];
        let outcome = measure(&sample, &layouts, &candidates, 1, |_| ()).unwrap();
        let mut value = Vec::new();
        Encoder::new(Codec::Zstd, Some(1)).unwrap().encode(sample.text(), &mut value);
        let bytes: Vec<_> = outcome.measured.iter().map(|it| it.value_bytes * 300.0).collect();
        for (bytes, expected) in bytes.iter().zip([sample.text().len(), value.len()]) {
            assert!((bytes - quotient(expected as u64, 1)).abs() < 1e-6, "{bytes} {expected}");
        }
    }

    #[test]
    fn sleeping_costs_nothing() {
        let before = cpu_time();
        std::thread::sleep(Duration::from_millis(30));
        assert!(cpu_time().saturating_sub(before) < Duration::from_millis(15));
    }
}
