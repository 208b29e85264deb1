//! Records out of nothing, for demos, tests and measurements: realistic, and the same for the same seed.
//!
//! Every record is one compact JSON object and carries its number (`id` in the profile `seed`, else `seq`),
//! from 0 up without holes, so that a reader can see what is missing or doubled.

mod clock;
mod logs;
mod pace;
mod random;
mod records;
mod seed;
mod telemetry;
#[cfg(test)]
mod tests;
mod text;
mod ticks;
mod vitals;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use self::{clock::VirtualClock, pace::Pace, random::Random, records::Records, text::Line};
use super::{BLOCK_BYTES, Block, Position, Read, Source, SourceError};

/// How long the generator waits before it asks again whether it may go on.
const ASK_AGAIN: Duration = Duration::from_millis(2);
/// Between two records on their own clock when no rate is given, in microseconds.
const DEFAULT_STEP_MICROSECONDS: u64 = 100;
/// 2026-01-01, when [`generate`]'s records begin, in milliseconds since 1970.
const EXAMPLE_START_MS: u64 = 1_767_225_600_000;

/// What the records look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileName {
    /// The records of the origin's Python demo, 60 to 66 bytes.
    Seed,
    /// Measurements of devices, about 234 bytes.
    Telemetry,
    /// Trades on a market, about 110 bytes.
    Ticks,
    /// Vital signs of patients, about 180 bytes.
    Vitals,
    /// Log lines of services, 200 to 300 bytes.
    Logs,
}

impl ProfileName {
    /// Every profile.
    pub const ALL: [Self; 5] = [Self::Seed, Self::Telemetry, Self::Ticks, Self::Vitals, Self::Logs];

    /// The name in a pipeline's `generator.profile`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Telemetry => "telemetry",
            Self::Ticks => "ticks",
            Self::Vitals => "vitals",
            Self::Logs => "logs",
        }
    }

    /// Reads a name; `None` when there is no such profile.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}

/// Asked before every block: whether the generator may go on. For whoever must hold it back.
pub type Gate = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a generator makes.
#[derive(Clone)]
pub struct GeneratorOptions {
    /// What the records look like.
    pub profile: ProfileName,
    /// Equal seeds give equal records.
    pub seed: u64,
    /// How many records there are; 0 = no end.
    pub limit: u64,
    /// How many records come in a second; 0 = as fast as possible. Evenly, in steps of 2 ms; after a pause
    /// at most what is due within 20 ms comes at once, the rest is not made up for.
    pub records_per_second: u64,
    /// The time of the first record, in milliseconds since 1970. The following ones are a second divided
    /// by `records_per_second` apart, or 0.1 ms, whatever real clocks say.
    pub start_ms: u64,
    /// Whether to go on, if something decides that; never asked for a single record.
    pub gate: Option<Gate>,
}

/// One profile's way of writing a record.
trait Profile {
    /// Writes one record without a line end.
    fn write(&mut self, context: &mut Context, line: &mut Line);
}

/// What the records of all profiles share.
#[derive(Debug)]
struct Context {
    /// The number of the record.
    sequence: u64,
    random: Random,
    clock: VirtualClock,
}

/// Real time, as far as the pace needs it. Tests have their own.
trait Time: Send {
    /// Time since some moment.
    fn now(&self) -> Duration;
    /// Waits.
    fn sleep(&self, period: Duration);
}

struct Monotonic(Instant);

impl Time for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, period: Duration) {
        std::thread::sleep(period);
    }
}

/// The source of a pipeline with `source.generator`.
pub struct GeneratorSource {
    records: Records,
    /// Records still to come.
    left: u64,
    made: u64,
    pace: Option<Pace>,
    gate: Option<Gate>,
    time: Box<dyn Time>,
}

impl GeneratorSource {
    /// A generator whose first record is due now.
    pub fn new(options: GeneratorOptions) -> Self {
        Self::with_time(options, Box::new(Monotonic(Instant::now())))
    }

    fn with_time(options: GeneratorOptions, time: Box<dyn Time>) -> Self {
        let rate = options.records_per_second;
        let step = 1_000_000_u64.checked_div(rate).unwrap_or(DEFAULT_STEP_MICROSECONDS);
        let clock = VirtualClock::new(options.start_ms.saturating_mul(1000), step);
        Self {
            records: Records::new(options.profile, options.seed, clock),
            left: if options.limit == 0 { u64::MAX } else { options.limit },
            made: 0,
            pace: Pace::new(rate, time.now()),
            gate: options.gate,
            time,
        }
    }

    /// How many records may be made now, and if none, how long to wait before asking again.
    fn due(&mut self) -> (u64, Duration) {
        if self.gate.as_ref().is_some_and(|may_go_on| !may_go_on()) {
            return (0, ASK_AGAIN);
        }
        let Some(pace) = &mut self.pace else { return (self.left, ASK_AGAIN) };
        (pace.due(self.time.now()).min(self.left), pace.wait())
    }

    fn make(&mut self, block: &mut Block, records: u64) -> Read {
        let made = self.records.write(&mut block.text, records, BLOCK_BYTES);
        if let Some(pace) = &mut self.pace {
            pace.spend(made);
        }
        self.left -= made;
        self.made += made;
        Read::Lines(Position(self.made))
    }
}

impl Source for GeneratorSource {
    fn read(&mut self, block: &mut Block, wait: Duration) -> Result<Read, SourceError> {
        let deadline = self.time.now().saturating_add(wait);
        while self.left > 0 {
            let (records, pause) = self.due();
            if records > 0 {
                return Ok(self.make(block, records));
            }
            let time_left = deadline.saturating_sub(self.time.now());
            if time_left.is_zero() {
                return Ok(Read::Idle);
            }
            self.time.sleep(pause.min(time_left));
        }
        Ok(Read::End)
    }

    fn acknowledge(&mut self, _position: Position) -> Result<(), SourceError> {
        Ok(())
    }
}

impl fmt::Debug for GeneratorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, left, pace, .. } = self;
        write!(f, "GeneratorSource {{ made: {made}, left: {left}, pace: {pace:?} }}")
    }
}

/// Appends records of a profile, each with a line end: input for tests and measurements.
pub fn generate(profile: ProfileName, seed: u64, records: u64, out: &mut Vec<u8>) {
    let clock = VirtualClock::new(EXAMPLE_START_MS * 1000, DEFAULT_STEP_MICROSECONDS);
    let mut source = Records::new(profile, seed, clock);
    let mut left = records;
    while left > 0 {
        left -= source.write(out, left, usize::MAX);
    }
}
