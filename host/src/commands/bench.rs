//! `edgepkg bench`.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::device::{Count, CountUnit, Device, DeviceError, Measurement};
use crate::error::Error;
use crate::model::BoardModel;
use crate::table::{self, Align, Bytes, Percent, Table, short_name};

/// How long runs are timed on this computer.
const TIMED: Duration = Duration::from_millis(300);
/// The fewest and the most runs that are timed.
const TIMED_RUNS: std::ops::RangeInclusive<usize> = 5..=10_000;

/// Arguments of `edgepkg bench`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  edgepkg bench kws.edgepkg --board qemu-cortex-m4
  edgepkg bench kws.edgepkg --board qemu-cortex-m4 --json")]
pub struct BenchArguments {
    #[command(flatten)]
    package: PackageArgument,
    #[command(flatten)]
    board: BoardArguments,
    #[command(flatten)]
    format: OutputArguments,
}

#[derive(Serialize)]
struct BenchResult {
    name: String,
    version: String,
    board: String,
    /// What the figures are worth.
    source: &'static str,
    instructions: Option<u64>,
    cycles: Option<u64>,
    /// To check the artifact, before the first run; in the unit of the run.
    parse_count: Option<u64>,
    /// To start a session, before the first run; in the unit of the run.
    session_count: Option<u64>,
    /// The median of many runs, where time was measured.
    microseconds: Option<f64>,
    arena_bytes: u32,
    stack_bytes: Option<u32>,
    layers: Vec<LayerCost>,
}

#[derive(Serialize)]
struct LayerCost {
    index: u32,
    name: String,
    operator: String,
    count: u64,
}

/// Measures a model.
///
/// # Errors
///
/// When the model or the board cannot be used.
pub fn execute(arguments: &BenchArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find()?;
    let model = arguments.package.read()?.for_board(&board, arguments.package.dead_channels())?;
    let mut device = arguments.board.open(&board, &model.artifact, "bench")?;
    let inputs: Vec<Vec<u8>> = model.inputs.iter().map(|port| vec![0; port.bytes()]).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let measurement = device.measure(&inputs)?;
    let microseconds = match measurement.run {
        Some(_) => None,
        None => Some(median_microseconds(&mut *device, &inputs)?),
    };
    let layers = layer_costs(&mut *device, &model, &inputs)?;
    let result = result(&model, &board.name, &measurement, microseconds, layers);
    if arguments.format.json {
        write_json(out, &result)?;
    } else {
        write_summary(out, &result)?;
    }
    Ok(Outcome::Good)
}

fn result(
    model: &BoardModel,
    board: &str,
    measurement: &Measurement,
    microseconds: Option<f64>,
    layers: Vec<LayerCost>,
) -> BenchResult {
    let of = |count: Option<Count>, unit: CountUnit| {
        count.filter(|count| count.unit == unit).map(|count| count.value)
    };
    let instructions = of(measurement.run, CountUnit::Instructions);
    let cycles = of(measurement.run, CountUnit::Cycles);
    BenchResult {
        name: model.name.clone(),
        version: model.version.clone(),
        board: board.to_owned(),
        source: match (instructions, cycles) {
            (Some(_), _) => "emulated, exact",
            (None, Some(_)) => "hardware, counted",
            (None, None) => "this computer, time measured",
        },
        instructions,
        cycles,
        parse_count: measurement.parse.map(|count| count.value),
        session_count: measurement.session.map(|count| count.value),
        microseconds,
        arena_bytes: measurement.arena_bytes,
        stack_bytes: measurement.stack_bytes,
        layers,
    }
}

fn median_microseconds(device: &mut dyn Device, inputs: &[&[u8]]) -> Result<f64, DeviceError> {
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < *TIMED_RUNS.start() || times.len() < *TIMED_RUNS.end() && begin.elapsed() < TIMED {
        let run = Instant::now();
        device.run(inputs)?;
        times.push(run.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2].as_secs_f64() * 1e6)
}

/// The counts of a layer's records, added up.
fn layer_costs(
    device: &mut dyn Device,
    model: &BoardModel,
    inputs: &[&[u8]],
) -> Result<Vec<LayerCost>, DeviceError> {
    let mut layers: Vec<LayerCost> = Vec::new();
    for record in device.operator_counts(inputs)? {
        match layers.last_mut() {
            Some(last) if last.index == record.layer => last.count += record.count.value,
            _ => layers.push(LayerCost {
                index: record.layer,
                name: model.layer_name(record.layer),
                operator: record.kind.name().to_owned(),
                count: record.count.value,
            }),
        }
    }
    Ok(layers)
}

fn write_summary(out: &mut dyn Write, result: &BenchResult) -> Result<(), Error> {
    writeln!(out, "{} {} on `{}` ({})", result.name, result.version, result.board, result.source)?;
    if !result.layers.is_empty() {
        let total: u64 = result.layers.iter().map(|layer| layer.count).sum();
        let mut table = Table::new([
            ("#", Align::Right),
            ("layer", Align::Left),
            ("operator", Align::Left),
            (if result.cycles.is_some() { "cycles" } else { "instructions" }, Align::Right),
            ("share", Align::Right),
        ]);
        for layer in &result.layers {
            table.row([
                layer.index.to_string(),
                short_name(&layer.name),
                layer.operator.clone(),
                table::Count(layer.count).to_string(),
                Percent(layer.count as f64 / total.max(1) as f64).to_string(),
            ]);
        }
        writeln!(out, "\n{table}")?;
    }
    for (what, count) in [
        ("instructions", result.instructions),
        ("cycles", result.cycles),
        ("  to check it", result.parse_count),
        ("  to start it", result.session_count),
    ] {
        if let Some(count) = count {
            writeln!(out, "  {what:<14} {}", table::Count(count))?;
        }
    }
    if let Some(microseconds) = result.microseconds {
        writeln!(out, "  {:<14} {microseconds:.1} us (median; of this computer, not of a board)", "time")?;
    }
    writeln!(out, "  {:<14} {}", "arena", Bytes(result.arena_bytes.into()))?;
    if let Some(stack_bytes) = result.stack_bytes {
        writeln!(out, "  {:<14} {}", "stack", Bytes(stack_bytes.into()))?;
    }
    Ok(())
}
