//! QuantizeLinear and DequantizeLinear: where values are rounded, and which integers constants have.

use tract_onnx::tract_core::internal::{Datum, DatumType, Tensor};

use super::super::infer::Written;
use super::super::site::{Fact, Refusal, Site, numbers, unsupported};
use super::constants::Constant;
use super::{Grid, Quantized};
use crate::graph::Quantization;
use crate::import::MAX_CONSTANT_BYTES;

/// Types by the numbers that ONNX gives them.
const STATED_TYPES: [(i64, DatumType); 2] = [(2, DatumType::U8), (3, DatumType::I8)];

/// Operators that copy values of one operand and look at none.
const MOVES: [&str; 10] = [
    "Concat",
    "Flatten",
    "Identity",
    "MaxPool",
    "GlobalMaxPool",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
];

/// Operands 1 and 2 of a node.
struct Parameters {
    scales: Vec<f32>,
    /// As many as scales.
    zero_points: Vec<i32>,
    /// The type of the zero points, where they are given.
    stored: Option<DatumType>,
    /// Elements of the quantized tensor from one scale to the next.
    stride: usize,
}

impl Parameters {
    fn of(site: &Site<'_>) -> Result<Self, Refusal> {
        if site.int("block_size").is_some_and(|block| block != 0) {
            return unsupported("scales for blocks");
        }
        let scales = site.constant_floats(1)?.unwrap_or_default();
        for scale in &scales {
            let positive = scale.is_normal() && *scale > 0.0;
            site.ensure(positive, format!("has a scale of {scale}"))?;
        }
        let fits = site.x().len() <= MAX_CONSTANT_BYTES / size_of::<f32>();
        site.ensure(fits, format!("makes constants of more than {MAX_CONSTANT_BYTES} bytes"))?;
        let count = scales.len();
        let (zero_points, stored) = match site.input(2) {
            Some(fact) => {
                let Some(value) = &fact.value else { return unsupported("operand 2 is not constant") };
                (numbers::<i32>(value).unwrap_or_default(), Some(fact.datum_type))
            }
            None => (vec![0; count], None),
        };
        let problem = format!("has {} zero points for {count} scales", zero_points.len());
        site.ensure(count > 0 && zero_points.len() == count, problem)?;
        Ok(Self { scales, zero_points, stored, stride: stride(site, count)? })
    }

    /// The integers' type: that of the zero point, of which `known` must not differ.
    fn stored(&self, site: &Site<'_>, known: Option<DatumType>) -> Result<Option<DatumType>, Refusal> {
        match (self.stored, known) {
            (Some(stored), Some(known)) if stored != known => {
                Err(site
                    .invalid(format!("has a zero point of type {stored:?} for integers of type {known:?}")))
            }
            (stored, known) => Ok(stored.or(known)),
        }
    }

    /// The grid of a tensor that varies.
    fn grid(&self, site: &Site<'_>, stored: DatumType) -> Result<Grid, Refusal> {
        let ([scale], [zero_point]) = (&self.scales[..], &self.zero_points[..]) else {
            return unsupported("a scale for each channel of a tensor that varies");
        };
        Ok(Grid { quantization: Quantization::per_tensor(*scale, zero_point - shift(site, stored)?), stored })
    }

    fn channel(&self, index: usize) -> usize {
        index / self.stride % self.scales.len()
    }
}

/// Elements from one scale to the next in the first operand.
fn stride(site: &Site<'_>, count: usize) -> Result<usize, Refusal> {
    let shape = &site.x().shape;
    if count == 1 || site.x().len() == count {
        return Ok(1);
    }
    let axis = site.axis(site.int("axis").unwrap_or(1), shape.len())?;
    site.ensure(shape[axis] == count, format!("has {count} scales for {} channels", shape[axis]))?;
    Ok(shape[axis + 1..].iter().product())
}

/// What is taken off an integer of 8 bits to make it int8.
fn shift(site: &Site<'_>, stored: DatumType) -> Result<i32, Refusal> {
    match stored {
        DatumType::I8 => Ok(0),
        DatumType::U8 => Ok(128),
        other => {
            unsupported(format!("`{}` quantizes to {other:?}; int8 and uint8 are read", site.node.op_type))
        }
    }
}

impl Quantized {
    /// What a node writes that quantizes or dequantizes; `None` for any other, whose operands must be reals
    /// unless it only moves them.
    pub fn infer(&mut self, site: &Site<'_>) -> Result<Option<Written>, Refusal> {
        let fact = match &*site.node.op_type {
            "QuantizeLinear" => self.quantize(site)?,
            "DequantizeLinear" => self.dequantize(site)?,
            _ => return self.check_operands(site).map(|()| None),
        };
        Ok(Some(vec![Some(fact)]))
    }

