//! `edgepkg inspect` of a model file.

use std::io::Write;

use edgepkg_quantize::import::ImportError;

use crate::error::Error;
use crate::model_file::{FileLayer, FilePort, ModelFile};
use crate::table::{Align, Bytes, Count, Shape, Table, counted, printable, short_name};

pub(super) fn write(out: &mut dyn Write, path: &str, file: &ModelFile) -> Result<(), Error> {
    let state = match file.quantized {
        Some(true) => ", int8",
        Some(false) => ", float32: to be quantized",
        None => "",
    };
    writeln!(out, "{} ({}{state})", printable(path), file.format)?;
    if !file.description.is_empty() {
        writeln!(out, "  {}", printable(&file.description))?;
    }
    writeln!(out)?;
    if !file.unsupported.is_empty() {
        writeln!(out, "{}", ImportError::UnsupportedOperators(file.unsupported.clone()))?;
        return Ok(());
    }
    writeln!(out, "{}", port_table(&file.inputs, &file.outputs))?;
    writeln!(out, "{}", layer_table(&file.layers))?;
    let counts: Vec<String> =
        file.operators.iter().map(|count| format!("{} {}", count.count, count.operator)).collect();
    writeln!(out, "{}: {}", counted(file.layers.len(), "operator"), counts.join(", "))?;
    writeln!(out, "{} parameters", Count(file.parameters))?;
    writeln!(out, "{} multiplications an inference", Count(file.macs))?;
    let would =
        if file.quantized == Some(true) { "takes" } else { "would take at most, once quantized to int8" };
    match (&file.int8, &file.int8_problem) {
        (Some(needs), _) => {
            writeln!(out, "\non a board it {would}")?;
            writeln!(out, "  flash    {} for the model, beside the runner", Bytes(needs.model_bytes as u64))?;
            writeln!(out, "  RAM      {} for the arena", Bytes(needs.arena_bytes.into()))?;
        }
        (None, Some(problem)) => {
            writeln!(out, "\nwhat it {would} cannot be said: {}", printable(problem))?;
        }
        (None, None) => {}
    }
    if !file.notes.is_empty() {
        writeln!(out, "\nnotes")?;
    }
    for note in &file.notes {
        writeln!(out, "  {}", printable(note))?;
    }
    Ok(())
}

fn port_table(inputs: &[FilePort], outputs: &[FilePort]) -> Table {
    let mut table =
        Table::new([("", Align::Left), ("name", Align::Left), ("shape", Align::Left), ("type", Align::Left)]);
    let ports = inputs.iter().map(|port| ("in", port)).chain(outputs.iter().map(|port| ("out", port)));
    for (direction, port) in ports {
        let shape = Shape(&port.shape).to_string();
        table.row([direction.to_owned(), port.name.clone(), shape, port.element.clone()]);
    }
    table
}

fn layer_table(layers: &[FileLayer]) -> Table {
    let mut table = Table::new([
        ("#", Align::Right),
        ("layer", Align::Left),
        ("operator", Align::Left),
        ("output", Align::Left),
        ("multiplications", Align::Right),
        ("parameters", Align::Right),
    ]);
    let or_dash = |number: u64| if number == 0 { "-".to_owned() } else { Count(number).to_string() };
    for (index, layer) in layers.iter().enumerate() {
        table.row([
            index.to_string(),
            short_name(&layer.name),
            layer.operator.to_owned(),
            Shape(&layer.shape).to_string(),
            or_dash(layer.macs),
            or_dash(layer.parameters),
        ]);
    }
    table
}
