//! Operators that only move values.

use super::operator::{self, NO_OPTIONS};
use super::schema::{Operator, Options, Resize, StridedSlice};
use super::steps::Steps;
use super::{Element, Importer};
use crate::graph::{Extreme, Op};
use crate::import::ImportError;
use crate::validate::MAX_IMAGE_EXTENT;

const LACKS_INPUT: &str = "lacks an input";
const NO_IMAGE: &str = "has an image without 4 dimensions";

/// How mirrored elements begin, by the schema's codes.
mod mirror {
    /// Beside the edge.
    pub(super) const REFLECT: i8 = 0;
    /// At the edge.
    pub(super) const SYMMETRIC: i8 = 1;
}

impl<T: Element> Importer<'_, T> {
    /// Adds the steps that `steps` finds from the operator's first value to its only output.
    fn moved(
        &mut self,
        operator: &Operator,
        steps: impl FnOnce(&Self, &[usize], &[usize]) -> Result<Steps, &'static str>,
    ) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let &x = operator.inputs.first().ok_or_else(|| problem(LACKS_INPUT))?;
        let (x, output) = (self.tensor(x)?, self.output(operator)?);
        let (from, to) = (self.graph.tensor(x).shape(), self.graph.tensor(output).shape());
        let steps = steps(self, from, to).map_err(|problem| self.file.problem(operator, problem))?;
        self.follow(operator, x, steps, output)
    }

    pub(super) fn strided_slice(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |importer, from, to| {
            let (&[_, begin, end, strides], Options::StridedSlice(options)) =
                (&operator.inputs[..], &operator.options)
            else {
                return Err(NO_OPTIONS);
            };
            let [begin, end, strides] = [begin, end, strides].map(|indices| importer.file.indices(indices));
            let lines = lines(from, &[begin?, end?, strides?], options)?;
            let mut steps = Steps::from(from.to_vec());
            let block = |(axis, line): (usize, &Line)| match line.stride {
                1 => (line.begin, line.count),
                _ => (0, from[axis]),
            };
            let (begins, taken) = lines.iter().enumerate().map(block).unzip();
            steps.slice(begins, taken);
            for (axis, line) in lines.iter().enumerate().filter(|(_, line)| line.stride != 1) {
                steps.take(axis, (0..line.count).map(|at| line.index(at)))?;
            }
            steps.reshape(to);
            Ok(steps)
        })
    }

    pub(super) fn split(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        // Split names its dimension first, SplitV last, after the extents that the outputs have.
        let (x, axis) = match operator.inputs[..] {
            [axis, x] => (x, axis),
            [x, _, axis] => (x, axis),
            _ => return Err(problem(LACKS_INPUT)),
        };
        let from = self.file.shape(x).map_err(problem)?;
        let axes = operator::axes(self.file, x, axis).map_err(problem)?;
        let &[axis] = &axes[..] else { return Err(problem("has not one axis")) };
        let x = self.tensor(x)?;
        let mut begin = vec![0; from.len()];
        for &output in &operator.outputs {
            let output = self.tensor(output)?;
            self.push(operator, Op::Slice { begin: begin.clone() }, vec![x], output)?;
            let taken = self.graph.tensor(output).shape().get(axis).copied().unwrap_or_default();
            begin[axis] = begin[axis].saturating_add(taken);
        }
        if begin[axis] == from[axis] {
            Ok(())
        } else {
            Err(self.file.problem(operator, "splits into other parts"))
        }
    }

    /// The dimension of packed tensors of `rank` dimensions that tensors of one less lack.
    fn packed_axis(&self, operator: &Operator, rank: usize) -> Result<usize, ImportError> {
        let axis = match &operator.options {
            Options::Pack(options) => operator::axis(options.axis.into(), rank),
            _ => Err(NO_OPTIONS),
        };
        axis.map_err(|problem| self.file.problem(operator, problem))
    }

    pub(super) fn pack(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let output = self.output(operator)?;
        let packed = self.graph.tensor(output).shape().to_vec();
        let axis = self.packed_axis(operator, packed.len())?;
        let mut single = packed;
        single[axis] = 1;
        let mut parts = Vec::new();
        for &input in &operator.inputs {
            let x = self.tensor(input)?;
            let part = self.between(operator, x, single.clone());
            self.push(operator, Op::Reshape, vec![x], part)?;
            parts.push(part);
        }
        self.push(operator, Op::Concat { axis }, parts, output)
    }

    pub(super) fn unpack(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let &[x] = &operator.inputs[..] else { return Err(problem(LACKS_INPUT)) };
        let x = self.tensor(x)?;
        let mut single = self.graph.tensor(x).shape().to_vec();
        let axis = self.packed_axis(operator, single.len())?;
        if std::mem::replace(&mut single[axis], 1) != operator.outputs.len() {
            return Err(self.file.problem(operator, "has not an output for each of its parts"));
        }
        for (index, &output) in operator.outputs.iter().enumerate() {
            let output = self.tensor(output)?;
            let mut begin = vec![0; single.len()];
            begin[axis] = index;
            let part = self.between(operator, x, single.clone());
            self.push(operator, Op::Slice { begin }, vec![x], part)?;
            self.push(operator, Op::Reshape, vec![part], output)?;
        }
        Ok(())
    }

    pub(super) fn depth_to_space(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |_, from, to| {
            let block = block_size(operator)?;
            let (&[batches, rows, columns, _], Some(&depth)) = (from, to.last()) else {
                return Err(NO_IMAGE);
            };
            let mut steps = Steps::from(from.to_vec());
            steps.reshape(&[batches * rows, columns, block, block * depth]);
            steps.transpose(vec![0, 2, 1, 3]);
            steps.reshape(to);
            Ok(steps)
        })
    }

    pub(super) fn space_to_depth(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |_, from, to| {
            let block = block_size(operator)?;
            let (&[_, _, _, depth], &[batches, rows, columns, _]) = (from, to) else {
                return Err(NO_IMAGE);
            };
            let mut steps = Steps::from(from.to_vec());
            steps.reshape(&[batches * rows, block, columns, block * depth]);
            steps.transpose(vec![0, 2, 1, 3]);
            steps.reshape(to);
            Ok(steps)
        })
    }

    pub(super) fn mirror_pad(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |importer, from, _| {
            let (&[_, paddings], Options::MirrorPad(options)) = (&operator.inputs[..], &operator.options)
            else {
                return Err(NO_OPTIONS);
            };
            let at_edge = match options.mode {
                mirror::REFLECT => 1,
                mirror::SYMMETRIC => 0,
                _ => return Err("has an unknown mode"),
            };
            let paddings = importer.file.indices(paddings)?;
            let (pairs, _) = paddings.as_chunks::<2>();
            if pairs.len() != from.len() {
                return Err("pads other dimensions");
            }
            let mut steps = Steps::from(from.to_vec());
            for (axis, pair) in pairs.iter().enumerate() {
                let extent = from[axis] as i64;
                let most = extent - at_edge;
                if pair.iter().any(|count| !(0..=most).contains(count)) {
                    return Err("pads by more elements than there are to mirror");
                }
                let [before, after] = *pair;
                let count = (before + extent + after) as usize;
                let index = |at: usize| match at as i64 - before {
                    before_first if before_first < 0 => at_edge - 1 - before_first,
                    after_last if after_last >= extent => 2 * extent - 1 - at_edge - after_last,
                    inside => inside,
                };
                steps.take(axis, (0..count).map(|at| index(at) as usize))?;
            }
            Ok(steps)
        })
    }

    /// The input, as often in each dimension as the output has room for it.
    pub(super) fn tile(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |_, from, to| {
            let leading = to.len().checked_sub(from.len()).ok_or("has an output of fewer dimensions")?;
            let from = [&vec![1; leading], from].concat();
            if from.iter().zip(to).any(|(&from, &to)| from == 0 || !to.is_multiple_of(from)) {
                return Err("has an output that is no multiple of its input");
            }
            let mut steps = Steps::from(from[leading..].to_vec());
            steps.reshape(&from);
            for (axis, (&extent, &to)) in from.iter().zip(to).enumerate() {
                steps.take(axis, (0..to).map(|at| at % extent))?;
            }
            Ok(steps)
        })
    }

    pub(super) fn reverse(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |importer, from, _| {
            let &[x, axes] = &operator.inputs[..] else { return Err(LACKS_INPUT) };
            let mut steps = Steps::from(from.to_vec());
            for axis in operator::axes(importer.file, x, axes)? {
                steps.take(axis, (0..from[axis]).rev())?;
            }
            Ok(steps)
        })
    }

    /// Pixels of the same place in their blocks become images of their own.
    pub(super) fn space_to_batch(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |importer, from, to| {
            let blocks = Blocks::of(importer, operator, from.len())?;
            let [mut before, mut after] = [vec![0; from.len()], vec![0; from.len()]];
            for (axis, [first, last]) in (1..).zip(&blocks.edges) {
                (before[axis], after[axis]) = (*first, *last);
            }
            let mut steps = Steps::from(from.to_vec());
            steps.pad(before.clone(), after.clone());
            let mut places = Vec::new();
            for (axis, &size) in (1..).zip(&blocks.sizes) {
                let blocks = to.get(axis).copied().unwrap_or_default();
                if blocks.checked_mul(size) != Some(before[axis] + from[axis] + after[axis]) {
                    return Err("has an output that its blocks do not fill");
                }
                places.extend([blocks, size]);
            }
            let rest = &from[1 + blocks.sizes.len()..];
            steps.reshape(&[&from[..1], &places, rest].concat());
            let count = blocks.sizes.len();
            let within = (0..count).map(|block| 2 + 2 * block);
            let across = (0..count).map(|block| 1 + 2 * block);
            let behind = (0..rest.len()).map(|axis| 1 + 2 * count + axis);
            steps.transpose(within.chain([0]).chain(across).chain(behind).collect());
            steps.reshape(to);
            Ok(steps)
        })
    }

    /// Images become pixels of the same place in blocks.
    pub(super) fn batch_to_space(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |importer, from, to| {
            let blocks = Blocks::of(importer, operator, from.len())?;
            let count = blocks.sizes.len();
            let area = blocks.sizes.iter().try_fold(1, |area: usize, &size| area.checked_mul(size));
            let batches = area.filter(|&area| from[0].is_multiple_of(area)).map(|area| from[0] / area);
            let batches = batches.ok_or("has other batches than its blocks have elements")?;
            let mut steps = Steps::from(from.to_vec());
            steps.reshape(&[&blocks.sizes[..], &[batches], &from[1..]].concat());
            let places = (0..count).flat_map(|block| [count + 1 + block, block]);
            let behind = 2 * count + 1..count + from.len();
            steps.transpose([count].into_iter().chain(places).chain(behind).collect());
            let mut whole = from.to_vec();
            whole[0] = batches;
            let mut begin = vec![0; from.len()];
            for (axis, (size, [first, _])) in (1..).zip(blocks.sizes.iter().zip(&blocks.edges)) {
                whole[axis] = whole[axis].saturating_mul(*size);
                begin[axis] = *first;
            }
            steps.reshape(&whole);
            steps.slice(begin, to.to_vec());
            Ok(steps)
        })
    }

    pub(super) fn resize_nearest(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |_, from, to| {
            let Options::Resize(options) = &operator.options else { return Err(NO_OPTIONS) };
            if from.len() != 4 || to.len() != 4 || from.contains(&0) || to.contains(&0) {
                return Err(NO_IMAGE);
            }
            let mut steps = Steps::from(from.to_vec());
            let mut axes = [1, 2];
            // What shrinks first leaves less for the other.
            axes.sort_by_key(|&axis| to[axis] > from[axis]);
            for axis in axes {
                steps.take(axis, (0..to[axis]).map(|at| nearest(at, from[axis], to[axis], options)))?;
            }
            Ok(steps)
        })
    }

    pub(super) fn gather(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let problem = |problem| self.file.problem(operator, problem);
        let (&[x, indices], Options::Gather(options)) = (&operator.inputs[..], &operator.options) else {
            return Err(problem(NO_OPTIONS));
        };
        if self.file.is_constant(indices) {
            return self.gather_constant(operator);
        }
        let rank = self.file.shape(x).map_err(problem)?.len();
        let axis = operator::axis(options.axis.into(), rank).map_err(problem)?;
        let batch_dimensions = usize::try_from(options.batch_dimensions).unwrap_or(usize::MAX);
        let inputs = vec![self.tensor(x)?, self.tensor(indices)?];
        let output = self.output(operator)?;
        self.push(operator, Op::Gather { axis, batch_dimensions }, inputs, output)
    }

    /// The greatest elements of each row and where they are.
    pub(super) fn top(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let (&[x, count], &[values, indices]) = (&operator.inputs[..], &operator.outputs[..]) else {
            return Err(self.file.problem(operator, "has not two inputs and two outputs"));
        };
        let (x, values, indices) = (self.tensor(x)?, self.tensor(values)?, self.tensor(indices)?);
        let counts = self.file.indices(count).map_err(|problem| self.file.problem(operator, problem))?;
        let taken = self.graph.tensor(indices).shape().last().map(|&taken| taken as i64);
        let Some(last) =
            self.graph.tensor(x).shape().len().checked_sub(1).filter(|_| taken == counts.first().copied())
        else {
            return Err(self.file.problem(operator, "takes as many elements as its outputs do not have"));
        };
        self.push(operator, Op::TopIndices { extreme: Extreme::Greatest }, vec![x], indices)?;
        self.push(operator, Op::Gather { axis: last, batch_dimensions: last }, vec![x, indices], values)
    }

    /// Rows of a table, at indices that stand before it.
    pub(super) fn embedding_lookup(&mut self, operator: &Operator) -> Result<(), ImportError> {
        let &[indices, table] = &operator.inputs[..] else {
            return Err(self.file.problem(operator, "lacks an input"));
        };
        let inputs = vec![self.tensor(table)?, self.tensor(indices)?];
        let output = self.output(operator)?;
        self.push(operator, Op::Gather { axis: 0, batch_dimensions: 0 }, inputs, output)
    }

    fn gather_constant(&mut self, operator: &Operator) -> Result<(), ImportError> {
        self.moved(operator, |importer, from, to| {
            let (&[x, indices], Options::Gather(options)) = (&operator.inputs[..], &operator.options) else {
                return Err(NO_OPTIONS);
            };
            let axis = operator::axis(options.axis.into(), importer.file.shape(x)?.len())?;
            let batch_dimensions = usize::try_from(options.batch_dimensions).unwrap_or(usize::MAX);
            if batch_dimensions > axis {
                return Err("has more batches than dimensions before its own");
            }
            let indices = importer.file.indices(indices)?;
            let inside = |&index: &i64| usize::try_from(index).ok().filter(|&index| index < from[axis]);
            let indices: Option<Vec<usize>> = indices.iter().map(inside).collect();
            let indices = indices.ok_or("takes what is outside its input")?;
            let mut steps = Steps::from(from.to_vec());
            if batch_dimensions == 0 {
                steps.take(axis, indices.into_iter())?;
            } else {
                // Elements of all batches are one dimension.
                let product = |extents: &[usize]| extents.iter().product::<usize>();
                let batches = product(&from[..batch_dimensions]);
                let outer = product(&from[batch_dimensions..axis]);
                let count = indices.len() / batches.max(1);
                steps.reshape(&[batches * outer * from[axis], product(&from[axis + 1..])]);
                let index =
                    |at: usize| at / count * from[axis] + indices[at / (outer * count) * count + at % count];
                steps.take(0, (0..batches * outer * count).map(index))?;
            }
            steps.reshape(to);
            Ok(steps)
        })
    }
}

