//! The figures as people read them.

use std::fmt::Write;

use edgepkg::table::{Count, Percent, short_name};

use crate::figures::{Figures, LayerFigures, ModelFigures};

/// The board whose layers are shown; those of the others are in the data.
const BOARD: &str = "qemu-cortex-m4";

const MOST_EXPENSIVE: usize = 5;
/// An SMLAD is two multiplications in a cycle.
const FLOOR_CYCLES_PER_MAC: f64 = 0.5;

const INTRODUCTION: &str = "\
# What the models cost

Written by `cargo xtask perf` from [perf.toml](perf.toml), which also has every layer on the other boards; `cargo xtask test`
fails where a figure grows by more than half a percent under the same compiler.

Instructions are counted, exactly, in QEMU. Cycles are modelled: what Arm's manual charges a Cortex-M4 for those instructions
where memory never waits, with a refill of 2 for each taken branch (`host/cycle_plugin`). Nothing here was measured on
silicon. Per MAC: of the multiplications with weights that are executed; two SMLAD lanes make 0.5 the floor of a Cortex-M4.
Models are MLPerf Tiny's `reference_int8.tflite` files; `vww-all-channels` is vww with `--keep-dead-channels`.
";

/// The report.
pub fn markdown(figures: &Figures) -> String {
    let mut text = String::from(INTRODUCTION);
    write(&mut text, figures).expect("a string takes everything");
    text
}

fn write(text: &mut String, figures: &Figures) -> std::fmt::Result {
    writeln!(text, "\n## Images, with every operator\n")?;
    writeln!(text, "| board | code, bytes | static RAM, bytes | compiler |\n|---|---:|---:|---|")?;
    for (board, image) in &figures.image {
        let (code, ram) = (Count(image.code_bytes), Count(image.static_ram_bytes));
        writeln!(text, "| `{board}` | {code} | {ram} | {} |", image.compiler)?;
    }
    if figures.image.keys().any(|name| name.ends_with("-base")) {
        writeln!(
            text,
            "\nA name that ends in `-base` is of a runner with the operators of kinds 1 to 16 alone, one that ends in `-embedded` of a \
             minimal image (`edgepkg build --embed`): the runtime, the operators of its model, a `main` that runs test vectors, \
             without model and vectors."
        )?;
    }
    writeln!(text, "\n## Whole models\n")?;
    writeln!(
        text,
        "| model | board | MACs | artifact, bytes | arena, bytes | stack, bytes | instructions to start | \
         instructions a run | per MAC | modelled cycles | per MAC |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    for (model, boards) in &figures.model {
        for (board, of) in boards {
            write_model(text, model, board, of)?;
        }
    }
    writeln!(text, "\n## The {MOST_EXPENSIVE} most expensive layers of each model on `{BOARD}`\n")?;
    write_most_expensive(text, figures)?;
    for (model, boards) in &figures.model {
        if let Some(of) = boards.get(BOARD) {
            writeln!(text, "\n## {model} on `{BOARD}`, by layer\n")?;
            write_layers(text, of)?;
        }
    }
    Ok(())
}

fn write_model(text: &mut String, model: &str, board: &str, of: &ModelFigures) -> std::fmt::Result {
    let macs = of.macs();
    let start = of.parse_instructions + of.session_instructions;
    write!(text, "| {model} | `{board}` | {} | {} ", Count(macs), Count(of.artifact_bytes))?;
    write!(text, "| {} | {} | {} ", Count(of.arena_bytes), Count(of.stack_bytes), Count(start))?;
    write!(text, "| {} | {} ", Count(of.run_instructions), per_mac(Some(of.run_instructions), macs))?;
    writeln!(text, "| {} | {} |", or_dash(of.run_cycles), per_mac(of.run_cycles, macs))
}

fn write_layers(text: &mut String, of: &ModelFigures) -> std::fmt::Result {
    writeln!(
        text,
        "| # | layer | operator | MACs | instructions | per MAC | modelled cycles | per MAC | share |\n\
         |---:|---|---|---:|---:|---:|---:|---:|---:|"
    )?;
    let weight = |layer: &LayerFigures| layer.cycles.unwrap_or(layer.instructions);
    let total: u64 = of.layers.iter().map(weight).sum();
    for layer in &of.layers {
        let LayerFigures { layer: number, name, operator, macs, instructions, cycles, .. } = layer;
        let share = Percent(weight(layer) as f64 / total.max(1) as f64);
        write!(text, "| {number} | {} | {operator} | ", short_name(name).replace('|', "\\|"))?;
        write!(text, "{} | {} | ", or_dash(Some(*macs).filter(|&macs| macs > 0)), Count(*instructions))?;
        write!(text, "{} | {} | ", per_mac(Some(*instructions), *macs), or_dash(*cycles))?;
        writeln!(text, "{} | {share} |", per_mac(*cycles, *macs))?;
    }
    Ok(())
}

