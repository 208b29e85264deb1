//! `batchpipe tune`: a file of records in, the best settings for them out.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, IsTerminal, Write as _},
    path::{Path, PathBuf},
};

use batchpipe_api::{
    codec::Codec,
    units::{ByteSize, Timespan},
};

use super::{Exit, demo::codec};
use crate::{
    error::chain,
    tune::{
        self, Demand, Options, Tuning, json,
        measure::{MeasureError, Progress},
        plan::{self, PlanError},
        report,
        sample::{Limits, Sample, SampleError},
    },
};

/// What stands for standard input in the place of a file.
const STANDARD_INPUT: &str = "-";
/// How long a batch may wait unless somebody says so.
const MAX_LINGER: Timespan = Timespan::from_secs(1);

/// Measure codecs, levels and batch sizes on your records, and recommend one of them
///
/// FILE holds one JSON record on each line. A sample of its first records is compressed with every codec, level and
/// batch size; sizes on the topic and CPU time are printed as a table, then the recommendation as a part of a pipeline's
/// spec. No Kafka is needed, and nothing is sent.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 done, 1 the file cannot be read or holds no records, or the report cannot be written, \
                  2 wrong usage."
)]
pub(super) struct Args {
    /// The file with the records; - for standard input
    file: PathBuf,
    /// A codec to measure: zstd, gzip, zlib, lz4, snappy or none; may be given several times; all without it
    #[arg(long = "codec", value_name = "CODEC", value_parser = codec)]
    codecs: Vec<Codec>,
    /// A level to measure, with each codec that has it; may be given several times
    #[arg(long = "level", value_name = "N", allow_negative_numbers = true)]
    levels: Vec<i32>,
    /// A batch size to measure, in records; may be given several times; 10 to 5000 without it
    #[arg(long = "batch", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batches: Vec<u32>,
    /// Most bytes in a batch before compression, as in batch.maxBytes
    #[arg(long, value_name = "SIZE", default_value = "900Ki", value_parser = max_bytes)]
    max_bytes: ByteSize,
    /// Measure so many records at most; without it, as many as --sample takes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// Read so much of the file at most; up to 1Gi. All of it is kept in memory
    #[arg(long, value_name = "SIZE", default_value = "16Mi", value_parser = sample_bytes)]
    sample: ByteSize,
    /// Measure everything so often; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Records that come in a second: tells how long batches take to fill, and recommends a linger
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// The longest linger to recommend with --rate; 1s by default, at most 10m
    #[arg(long, value_name = "TIME", requires = "rate", value_parser = linger)]
    max_linger: Option<Timespan>,
    /// Also write a report with plots: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum TuneError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("--report {0} would overwrite the records; name another file")]
    Overwrites(String),
    #[error("cannot open {0}")]
    Open(String, #[source] io::Error),
    #[error("{0}")]
    Sample(String, #[source] SampleError),
    #[error("cannot write --report {0}")]
    Report(String, #[source] io::Error),
    #[error("cannot measure")]
    Measure(#[from] MeasureError),
}

impl TuneError {
    const fn exit(&self) -> Exit {
        match self {
            Self::Plan(_) | Self::Overwrites(_) => Exit::Usage,
            Self::Open(..) | Self::Sample(..) | Self::Report(..) | Self::Measure(_) => Exit::Failed,
        }
    }
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let tuning = match self.tune() {
            Ok(tuning) => tuning,
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                return error.exit();
            }
        };
        let text =
            if self.json { format!("{}\n", json::json(&tuning)) } else { tuning.to_string() };
        // A reader that has gone does not need it; the report is written already.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        Exit::Done
    }

    fn tune(&self) -> Result<Tuning, TuneError> {
        let settings = plan::settings(&self.codecs, &self.levels)?;
        self.check_report()?;
        let sample = self.read()?;
        let report = self.report.as_deref().map(open).transpose()?;
        let max_linger = self.max_linger.unwrap_or(MAX_LINGER);
        let options = Options {
            settings,
            batches: self.batches(),
            max_bytes: self.max_bytes,
            rounds: self.rounds,
            demand: self.rate.map(|rate| Demand { rate, max_linger }),
        };
        let is_terminal = io::stderr().is_terminal();
        let tell = |progress| {
            if is_terminal {
                show(progress);
            }
        };
        let tuning = tune::tune(self.name(), &sample, options, tell);
        if is_terminal {
            eprint!("\r\x1b[K");
        }
        let tuning = tuning?;
        if let Some((path, mut file)) = report {
            let html = report::html(&tuning);
            replace(&mut file, &html)
                .map_err(|error| TuneError::Report(path.display().to_string(), error))?;
        }
        Ok(tuning)
    }

    fn name(&self) -> String {
        if self.is_standard_input() {
            "standard input".to_owned()
        } else {
            // A name cannot change the terminal.
            let name = self.file.display().to_string();
            name.replace(char::is_control, "\u{fffd}")
        }
    }

    fn is_standard_input(&self) -> bool {
        self.file == Path::new(STANDARD_INPUT)
    }

    /// In rising order, each once.
    fn batches(&self) -> Vec<u32> {
        let wanted = if self.batches.is_empty() { &plan::BATCHES[..] } else { &self.batches };
        let mut batches = wanted.to_vec();
        batches.sort_unstable();
        batches.dedup();
        batches
    }

    /// Refuses to write the report over the records.
    fn check_report(&self) -> Result<(), TuneError> {
        let Some(report) = &self.report else { return Ok(()) };
        // What cannot be looked up is not there, so it is not the same file.
        let same = fs::canonicalize(report).ok().zip(fs::canonicalize(&self.file).ok());
        let is_same = !self.is_standard_input() && same.is_some_and(|(one, other)| one == other);
        if is_same { Err(TuneError::Overwrites(report.display().to_string())) } else { Ok(()) }
    }

    fn read(&self) -> Result<Sample, TuneError> {
        let limits = Limits {
            records: self.records.unwrap_or(0),
            bytes: self.sample.bytes(),
            record_bytes: self.max_bytes.as_usize(),
        };
        let sample = if self.is_standard_input() {
            Sample::read(io::stdin().lock(), &limits)
        } else {
            let file =
                File::open(&self.file).map_err(|error| TuneError::Open(self.name(), error))?;
            Sample::read(BufReader::with_capacity(1 << 16, file), &limits)
        };
        sample.map_err(|error| TuneError::Sample(self.name(), error))
    }
}

/// Opens the report's file now, so that nobody waits for figures that cannot be written.
fn open(path: &Path) -> Result<(&Path, File), TuneError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map(|file| (path, file))
        .map_err(|error| TuneError::Report(path.display().to_string(), error))
}

/// Not done before there is something to take the place of what was in the file.
fn replace(file: &mut File, html: &str) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(0)?; // devices and pipes have no length
    }
    file.write_all(html.as_bytes())
}

