//! The arena over time, as text and as JSON.

use std::fmt;

use edgepkg_quantize::arena_map::{ArenaMap, MappedBuffer, MappedStep, Role};
use edgepkg_quantize::emit::Layer;
use edgepkg_quantize::plan_memory::Optimality;
use serde::Serialize;

use crate::table::{Bytes, Count, printable, short_name};

/// Cells of a line that stand for the whole arena.
const WIDTH: usize = 64;

/// The plan of an arena, with the layers that its steps belong to.
pub(super) struct Arena<'a> {
    pub(super) map: &'a ArenaMap,
    pub(super) layers: &'a [Layer],
}

#[derive(Serialize)]
struct Buffer<'a> {
    name: &'a str,
    role: &'static str,
    offset: u32,
    bytes: u32,
    first_step: Option<usize>,
    last_step: Option<usize>,
}

#[derive(Serialize)]
struct Step<'a> {
    layer: usize,
    name: &'a str,
    operator: &'static str,
    reads: &'a [usize],
    writes: &'a [usize],
    bytes_in_use: u32,
}

#[derive(Serialize)]
struct Plan<'a> {
    arena_bytes: u32,
    lower_bound_bytes: u32,
    /// Whether it is known that no smaller arena exists.
    is_least: bool,
    buffers: Vec<Buffer<'a>>,
    steps: Vec<Step<'a>>,
}

impl Serialize for Arena<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let map = self.map;
        let buffers = map.buffers.iter().map(|buffer| Buffer {
            name: &buffer.name,
            role: match buffer.role {
                Role::Activation => "activation",
                Role::Scratch => "scratch",
            },
            offset: buffer.offset,
            bytes: buffer.bytes,
            first_step: buffer.first_step,
            last_step: buffer.last_step,
        });
        let steps = map.steps.iter().enumerate().map(|(index, step)| Step {
            layer: step.layer,
            name: self.layer_name(step),
            operator: step.operator.name(),
            reads: &step.reads,
            writes: &step.writes,
            bytes_in_use: map.bytes_in_use(index),
        });
        let plan = Plan {
            arena_bytes: map.arena_bytes,
            lower_bound_bytes: map.lower_bound_bytes,
            is_least: map.optimality == Optimality::Least,
            buffers: buffers.collect(),
            steps: steps.collect(),
        };
        plan.serialize(serializer)
    }
}

/// What a cell of the drawing shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cell {
    #[default]
    Free,
    Kept,
    Read,
    Written,
    WrittenOverRead,
    Scratch,
}

impl Cell {
    /// In the order of the legend.
    const DRAWN: [Self; 5] = [Self::Written, Self::Read, Self::WrittenOverRead, Self::Kept, Self::Scratch];

    fn character(self) -> char {
        match self {
            Cell::Free => ' ',
            Cell::Kept => '░',
            Cell::Read => '▒',
            Cell::Written => '█',
            Cell::WrittenOverRead => '▓',
            Cell::Scratch => '╳',
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Cell::Free => "free",
            Cell::Kept => "kept for later",
            Cell::Read => "read",
            Cell::Written => "written",
            Cell::WrittenOverRead => "written over what is read",
            Cell::Scratch => "scratch",
        }
    }

    /// What the cell shows when `other` lies there too.
    fn with(self, other: Cell) -> Self {
        match (self, other) {
            (Cell::Free, cell) | (cell, Cell::Free) => cell,
            (Cell::Read, Cell::Written) | (Cell::Written, Cell::Read) => Cell::WrittenOverRead,
            (Cell::Kept, cell) | (cell, Cell::Kept) => cell,
            (cell, _) => cell,
        }
    }
}

/// A line of the drawing.
struct Row {
    label: String,
    cells: [Cell; WIDTH],
    bytes_in_use: u32,
}

impl Arena<'_> {
    fn layer_name(&self, step: &MappedStep) -> &str {
        self.layers.get(step.layer).map_or("", |layer| &layer.name)
    }

    fn rows(&self) -> Vec<Row> {
        let buffers = &self.map.buffers;
        let end = |label: &str, cell: Cell, lies_there: fn(&MappedBuffer) -> bool| {
            let there = || buffers.iter().filter(|buffer| lies_there(buffer));
            Row {
                label: format!("     {label}"),
                cells: self.drawn(there().map(|buffer| (buffer, cell))),
                bytes_in_use: there().map(|buffer| buffer.bytes).sum(),
            }
        };
        let steps = self.map.steps.iter().enumerate().map(|(index, step)| {
            let in_use = buffers.iter().enumerate().filter(|(_, buffer)| buffer.is_in_use(index));
            let drawn = in_use.flat_map(|(buffer_index, buffer)| {
                let written = match buffer.role {
                    Role::Activation => Cell::Written,
                    Role::Scratch => Cell::Scratch,
                };
                let read = step.reads.contains(&buffer_index).then_some(Cell::Read);
                let written = step.writes.contains(&buffer_index).then_some(written);
                [Some(Cell::Kept), read, written].into_iter().flatten().map(move |cell| (buffer, cell))
            });
            let name = printable(&short_name(self.layer_name(step)));
            Row {
                label: format!("{:>3}  {name}", step.layer),
                cells: self.drawn(drawn),
                bytes_in_use: self.map.bytes_in_use(index),
            }
        });
        let mut rows = vec![end("inputs", Cell::Written, |buffer| buffer.first_step.is_none())];
        rows.extend(steps);
        rows.push(end("outputs", Cell::Read, |buffer| buffer.last_step.is_none()));
        rows
    }

    fn drawn<'b>(&self, buffers: impl Iterator<Item = (&'b MappedBuffer, Cell)>) -> [Cell; WIDTH] {
        let mut cells = [Cell::Free; WIDTH];
        for (buffer, cell) in buffers {
            let start = self.cell_of(buffer.offset).min(WIDTH - 1);
            let end = self.cell_of(buffer.end()).max(start + 1);
            for drawn in &mut cells[start..end] {
                *drawn = drawn.with(cell);
            }
        }
        cells
    }

    /// The boundary of cells nearest to a byte.
    fn cell_of(&self, byte: u32) -> usize {
        let arena_bytes = self.map.arena_bytes.max(1) as usize;
        (byte as usize * WIDTH + arena_bytes / 2) / arena_bytes
    }
}