/// Why layers are above the floor.
const ABOVE_THE_FLOOR: &str = "
*Multiplying* is the floor. *Fetching, unpacking* is what else the inner loop executes, for these multiplications:

- `PackedConv2d`: 28 instructions and 30 cycles for 32 multiplications: 16 SMLAD, which are the floor, 4 SXTB16 that unpack every
  other channel's weights, and loads of 8 words in 10 cycles, as 2 pixels by 4 channels leave registers for 2 words of weights and 2
  of inputs. LDRD and LDM for half of them took 26 instructions and 31 cycles. The loop turns every 256 multiplications.
- `PackedDepthwiseConv2d`, 3 by 3, by 1: 16 instructions and 18 cycles for the 18 multiplications of two outputs. Of the 12
  multiplying instructions 6 are single (SMLABT, SMLATB), as windows of 3 have an odd pixel; 3 words of pixels are loaded, the 3
  before them are still there. By 2: 22 cycles, as 6 words are loaded.
- `PackedFullyConnected`: 40 cycles for 32 multiplications: every weight is loaded for one multiplication, 4 LDRD of 3 cycles each.

*Filled up* are multiplications by the zeros behind a row of a window, a channel or a pixel that is not there. *The rest* widens
inputs to 16 bits, loads and rescales sums (3 instructions each where a fused multiplication does for both roundings, 6 where it
does not), stores outputs and turns loops.
";

/// Against what their multiplications alone take at two a cycle.
fn write_most_expensive(text: &mut String, figures: &Figures) -> std::fmt::Result {
    writeln!(
        text,
        "| model | # | operator | MACs | modelled cycles | per MAC | times the floor | of them multiplying \
         | fetching, unpacking | filled up | the rest | the rest, per output |\n\
         |---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    let of_board = figures.model.iter().filter_map(|(model, boards)| Some((model, boards.get(BOARD)?)));
    for (model, of) in of_board {
        let mut layers: Vec<_> = of.layers.iter().filter_map(|layer| Some((layer, layer.cycles?))).collect();
        layers.sort_by_key(|(_, cycles)| std::cmp::Reverse(*cycles));
        for (layer, cycles) in layers.into_iter().take(MOST_EXPENSIVE) {
            write_against_the_floor(text, model, layer, cycles)?;
        }
    }
    write!(text, "{ABOVE_THE_FLOOR}")
}

fn write_against_the_floor(
    text: &mut String,
    model: &str,
    layer: &LayerFigures,
    cycles: u64,
) -> std::fmt::Result {
    let LayerFigures { layer: number, operator, macs, .. } = layer;
    let floor = *macs as f64 * FLOOR_CYCLES_PER_MAC;
    let times = if *macs == 0 { "-".to_owned() } else { format!("{:.1}", cycles as f64 / floor) };
    write!(text, "| {model} | {number} | {operator} | {} | {} ", Count(*macs), Count(cycles))?;
    write!(text, "| {} | {times} ", per_mac(Some(cycles), *macs))?;
    let Some(loops) = layer.loops else {
        return writeln!(text, "| - | - | - | - | - |");
    };
    let share = |cycles_of: f64| Percent(cycles_of / cycles as f64);
    let cycles_per_mac = loops.cycles as f64 / loops.macs as f64;
    let fetching = *macs as f64 * cycles_per_mac - floor;
    let filled_up = (loops.macs - macs) as f64 * cycles_per_mac;
    let rest = cycles as f64 - loops.cycles as f64;
    write!(text, "| {} | {} | {} ", share(floor), share(fetching), share(filled_up))?;
    writeln!(text, "| {} | {:.1} |", share(rest), rest / loops.outputs as f64)
}

fn or_dash(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| Count(count).to_string())
}

fn per_mac(count: Option<u64>, macs: u64) -> String {
    match count {
        Some(count) if macs > 0 => format!("{:.2}", count as f64 / macs as f64),
        _ => "-".to_owned(),
    }
}