fn show(progress: Progress) {
    let Progress { done, of, next } = progress;
    let level = next.level.map(|level| format!(" {level}")).unwrap_or_default();
    eprint!("\r\x1b[K{done} of {of}: {}{level}, {} records", next.codec, next.max_records);
}

fn max_bytes(text: &str) -> Result<ByteSize, String> {
    within(text, ByteSize::from_kib(1), ByteSize::from_mib(64))
}

fn sample_bytes(text: &str) -> Result<ByteSize, String> {
    within(text, ByteSize::from_kib(1), ByteSize::from_mib(1024))
}

fn linger(text: &str) -> Result<Timespan, String> {
    within(text, Timespan::from_millis(1), Timespan::from_secs(600))
}

/// Reads a value that has bounds.
fn within<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: Copy + std::str::FromStr<Err: ToString> + PartialOrd + std::fmt::Display,
{
    let value: T = text.parse().map_err(|error: T::Err| error.to_string())?;
    if value < least || value > most {
        return Err(format!("must be {least} to {most}"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_bounds() {
        assert_eq!(max_bytes("64Mi"), Ok(ByteSize::from_mib(64)));
        assert_eq!(max_bytes("512"), Err("must be 1Ki to 64Mi".to_owned()));
        assert_eq!(sample_bytes("2Gi"), Err("must be 1Ki to 1Gi".to_owned()));
        assert_eq!(linger("11m"), Err("must be 1ms to 10m".to_owned()));
        assert!(linger("5").unwrap_err().contains("100ms"));
    }
}