/// Blocks of pixels, and what is added or cut around them.
struct Blocks {
    sizes: Vec<usize>,
    /// Of each dimension of a block, before and after.
    edges: Vec<[usize; 2]>,
}

impl Blocks {
    fn of<T: Element>(
        importer: &Importer<'_, T>,
        operator: &Operator,
        rank: usize,
    ) -> Result<Self, &'static str> {
        let &[_, sizes, edges] = &operator.inputs[..] else { return Err(LACKS_INPUT) };
        let natural = |indices: Vec<i64>| {
            let natural: Result<Vec<usize>, _> = indices.into_iter().map(usize::try_from).collect();
            natural.ok().filter(|all| all.iter().all(|&size| size <= MAX_IMAGE_EXTENT))
        };
        let sizes = natural(importer.file.indices(sizes)?);
        let edges = natural(importer.file.indices(edges)?);
        let (Some(sizes), Some(edges)) = (sizes, edges) else {
            return Err("has a block or edge that is negative or above 2^15");
        };
        let edges = edges.as_chunks::<2>().0.to_vec();
        if sizes.contains(&0) || edges.len() != sizes.len() || sizes.len() >= rank {
            return Err("has blocks of other dimensions");
        }
        Ok(Self { sizes, edges })
    }
}

fn block_size(operator: &Operator) -> Result<usize, &'static str> {
    match &operator.options {
        Options::Block(block) => {
            usize::try_from(block.size).ok().filter(|&size| size > 0).ok_or("has no block")
        }
        _ => Err(NO_OPTIONS),
    }
}

