//! `batchpipe demo`.

use std::io::Write as _;

use batchpipe_api::codec::Codec;

use super::Exit;
use crate::{
    demo::{self, Options, Verdict},
    error::chain,
    source::generator::ProfileName,
};

#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 every record arrived exactly once, 1 otherwise or stopped early, 2 wrong usage."
)]
pub(super) struct Args {
    /// How many records; without it, as many as can be made in 8 seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    records: Option<u64>,
    /// What they look like: seed, telemetry, ticks, vitals or logs
    #[arg(long, value_parser = profile, default_value = "telemetry")]
    profile: ProfileName,
    /// How batches are compressed: zstd, gzip, zlib, lz4, snappy or none
    #[arg(long, value_parser = codec, default_value = "zstd")]
    codec: Codec,
    /// Print the verdict as JSON on standard output
    #[arg(long)]
    json: bool,
}

fn profile(text: &str) -> Result<ProfileName, String> {
    let names = || ProfileName::ALL.map(ProfileName::name).join(", ");
    ProfileName::from_name(text).ok_or_else(|| format!("must be one of {}", names()))
}

/// Reads a codec's name.
pub(super) fn codec(text: &str) -> Result<Codec, String> {
    let names = || Codec::ALL.map(Codec::name).join(", ");
    Codec::ALL
        .into_iter()
        .find(|codec| codec.name() == text)
        .ok_or_else(|| format!("must be one of {}", names()))
}

impl Args {
    pub(super) fn run(self) -> Exit {
        let options = Options { records: self.records, profile: self.profile, codec: self.codec };
        match demo::run(options) {
            Ok(verdict) => {
                // A reader that has gone does not need the verdict; the exit code tells it too.
                let _ = writeln!(
                    std::io::stdout().lock(),
                    "{}",
                    if self.json { json(&verdict) } else { text(&verdict) }
                );
                if verdict.is_good() { Exit::Done } else { Exit::Failed }
            }
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                Exit::Failed
            }
        }
    }
}

fn json(verdict: &Verdict) -> String {
    serde_json::to_string(&verdict.report).expect("a report is plain values")
}

fn text(verdict: &Verdict) -> String {
    let report = &verdict.report;
    let saved = 100.0 - 100.0 / report.ratio.max(f64::MIN_POSITIVE);
    let conclusion = if !verdict.identical {
        "NOT GOOD: what arrived is not what was made"
    } else if report.lost > 0 || report.duplicated > 0 {
        "NOT GOOD: records were lost or doubled"
    } else if verdict.is_short {
        "stopped early: what was made until then arrived exactly once"
    } else {
        "every record arrived exactly once, byte for byte"
    };
    format!(
        "records in      {:>14}\nrecords out     {:>14}\nlost            {:>14}\nduplicated      {:>14}\n\
         raw bytes       {:>14}\nwire bytes      {:>14}   {:.1}x smaller, {saved:.0} % saved\n\
         records/s       {:>14.0}\nlatency         {:>11.0} ms   p50; p99 {:.0} ms, from the oldest record of a batch \
         to its delivery\nverdict         {conclusion}",
        report.records_produced,
        report.records_delivered,
        report.lost,
        report.duplicated,
        report.raw_bytes,
        report.wire_bytes,
        report.ratio,
        report.records_per_second,
        report.latency_ms.p50,
        report.latency_ms.p99,
    )
}
