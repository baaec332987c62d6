//! `edgepkg bench`.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use edgepkg_boards::{Board, CycleModel};
use serde::Serialize;

use super::{Outcome, write_json};
use crate::cli::{BoardArguments, OutputArguments, PackageArgument};
use crate::device::{
    Count, CountUnit, Device, DeviceError, LayerCount, Measurement, ModelCycles, OpenOptions,
};
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
    /// The core whose cycles can be modelled for what the board's emulator executes.
    cycle_model: Option<&'static str>,
    /// What that core would take where memory never waits; none where its model is not built.
    modelled_cycles: Option<u64>,
    parse_modelled_cycles: Option<u64>,
    session_modelled_cycles: Option<u64>,
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
    /// Multiplications with weights; unknown where only the artifact is there.
    macs: Option<u64>,
    count: u64,
    modelled_cycles: Option<u64>,
}

/// Measures a model.
///
/// # Errors
///
/// When the model or the board cannot be used.
pub fn execute(arguments: &BenchArguments, out: &mut dyn Write) -> Result<Outcome, Error> {
    let board = arguments.board.find()?;
    let model = arguments.package.read()?.for_board(&board, arguments.package.choices())?;
    let options = OpenOptions { cycles: ModelCycles::WherePossible, ..OpenOptions::default() };
    let mut device = arguments.board.open_with(&board, &model.artifact, "bench", options)?;
    let inputs: Vec<Vec<u8>> = model.inputs.iter().map(|port| vec![0; port.bytes()]).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let measurement = device.measure(&inputs)?;
    let microseconds = match measurement.run {
        Some(_) => None,
        None => Some(median_microseconds(&mut *device, &inputs)?),
    };
    let layers = layer_costs(&mut *device, &model, &inputs)?;
    let result = result(&model, &board, &measurement, microseconds, layers);
    if arguments.format.json {
        write_json(out, &result)?;
    } else {
        write_summary(out, &board, &result)?;
    }
    Ok(Outcome::Good)
}

fn result(
    model: &BoardModel,
    board: &Board,
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
        board: board.name.clone(),
        source: match (instructions, cycles) {
            (Some(_), _) => "emulated, exact",
            (None, Some(_)) => "hardware, counted",
            (None, None) if board.is_host() => "this computer, time measured",
            (None, None) => "time measured here, with the link",
        },
        instructions,
        cycles,
        cycle_model: cycle_model(board).map(CycleModel::name),
        modelled_cycles: modelled(measurement.run),
        parse_modelled_cycles: modelled(measurement.parse),
        session_modelled_cycles: modelled(measurement.session),
        parse_count: measurement.parse.map(|count| count.value),
        session_count: measurement.session.map(|count| count.value),
        microseconds,
        arena_bytes: measurement.arena_bytes,
        stack_bytes: measurement.stack_bytes,
        layers,
    }
}

fn cycle_model(board: &Board) -> Option<CycleModel> {
    board.emulator.as_ref().and_then(|emulator| emulator.cycle_model)
}

fn modelled(count: Option<Count>) -> Option<u64> {
    count.and_then(|count| count.modelled_cycles)
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

fn layer_costs(
    device: &mut dyn Device,
    model: &BoardModel,
    inputs: &[&[u8]],
) -> Result<Vec<LayerCost>, DeviceError> {
    let layers = LayerCount::of_operators(&device.operator_counts(inputs)?);
    let cost = |layer: &LayerCount| LayerCost {
        index: layer.layer,
        name: model.layer_name(layer.layer),
        operator: layer.kind.name().to_owned(),
        macs: model.layers.get(layer.layer as usize).map(|layer| layer.macs),
        count: layer.count.value,
        modelled_cycles: layer.count.modelled_cycles,
    };
    Ok(layers.iter().map(cost).collect())
}

fn write_summary(out: &mut dyn Write, board: &Board, result: &BenchResult) -> Result<(), Error> {
    writeln!(out, "{} {} on `{}` ({})", result.name, result.version, result.board, result.source)?;
    if !result.layers.is_empty() {
        writeln!(out, "\n{}", layer_table(result))?;
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
    if let Some(model) = cycle_model(board) {
        write_modelled_cycles(out, model, result)?;
    }
    if let Some(microseconds) = result.microseconds {
        let of =
            if board.is_host() { "of this computer, not of a board" } else { "the link's time is in it" };
        writeln!(out, "  {:<14} {microseconds:.1} us (median; {of})", "time")?;
    }
    writeln!(out, "  {:<14} {}", "arena", Bytes(result.arena_bytes.into()))?;
    if let Some(stack_bytes) = result.stack_bytes {
        writeln!(out, "  {:<14} {}", "stack", Bytes(stack_bytes.into()))?;
    }
    Ok(())
}

/// A row a layer; shares and costs of a multiplication are of the modelled cycles where there are some.
fn layer_table(result: &BenchResult) -> Table {
    let counted = if result.cycles.is_some() { "cycles" } else { "instructions" };
    let weighed = |layer: &LayerCost| layer.modelled_cycles.unwrap_or(layer.count);
    let total: u64 = result.layers.iter().map(weighed).sum();
    let mut table = Table::new([
        ("#", Align::Right),
        ("layer", Align::Left),
        ("operator", Align::Left),
        (counted, Align::Right),
        ("modelled cycles", Align::Right),
        ("per MAC", Align::Right),
        ("share", Align::Right),
    ]);
    for layer in &result.layers {
        let of_a_mac = |macs: u64| format!("{:.2}", weighed(layer) as f64 / macs as f64);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row([
            layer.index.to_string(),
            short_name(&layer.name),
            layer.operator.clone(),
            table::Count(layer.count).to_string(),
            or_dash(layer.modelled_cycles.map(|cycles| table::Count(cycles).to_string())),
            or_dash(layer.macs.filter(|&macs| macs > 0).map(of_a_mac)),
            Percent(weighed(layer) as f64 / total.max(1) as f64).to_string(),
        ]);
    }
    table
}

fn write_modelled_cycles(out: &mut dyn Write, model: CycleModel, result: &BenchResult) -> Result<(), Error> {
    let Some(cycles) = result.modelled_cycles else {
        writeln!(
            out,
            "  {:<14} not modelled: for a {} that takes Linux, QEMU 7 or 8 and `cargo xtask runners` in a checkout",
            "cycles",
            model.core()
        )?;
        return Ok(());
    };
    writeln!(
        out,
        "  {:<14} {} (modelled: a {} whose memory never waits; not measured)",
        "cycles",
        table::Count(cycles),
        model.core()
    )?;
    for (what, cycles) in
        [("  to check it", result.parse_modelled_cycles), ("  to start it", result.session_modelled_cycles)]
    {
        if let Some(cycles) = cycles {
            writeln!(out, "  {what:<14} {}", table::Count(cycles))?;
        }
    }
    Ok(())
}
