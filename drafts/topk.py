import os
def sub(p,a,b,n=1):
    s=open(p).read(); assert a in s,(p,a); s=s.replace(a,b,n); open(p,'w').write(s)
sub('firmware/format/src/plan.rs','''    /// Convolution of int16, grouped, depthwise or transposed;''','''    /// Where the greatest or least elements of each row are, in order; of equal ones the first or last come first.
    TopIndices = 26 {
        /// int8, `[rows, depth]`.
        input: TensorRef,
        /// int32, `[rows, count]`.
        output: TensorRef,
        /// Rows.
        rows: u32,
        /// Elements of a row.
        depth: u32,
        /// Indices of a row; at most `depth`.
        count: u32,
        /// Of which elements.
        extreme: Extreme,
    }

    /// Convolution of int16, grouped, depthwise or transposed;''')
sub('firmware/format/src/plan/geometry.rs','''            Record::Select(op) => {''','''            Record::TopIndices(op) => {
                ensure(op.output.space != Space::Const, WrongSpace)?;
                ensure(op.count <= op.depth, Inconsistent)?;
                regions.read(op.input, product(&[op.rows, op.depth]))?;
                regions.words(op.output, product(&[op.rows, op.count]), Access::Write)
            }
            Record::Select(op) => {''')
F='firmware/format/FORMAT.md'
s=open(F).read()
import re
m=re.search(r"Kind 0 and kinds (from 26 on|[^\n]*) are reserved\.",s)
i=s.index("### 25: Select"); j=s.index("\n### ",i+5) if "\n### " in s[i+5:] else None
k=s.index("from an input whose strides are those of the dense shape.\n",i)+len("from an input whose strides are those of the dense shape.\n")
s=s[:k]+'''
### 26: TopIndices (40 bytes)

| at | field | type | meaning |
|---:|---|---|---|
| 0 | input | tensor | int8, `[rows][depth]` |
| 2 | output | tensor | int32, `[rows][count]` |
| 4 | rows | `u32` | |
| 5 | depth | `u32` | |
| 6 | count | `u32` | at most the depth |
| 7 | extreme | extreme | |

The indices in each row of its greatest or least values, in their order; of equal ones the first, or the last, come first. Input
and output lie apart.
'''+s[k:]
s=s.replace("kinds from 26 on are reserved","kinds from 27 on are reserved")
open(F,'w').write(s)
sub('firmware/format/tests/records.rs','''#[test]
fn select() {''','''#[test]
fn top_indices() {
    let record = TopIndices {
        input: tensor(0),
        output: tensor(2),
        rows: 4,
        depth: 5,
        count: 6,
        extreme: Extreme::Least,
    };
    check_with_choices(record, 26, 8, &[0, 2], &[Choice { at: 7, value: 1, count: 4 }]);
}

#[test]
fn select() {''')
s=open('firmware/format/tests/records.rs').read()
s=s.replace("(1..=25).chain","(1..=26).chain").replace("Svdf, TransposeConv2d,","Svdf, TopIndices, TransposeConv2d,").replace("Svdf,\n    TransposeConv2d,","Svdf, TopIndices,\n    TransposeConv2d,")
assert "TopIndices, " in s or "TopIndices,\n" in s
open('firmware/format/tests/records.rs','w').write(s)
K='firmware/kernels/src/reference/arg_extreme.rs'
sub(K,"use edgepkg_format::plan::{ArgExtreme, Extreme};","use edgepkg_format::plan::{ArgExtreme, Extreme, TopIndices};")
s=open(K).read()
a=s.index("/// The index along the middle"); 
s=s[:a]+'''/// How elements follow each other in the order that an extreme is the first of.
#[derive(Clone, Copy)]
struct Order {
    /// What is least is the greatest of the complements.
    flipped: i8,
    is_last_first: bool,
}

impl Order {
    fn of(extreme: Extreme) -> Self {
        let is_least = matches!(extreme, Extreme::Least | Extreme::LastLeast);
        Self {
            flipped: if is_least { !0 } else { 0 },
            is_last_first: matches!(extreme, Extreme::LastGreatest | Extreme::LastLeast),
        }
    }
}

/// The index along the middle dimension of the greatest or least element, the first or last of equal
/// ones. `input`: `[op.outer, op.count, op.inner]`; `output`: `[op.outer, op.inner]` int32.
#[inline(never)]
pub fn arg_extreme_i8(op: &ArgExtreme, input: View<'_>, output: &[Cell<i8>]) {
    let (count, inner) = (op.count as usize, op.inner as usize);
    let Order { flipped, is_last_first } = Order::of(op.extreme);
    for (index, word) in output.chunks_exact(4).enumerate() {
        let first = index / inner * count * inner + index % inner;
        let (mut found, mut greatest) = (0, input.get(first) ^ flipped);
        for at in 1..count {
            let value = input.get(first + at * inner) ^ flipped;
            if value > greatest || (is_last_first && value == greatest) {
                (found, greatest) = (at, value);
            }
        }
        set_index(word, found);
    }
}

/// The indices of the greatest or least elements of each row, in order. `input`: `[op.rows, op.depth]`; `output`: `[op.rows,
/// op.count]` int32.
#[inline(never)]
pub fn top_indices_i8(op: &TopIndices, input: View<'_>, output: &[Cell<i8>]) {
    let (depth, count) = (op.depth as usize, op.count as usize);
    let Order { flipped, is_last_first } = Order::of(op.extreme);
    let mut before = None;
    for (index, word) in output.chunks_exact(4).enumerate() {
        if index % count == 0 {
            before = None;
        }
        let row = input.run(index / count * depth, depth);
        let mut found: Option<(i8, usize)> = None;
        for step in 0..depth {
            let at = if is_last_first { depth - 1 - step } else { step };
            let value = row.get(at) ^ flipped;
            // Of equal ones those that come first in this direction are taken first.
            let is_left = before.is_none_or(|(least, last)| value < least || (value == least && step > last));
            if is_left && found.is_none_or(|(greatest, _)| value > greatest) {
                found = Some((value, step));
            }
        }
        before = found;
        let step = found.map_or(0, |(_, step)| step);
        set_index(word, if is_last_first { depth - 1 - step } else { step });
    }
}

fn set_index(word: &[Cell<i8>], index: usize) {
    for (cell, byte) in word.iter().zip((index as u32).to_le_bytes()) {
        cell.set(byte as i8);
    }
}
'''
open(K,'w').write(s)
D='firmware/kernels/src/dispatch.rs'
sub(D,"use crate::reference::arg_extreme::arg_extreme_i8;","use crate::reference::arg_extreme::{arg_extreme_i8, top_indices_i8};")
sub(D,"        (Record::Select(op), &[condition","        (Record::TopIndices(op), &[input]) => top_indices_i8(op, input, output),\n        (Record::Select(op), &[condition")
T='firmware/kernels/tests/totality.rs'
sub(T,'''        OperatorKind::Select => Select {''','''        OperatorKind::TopIndices => {
            let count = random.extent(4);
            TopIndices {
                input,
                output: arena(DType::Int32),
                rows: random.extent(4),
                depth: count + random.extent(4) - 1,
                count,
                extreme: random.one_of(&[Extreme::Greatest, Extreme::LastLeast]),
            }
            .into()
        }
        OperatorKind::Select => Select {''')