    fn quantize(&mut self, site: &Site<'_>) -> Result<Fact, Refusal> {
        let parameters = Parameters::of(site)?;
        let stated = site.int("output_dtype").filter(|&stated| stated != 0);
        let known = match stated {
            None => None,
            Some(stated) => match STATED_TYPES.iter().find(|(number, _)| *number == stated) {
                Some((_, stored)) => Some(*stored),
                None => return unsupported(format!("`output_dtype` {stated}; int8 and uint8 are read")),
            },
        };
        let stored = parameters.stored(site, known)?.unwrap_or(DatumType::U8);
        let lowest = -128 + shift(site, stored)?;
        let x = site.x();
        if x.datum_type != DatumType::F32 || self.integers.contains_key(site.input_name(0)) {
            return unsupported("values that are no floats");
        }
        let Some(values) = &x.value else {
            let grid = parameters.grid(site, stored)?;
            let output = &site.node.output[0];
            self.marks.insert(output.clone(), grid.quantization.clone());
            self.integers.insert(output.clone(), grid);
            return Ok(Fact { value: None, ..x.clone() });
        };
        let integers = numbers::<f32>(values).unwrap_or_default();
        let integers = integers.iter().enumerate().map(|(index, value)| {
            let channel = parameters.channel(index);
            let rounded = libm::rintf(value / parameters.scales[channel]);
            (rounded as i32).saturating_add(parameters.zero_points[channel]).clamp(lowest, lowest + 255)
        });
        match stored {
            DatumType::I8 => constant(site, integers.map(|integer| integer as i8).collect::<Vec<_>>()),
            _ => constant(site, integers.map(|integer| integer as u8).collect::<Vec<_>>()),
        }
    }

    fn dequantize(&mut self, site: &Site<'_>) -> Result<Fact, Refusal> {
        let parameters = Parameters::of(site)?;
        let (name, output) = (site.input_name(0), site.node.output[0].clone());
        let Some(value) = &site.x().value else {
            let known = self.integers.get(name).map(|grid| grid.stored).or(self.inputs.get(name).copied());
            let Some(known) = known else { return Err(site.invalid("dequantizes what is not quantized")) };
            let stored = parameters.stored(site, Some(known))?.unwrap_or(known);
            let grid = parameters.grid(site, stored)?;
            let written = self.integers.entry(name.to_owned()).or_insert_with(|| grid.clone());
            if grid != *written {
                return unsupported("another scale or zero point than its integers were quantized with");
            }
            self.marks.insert(output, grid.quantization);
            return Ok(Fact { datum_type: DatumType::F32, ..site.x().clone() });
        };
        let stored = value.datum_type();
        if !matches!(stored, DatumType::I8 | DatumType::U8 | DatumType::I32) {
            return unsupported(format!("integers of type {stored:?}"));
        }
        parameters.stored(site, Some(stored))?;
        let integers = numbers::<i32>(value).unwrap_or_default().into_iter().enumerate();
        let offsets = integers.map(|(index, integer)| {
            integer.saturating_sub(parameters.zero_points[parameters.channel(index)])
        });
        let offsets: Vec<i32> = offsets.collect();
        let reals = offsets.iter().enumerate();
        let reals: Vec<f32> = reals
            .map(|(index, &offset)| offset as f32 * parameters.scales[parameters.channel(index)])
            .collect();
        let shift = if stored == DatumType::U8 { 128 } else { 0 };
        let zero_points = parameters.zero_points.iter().map(|zero_point| zero_point - shift).collect();
        let words = (stored == DatumType::I32).then_some(offsets);
        self.constants.insert(output, Constant { scales: parameters.scales, zero_points, words });
        constant(site, reals)
    }

    /// Refuses integers as operands of what computes.
    fn check_operands(&self, site: &Site<'_>) -> Result<(), Refusal> {
        let names = &site.node.input;
        if names.iter().any(|name| self.inputs.contains_key(name) && !self.integers.contains_key(name)) {
            return unsupported("an integer input of the model whose scale is not known");
        }
        let integers = names.iter().any(|name| self.integers.contains_key(name));
        if integers && !MOVES.contains(&&*site.node.op_type) {
            return unsupported("operands that are integers");
        }
        let alike = names.windows(2).all(|pair| self.integers.get(&pair[0]) == self.integers.get(&pair[1]));
        if integers && site.node.op_type == "Concat" && !alike {
            return unsupported("operands that are integers of different scales");
        }
        Ok(())
    }

    /// Notes that what `site` has written stands for the same reals as what it read, where it only moves it.
    pub fn follow(&mut self, site: &Site<'_>) {
        let moves = MOVES.contains(&&*site.node.op_type);
        let (Some(from), Some(to)) = (site.node.input.first(), site.node.output.first()) else { return };
        if !moves || to.is_empty() {
            return;
        }
        if let Some(grid) = self.integers.get(from).cloned() {
            self.integers.insert(to.clone(), grid);
        } else if let Some(constant) = self.constants.get(from).cloned() {
            self.constants.insert(to.clone(), constant);
        }
    }
}

fn constant<T: Datum + Copy>(site: &Site<'_>, values: Vec<T>) -> Result<Fact, Refusal> {
    let tensor = Tensor::from_shape(&site.x().shape, &values);
    let tensor = tensor.map_err(|_| site.invalid("has a constant of another size than its shape"))?;
    Ok(Fact::constant(tensor.into()))
}