/// Layers downward, bytes across.
impl fmt::Display for Arena<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ArenaMap { arena_bytes, lower_bound_bytes, optimality, .. } = *self.map;
        let bytes = |bytes: u32| Bytes(bytes.into());
        write!(f, "arena: {}, ", bytes(arena_bytes))?;
        match optimality {
            Optimality::Least => writeln!(f, "and no smaller one can be planned")?,
            Optimality::BestFound => {
                writeln!(f, "the smallest that was found; none is below {}", bytes(lower_bound_bytes))?;
            }
        }
        let rows = self.rows();
        let label_width = rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0);
        let middle = bytes(arena_bytes / 2).to_string();
        let right = bytes(arena_bytes).to_string();
        let rest = WIDTH - 1 - right.chars().count();
        writeln!(f, "  {:label_width$}  0{middle:^rest$}{right}  bytes in use", "")?;
        let half = "─".repeat(WIDTH / 2 - 1);
        writeln!(f, "  {:label_width$} ┌{half}─┬{half}┐", "")?;
        let most = rows.iter().map(|row| row.bytes_in_use).max().unwrap_or(0);
        for row in &rows {
            let cells: String = row.cells.iter().map(|cell| cell.character()).collect();
            let count = Count(row.bytes_in_use.into()).to_string();
            let mark = if row.bytes_in_use == most { " ◀ most" } else { "" };
            writeln!(f, "  {:label_width$} │{cells}│ {count:>11}{mark}", row.label)?;
        }
        writeln!(f, "  {:label_width$} └{half}─┴{half}┘", "")?;
        let is_drawn = |cell: &Cell| rows.iter().any(|row| row.cells.contains(cell));
        let legend = Cell::DRAWN.into_iter().filter(is_drawn);
        let legend: Vec<String> =
            legend.map(|cell| format!("{} {}", cell.character(), cell.meaning())).collect();
        writeln!(f, "  {:label_width$}  {}", "", legend.join("   "))
    }
}

#[cfg(test)]
mod tests {
    use edgepkg_format::OperatorKind;

    use super::*;

    /// 16 bytes, one a cell in an arena of 64.
    fn buffer(role: Role, offset: u32, first_step: Option<usize>, last_step: Option<usize>) -> MappedBuffer {
        MappedBuffer { name: String::new(), role, offset, bytes: 16, first_step, last_step }
    }

    fn step(layer: usize, operator: OperatorKind, reads: &[usize], writes: &[usize]) -> MappedStep {
        MappedStep { layer, operator, reads: reads.to_vec(), writes: writes.to_vec() }
    }

    #[test]
    fn a_line_shows_what_its_layer_does() {
        let map = ArenaMap {
            arena_bytes: 64,
            lower_bound_bytes: 48,
            optimality: Optimality::BestFound,
            buffers: vec![
                buffer(Role::Activation, 0, None, Some(0)),
                buffer(Role::Activation, 16, Some(0), Some(3)),
                buffer(Role::Scratch, 48, Some(0), Some(0)),
                buffer(Role::Activation, 32, Some(1), Some(2)),
                buffer(Role::Activation, 32, Some(2), Some(3)),
                buffer(Role::Activation, 0, Some(3), None),
            ],
            steps: vec![
                step(0, OperatorKind::Conv2d, &[0], &[1, 2]),
                step(1, OperatorKind::Conv2d, &[1], &[3]),
                step(2, OperatorKind::Lookup, &[3], &[4]),
                step(3, OperatorKind::Add, &[1, 4], &[5]),
            ],
        };
        let layers = ["expand", "project", "relu", "sum"].map(|name| Layer {
            name: name.to_owned(),
            operator: "",
            macs: 0,
        });
        let expected = "\
arena: 64 B, the smallest that was found; none is below 48 B
                0                           32 B                            64 B  bytes in use
               ┌────────────────────────────────┬───────────────────────────────┐
       inputs  │████████████████                                                │          16
    0  expand  │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒████████████████                ╳╳╳╳╳╳╳╳╳╳╳╳╳╳╳╳│          48 ◀ most
    1  project │                ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒████████████████                │          32
    2  relu    │                ░░░░░░░░░░░░░░░░▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓                │          32
    3  sum     │████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒                │          48 ◀ most
       outputs │▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒                                                │          16
               └────────────────────────────────┴───────────────────────────────┘
                █ written   ▒ read   ▓ written over what is read   ░ kept for later   ╳ scratch
";
        assert_eq!(Arena { map: &map, layers: &layers }.to_string(), expected);
    }
}