L='firmware/kernels/tests/later_definitions.rs'
sub(L,'''#[test]
fn selections_take_an_element_of_either() {''','''#[test]
fn indices_of_the_first_in_an_order() {
    let mut random = Random(21);
    for extreme in [Extreme::Greatest, Extreme::Least, Extreme::LastGreatest, Extreme::LastLeast] {
        for _ in 0..20 {
            let (rows, depth) = (random.extent(3), random.extent(9));
            let count = random.extent(depth);
            let (input, output) = (arena(DType::Int8), arena(DType::Int32));
            let record = Record::from(TopIndices { input, output, rows, depth, count, extreme });
            // Few values, so that many are equal.
            let x: Vec<i8> = (0..rows * depth).map(|_| random.one_of(&[-128, -3, 0, 127])).collect();
            let mut expected = Vec::new();
            for row in x.chunks(depth as usize) {
                let mut indices: Vec<u32> = (0..depth).collect();
                let value = |index: &u32| i32::from(row[*index as usize]);
                let is_last = matches!(extreme, Extreme::LastGreatest | Extreme::LastLeast);
                let place = |index: &u32| if is_last { depth - index } else { *index };
                match extreme {
                    Extreme::Greatest | Extreme::LastGreatest => {
                        indices.sort_by_key(|index| (-value(index), place(index)));
                    }
                    Extreme::Least | Extreme::LastLeast => {
                        indices.sort_by_key(|index| (value(index), place(index)));
                    }
                }
                let first = indices[..count as usize].iter();
                expected.extend(first.flat_map(|index| index.to_le_bytes()).map(|byte| byte as i8));
            }
            check(&record, &[x], &expected);
        }
    }
}

#[test]
fn selections_take_an_element_of_either() {''')
# graph
G='quantize/src/graph.rs'
sub(G,'''    /// `[x, indices]`: along `axis`, the elements''','''    /// `[x]`: along the last dimension, the indices of the greatest or least elements, as many as the output has, in their
    /// order; int32 in int graphs. Of equal elements the first or last come first.
    TopIndices {
        /// Of which elements.
        extreme: Extreme,
    },
    /// `[x, indices]`: along `axis`, the elements''')
sub(G,"        matches!(self, Op::ArgExtreme { .. })","        matches!(self, Op::ArgExtreme { .. } | Op::TopIndices { .. })")
sub(G,'''            Op::Gather { .. } => "Gather",''','''            Op::TopIndices { .. } => "TopK",
            Op::Gather { .. } => "Gather",''')