/// The element of `from` that stands at `at` of `to`. In float32, as the references compute it.
fn nearest(at: usize, from: usize, to: usize, options: &Resize) -> usize {
    let scale = if options.aligns_corners && to > 1 {
        (from - 1) as f32 / (to - 1) as f32
    } else {
        from as f32 / to as f32
    };
    let offset = if options.has_half_pixel_centers { 0.5 } else { 0.0 };
    let place = (at as f32 + offset) * scale;
    let index = if options.aligns_corners { place.round() } else { place.floor() };
    (index as usize).min(from - 1)
}

/// Elements along one dimension.
struct Line {
    begin: usize,
    stride: i64,
    count: usize,
}

impl Line {
    fn index(&self, at: usize) -> usize {
        (self.begin as i64 + at as i64 * self.stride) as usize
    }
}

/// What a slice takes along each dimension of `shape`; those that are left out after it are still there.
fn lines(
    shape: &[usize],
    [begin, end, strides]: &[Vec<i64>; 3],
    options: &StridedSlice,
) -> Result<Vec<Line>, &'static str> {
    if begin.len() > shape.len() || end.len() != begin.len() || strides.len() != begin.len() {
        return Err("slices other dimensions");
    }
    let mut lines = Vec::new();
    for (axis, &extent) in shape.iter().enumerate() {
        let Some((&stride, extent)) = strides.get(axis).zip(i64::try_from(extent).ok()) else {
            lines.push(Line { begin: 0, stride: 1, count: extent });
            continue;
        };
        if stride == 0 {
            return Err("has a stride of 0");
        }
        let is_in = |mask: u32| mask.checked_shr(axis as u32).unwrap_or_default() & 1 == 1;
        // Backward, what lies before the first element is an end.
        let (first, after_last) = if stride > 0 { (0, extent) } else { (-1, extent - 1) };
        let inside = |index: i64| {
            if index < 0 { index.saturating_add(extent) } else { index }.clamp(first, after_last)
        };
        let from = match begin[axis] {
            _ if is_in(options.begin_mask) => {
                if stride > 0 {
                    first
                } else {
                    after_last
                }
            }
            begin => inside(begin),
        };
        let to = match end[axis] {
            _ if is_in(options.shrink_mask) && (0..extent).contains(&from) => from + stride.signum(),
            _ if is_in(options.shrink_mask) => return Err("takes what is outside its input"),
            _ if is_in(options.end_mask) => {
                if stride > 0 {
                    after_last
                } else {
                    first
                }
            }
            end if options.has_offsets => from.saturating_add(end).clamp(first, after_last),
            end => inside(end),
        };
        let count = (to - from).saturating_mul(stride.signum()).max(0).unsigned_abs();
        let count = count.div_ceil(stride.unsigned_abs()) as usize;
        lines.push(Line { begin: from.max(0) as usize, stride, count });
    }
    Ok(lines)
}
