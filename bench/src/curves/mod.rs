//! How the cost grows: one setting at a time is varied, all points take turns, and each curve says where it bends.

mod bend;
mod document;
mod files;
mod points;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    pipeline::{Pipeline, Records},
    report::machine::Machine,
    rounds::{self, Contender, Run, Series, Side},
    spread::float,
    stage::Stage,
};
use files::Files;
use points::{Curve, Point};

/// The name of the document.
const DOCUMENT: &str = "benchmarks-curves.md";

/// What is to be measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often all points take their turn
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// Records of about 234 bytes; of larger ones so many fewer
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    records: u64,
    /// The folder that the document is written to
    #[arg(long, value_name = "FOLDER", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"))]
    output: std::path::PathBuf,
}

/// A curve with what its points cost.
struct Measured {
    curve: Curve,
    costs: Vec<PointCost>,
}

/// What one point costs.
struct PointCost {
    label: String,
    record_bytes: f64,
    produce: Series,
    consume: Series,
}

/// Measures all curves, and writes the document.
pub(crate) fn run(args: &Args) -> Result<()> {
    let machine = Machine::look()?;
    let stage = Stage::start()?;
    let files = Files::new(stage.folder(), args.records);
    let mut all = Vec::new();
    for curve in points::curves() {
        eprintln!("curve {:?}", curve.title);
        all.push(measure(&stage, &files, curve, args.rounds.max(1))?);
    }
    let text = document::markdown(&machine, args.rounds.max(1), args.records, &all);
    println!("{text}");
    let path = args.output.join(DOCUMENT);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn measure(stage: &Stage, files: &Files<'_>, curve: Curve, rounds: usize) -> Result<Measured> {
    let mut inputs = Vec::new();
    for point in &curve.points {
        inputs.push(files.get(point.content)?);
    }
    let mut contenders = Vec::new();
    for (number, (point, input)) in curve.points.iter().zip(&inputs).enumerate() {
        let records = Records { file: &input.file, count: input.records };
        let topic = format!("{}-{number}", curve.name);
        contenders.extend(turns(stage, records, point, topic));
    }
    let mut series = rounds::interleave(contenders, rounds)?.into_iter();
    let mut costs = Vec::new();
    for (point, input) in curve.points.iter().zip(&inputs) {
        let (produce, consume) = (series.next(), series.next());
        costs.push(PointCost {
            label: point.label.clone(),
            record_bytes: float(bytes(&input.file)?) / float(input.records),
            produce: produce.context("a point was not measured")?,
            consume: consume.context("a point was not measured")?,
        });
    }
    Ok(Measured { curve, costs })
}

/// A point's two turns: records go to a new topic, and are read back.
fn turns<'a>(
    stage: &'a Stage,
    records: Records<'a>,
    point: &Point,
    topic: String,
) -> [Contender<'a>; 2] {
    let shape = point.shape;
    let turn = move |side, work: fn(&Pipeline<'a>) -> Result<Run>, topic: String| {
        Contender::new(&*point.label, side, move |round| {
            work(&Pipeline::new(stage, records, shape, format!("{topic}-{round}")))
        })
    };
    [
        turn(Side::Produce, Pipeline::produce, topic.clone()),
        turn(Side::Consume, Pipeline::consume, topic),
    ]
}

fn bytes(file: &Path) -> Result<u64> {
    let about = fs::metadata(file);
    Ok(about.with_context(|| format!("cannot look at {}", file.display()))?.len())
}