I='quantize/src/interpret.rs'
sub(I,"            Op::Gather { axis, batch_dimensions } => {","            Op::TopIndices { extreme } => {\n                reduction::top_indices(*extreme, in_shape(0), view(0), out_shape, output);\n            }\n            Op::Gather { axis, batch_dimensions } => {")
V='quantize/src/validate/operator.rs'
sub(V,"        Op::ArgExtreme { axis, .. } => check_reduced(&[*axis], from, to),",'''        Op::ArgExtreme { axis, .. } => check_reduced(&[*axis], from, to),
        Op::TopIndices { .. } => {
            let (Some((depth, outer)), Some((count, to_outer))) = (from.split_last(), to.split_last()) else {
                return Err("has no dimension to order");
            };
            ensure(outer == to_outer, SHAPE)?;
            ensure(count <= depth, "takes more elements than there are")
        }''')
sub('quantize/src/lower.rs',"            Op::Requantize => self.requantize(node),\n","            Op::TopIndices { extreme } => self.top_indices(node, *extreme),\n            Op::Requantize => self.requantize(node),\n")
R='quantize/src/lower/running.rs'
sub(R,"use edgepkg_format::plan::{ArgExtreme, CumulativeSum};","use edgepkg_format::plan::{ArgExtreme, CumulativeSum, TopIndices};")
s=open(R).read().rstrip(); assert s.endswith("}")
s=s[:-1]+'''
    pub(super) fn top_indices(&mut self, node: &Node, extreme: Extreme) -> NodeResult {
        let (x, y) = self.unary(node);
        let extent = |shape: &[usize]| word(shape.last().copied().unwrap_or(1));
        let (depth, count) = (extent(&x.shape), extent(&y.shape));
        let record = TopIndices {
            input: self.place(node.inputs[0])?,
            output: self.allocate(node.output())?,
            rows: word(x.len()) / depth,
            depth,
            count,
            extreme,
        };
        self.push(record);
        Ok(())
    }
}
'''
s=s.replace("use crate::graph::{Direction, Extreme, Node, Running};","use crate::graph::{Direction, Extreme, Node, Running, Tensor};")
open(R,'w').write(s)
W='quantize/src/wire/v1/operator.rs'
sub(W,"    Select,\n}","    Select,\n    TopIndices { extreme: Extreme },\n}")
sub(W,"            graph::Op::Select => Op::Select,","            graph::Op::Select => Op::Select,\n            graph::Op::TopIndices { extreme } => Op::TopIndices { extreme: Extreme::from_graph(*extreme) },")
sub(W,"            Op::Select => graph::Op::Select,","            Op::Select => graph::Op::Select,\n            Op::TopIndices { extreme } => graph::Op::TopIndices { extreme: extreme.into_graph() },")
sub('quantize/WIRE.md',"| 35 Select\n","| 35 Select\n           | 36 TopIndices { extreme: Extreme }\n")
T='quantize/src/wire/tests.rs'
sub(T,"        Op::Select,\n    ]","        Op::Select,\n        Op::TopIndices { extreme: Extreme::LastLeast },\n    ]")
sub(T,"        21, 22, 1, 3, 3, 0, 172, 2, // Take","        22, 22, 1, 3, 3, 0, 172, 2, // Take")
sub(T,"34, 3, 0, 34, 0, 1, 35, // Compare, Select\n","34, 3, 0, 34, 0, 1, 35, 36, 3, // Compare, Select, TopIndices\n")
D='quantize/src/drop_dead_channels.rs'
s=open(D).read(); s=s.replace("                | Op::Select\n","                | Op::Select\n                | Op::TopIndices { .. }\n").replace("            | Op::Select\n            | Op::Cum","            | Op::Select\n            | Op::TopIndices { .. }\n            | Op::Cum"); open(D,'w').write(s)
X='quantize/src/export/onnx_qdq/operator.rs'
sub(X,"        Op::ArgExtreme { .. } | Op::Gather { .. } => {","        Op::ArgExtreme { .. } | Op::TopIndices { .. } | Op::Gather { .. } => {")
Y='quantize/src/export/tflite/operator.rs'
sub(Y,'        Op::Compare { .. } | Op::Select => return Err("works with truths, which are not written"),','        Op::Compare { .. } | Op::Select => return Err("works with truths, which are not written"),\n        Op::TopIndices { .. } => return Err("orders elements, which is not written"),')
N='quantize/src/interpret/reduction.rs'
s=open(N).read().rstrip()+'''

/// The indices of the greatest or least elements of each row, as many as a row of `to` has, in their order.
pub(super) fn top_indices(extreme: Extreme, from: &[usize], x: &[f32], to: &[usize], output: &mut [f32]) {
    let extent = |shape: &[usize]| shape.last().copied().unwrap_or(1);
    for (row, output) in x.chunks_exact(extent(from)).zip(output.chunks_exact_mut(extent(to))) {
        let mut indices: Vec<usize> = (0..row.len()).collect();
        if matches!(extreme, Extreme::LastGreatest | Extreme::LastLeast) {
            indices.reverse();
        }
        match extreme {
            Extreme::Greatest | Extreme::LastGreatest => indices.sort_by(|&a, &b| row[b].total_cmp(&row[a])),
            Extreme::Least | Extreme::LastLeast => indices.sort_by(|&a, &b| row[a].total_cmp(&row[b])),
        }
        for (output, index) in output.iter_mut().zip(indices) {
            *output = index as f32;
        }
    }
}
'''
open(N,'w').write(s)
