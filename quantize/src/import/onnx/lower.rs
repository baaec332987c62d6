//! Nodes of the file become operators of ours.
//!
//! Each node is lowered alone: an operator on NCHW images becomes a transpose, the NHWC operator, and the
//! transpose back. [`crate::simplify`] joins what belongs together.

mod einsum;
mod elementwise;
mod function;
mod image;
mod movement;
mod normalization;
mod norms;
pub(super) mod one_hot;
mod pieces;
mod product;
mod recurrent;
mod reduction;
mod resize;
mod spread;
pub(super) mod suppression;
mod together;
mod truths;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::{DatumType, Tensor as Values};

use super::infer::Facts;
use super::operators;
use super::protobuf::Model;
use super::shapes::{moves_integers, writes_indices};
use super::site::{Fact, Refusal, Site, floats, is_integer, unsupported};
use super::unreadable;
use crate::graph::{Extreme as Place, FloatGraph, FloatTensor, Node, Op, Tensor, TensorId};
use crate::import::ImportError;
use crate::interpret::Interpreter;
use together::Extreme;

/// The graph so far.
pub(super) struct Lowering {
    graph: FloatGraph,
    /// The tensor that holds each of the file's, by name. Constants come when they are first read.
    ids: HashMap<String, TensorId>,
    /// The operands of each recurrent layer, by the node's place in the file and the direction's among its directions.
    layers: HashMap<(usize, usize), Vec<TensorId>>,
    /// Everything that a node or the model's outputs read.
    read: HashSet<String>,
}

/// Computes what a node makes of constants, by the operators that it would become.
pub(super) fn fold(site: &Site<'_>, written: &mut [Option<Fact>]) -> Result<(), Refusal> {
    if site.inputs().any(|fact| fact.value.is_none()) {
        return Ok(());
    }
    let graph = FloatGraph {
        name: String::new(),
        tensors: Vec::new(),
        nodes: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        rounding: (),
    };
    let looks_who_reads = operators::is_recurrent(site.node) || site.node.op_type == "TopK";
    let read = site.node.output.iter().filter(|_| looks_who_reads).cloned().collect();
    let mut alone = Lowering { graph, ids: HashMap::new(), layers: HashMap::new(), read };
    alone.lower(site, written)?;
    let mut computed = Vec::new();
    for (position, name) in site.node.output.iter().enumerate() {
        if let Some(&id) = alone.ids.get(name).filter(|_| !name.is_empty()) {
            alone.graph.outputs.push(id);
            computed.push(position);
        }
    }
    let results = Interpreter::new(&alone.graph).run(&[], |_, _| ());
    for (position, data) in computed.into_iter().zip(results) {
        if let Some(Some(fact)) = written.get_mut(position) {
            let values = Values::from_shape(&fact.shape, &data);
            fact.value = Some(values.map_err(|_| site.invalid("makes another number of elements"))?.into());
        }
    }
    Ok(())
}

impl Lowering {
    /// A graph with the model's inputs.
    pub fn new(model: &Model) -> Self {
        let source = model.graph();
        let read = source.node.iter().flat_map(|node| &node.input);
        let read = read.chain(source.output.iter().map(|output| &output.name)).cloned().collect();
        let graph = FloatGraph {
            name: source.name.clone(),
            tensors: Vec::new(),
            nodes: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            rounding: (),
        };
        let mut lowering = Self { graph, ids: HashMap::new(), layers: HashMap::new(), read };
        for input in &model.inputs {
            let id = lowering.tensor(&input.name, input.shape.clone());
            lowering.graph.inputs.push(id);
            lowering.ids.insert(input.name.clone(), id);
        }
        lowering
    }

    /// Adds what computes `site`'s outputs, but for those that are constant.
    pub fn lower(&mut self, site: &Site<'_>, facts: &[Option<Fact>]) -> Result<(), Refusal> {
        if operators::is_recurrent(site.node) {
            for (position, name) in site.node.output.iter().enumerate() {
                if self.read.contains(name) {
                    let fact = facts.get(position).and_then(Option::as_ref);
                    self.output(site, position, fact, |lowering, shape| {
                        lowering.recurrent(site, position, shape)
                    })?;
                }
            }
            return Ok(());
        }
        if site.node.op_type == "Split" {
            return facts.iter().enumerate().try_for_each(|(position, fact)| {
                self.output(site, position, fact.as_ref(), |lowering, _| lowering.part(site, position))
            });
        }
        if site.node.op_type == "TopK" {
            return self.top(site, facts);
        }
        let others = &site.node.output[1..];
        if let Some(other) = others.iter().find(|name| !name.is_empty() && self.read.contains(*name)) {
            return unsupported(format!("`{other}`, an output other than the first"));
        }
        let fact = facts.first().and_then(Option::as_ref);
        self.output(site, 0, fact, |lowering, shape| lowering.operator(site, shape))
    }

    /// Adds what computes one output, unless that is constant or not asked for.
    fn output(
        &mut self,
        site: &Site<'_>,
        position: usize,
        fact: Option<&Fact>,
        lower: impl FnOnce(&mut Self, &[usize]) -> Result<TensorId, Refusal>,
    ) -> Result<(), Refusal> {
        let Some(fact) = fact.filter(|fact| fact.value.is_none()) else { return Ok(()) };
        let is_read = match fact.datum_type {
            DatumType::F32 => true,
            DatumType::Bool => truths::are_written(site.node),
            other => writes_indices(site.node, position) || is_integer(other) && moves_integers(site),
        };
        if !is_read {
            return unsupported(format!("values of type {:?} that are not constant", fact.datum_type));
        }
        site.ensure(!fact.shape.contains(&0), format!("makes a tensor of shape {:?}", fact.shape))?;
        let id = lower(self, &fact.shape)?;
        assert_eq!(self.graph.tensor(id).shape, fact.shape, "`{}` has the shape inferred", site.name());
        self.ids.insert(site.node.output[position].clone(), id);
        Ok(())
    }

    fn operator(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        if let Some(lowered) = self.function(site, shape) {
            return lowered;
        }
        match &*site.node.op_type {
            "Conv" => self.convolution(site, shape),
            "AveragePool" => self.average_pool(site, shape),
            "MaxPool" => self.max_pool(site, shape),
            "GlobalAveragePool" => self.mean(site, (2..site.rank()).collect(), shape),
            "GlobalMaxPool" => self.global_max_pool(site, shape),
            "Gemm" => self.gemm(site, shape),
            "MatMul" => self.matmul(site, shape),
            "Add" => self.sum(site, shape),
            "Sub" => self.difference(site, shape),
            "Mul" => self.binary(site, Op::Mul { activation: Default::default() }, shape),
            "Div" => self.quotient(site, shape),
            "BatchNormalization" => self.batch_normalization(site, shape),
            "Relu" => self.unary(site, Op::Relu, shape),
            "Sigmoid" => self.unary(site, Op::Logistic, shape),
            "Tanh" => self.unary(site, Op::Tanh, shape),
            "LeakyRelu" => {
                let alpha = site.float("alpha").unwrap_or(0.01);
                site.ensure(alpha.is_finite(), "has a slope that is not finite")?;
                self.unary(site, Op::LeakyRelu { alpha }, shape)
            }
            "Clip" => self.clip(site, shape),
            "Softmax" => self.softmax(site, shape),
            "ReduceMean" => self.reduce_mean(site, shape),
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Identity" | "Dropout" => {
                self.unary(site, Op::Reshape, shape)
            }
            "Cast" if *shape == *site.x().shape => self.cast(site, shape),
            "And" | "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Not" | "Or"
            | "Xor" => self.truth(site, shape),
            "Where" => self.selection(site, shape),
            "Trilu" => self.triangle(site, shape),
            "ArgMax" => self.place_of_extreme(site, [Place::Greatest, Place::LastGreatest], shape),
            "ArgMin" => self.place_of_extreme(site, [Place::Least, Place::LastLeast], shape),
            "CumSum" => self.running_sum(site, shape),
            "ConvTranspose" => self.transposed_convolution(site, shape),
            "DepthToSpace" => self.depth_to_space(site, shape),
            "Expand" => self.expand(site, shape),
            "Gather" => self.gather(site, shape),
            "Einsum" => self.einsum(site, shape),
            "GroupNormalization" => self.group_normalization(site, shape),
            "InstanceNormalization" => self.instance_normalization(site, shape),
            "LayerNormalization" => self.layer_normalization(site, shape),
            "LogSoftmax" => self.on_rows(site, shape, Self::log_softmax_of_rows),
            "LpNormalization" => self.normalized_by_norm(site, shape),
            "Max" => self.extreme_of_all(site, Extreme::Greatest),
            "Mean" => self.mean_of_all(site),
            "Min" => self.extreme_of_all(site, Extreme::Least),
            "NonMaxSuppression" => self.suppression(site, shape),
            "OneHot" => self.one_hot(site, shape),
            "PRelu" => self.parametric_relu(site, shape),
            "Pow" => self.power(site, shape),
            "RMSNormalization" => self.rms_normalization(site, shape),
            "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" => {
                self.reduce_norm(site, shape)
            }
            "ReduceProd" => self.reduce_product(site, shape),
            "ReduceMax" => self.reduce_extreme(site, Extreme::Greatest, shape),
            "ReduceMin" => self.reduce_extreme(site, Extreme::Least, shape),
            "ReduceSum" => self.reduce_sum(site, shape),
            "Resize" | "Upsample" => self.resize(site, shape),
            "SpaceToDepth" => self.space_to_depth(site, shape),
            "Sum" => self.sum_of_all(site),
            "Tile" => self.tile(site),
            "QuantizeLinear" | "DequantizeLinear" => self.rounding(site, shape),
            "Transpose" => self.transposition(site, shape),
            "Pad" => self.pad(site, shape),
            "Concat" => self.concat(site, shape),
            "Slice" => self.slice(site, shape),
            _ => unsupported("its result is not constant"),
        }
    }

    /// Stands in for what a refused node writes, so that those after it can still be looked at.
    pub fn leave_out(&mut self, node: &NodeProto, facts: &Facts) {
        for name in &node.output {
            if let Some(fact) = facts.get(name) {
                let id = self.tensor(name, fact.shape.clone());
                self.ids.insert(name.clone(), id);
            }
        }
    }

    /// The whole graph.
    pub fn finish(mut self, model: &Model) -> Result<FloatGraph, ImportError> {
        for output in &model.graph().output {
            let name = &output.name;
            let mut id = *self
                .ids
                .get(name)
                .filter(|&&id| !self.graph.tensor(id).is_constant())
                .ok_or_else(|| unreadable(format!("its output `{name}` does not depend on its input")))?;
            if self.graph.inputs.contains(&id) {
                let copy = self.tensor(name, self.graph.tensor(id).shape.clone());
                let node =
                    Node { name: name.clone(), op: Op::Reshape, inputs: vec![id], outputs: vec![copy] };
                self.graph.nodes.push(node);
                id = copy;
            }
            self.graph.outputs.push(id);
        }
        Ok(self.graph)
    }

    fn tensor(&mut self, name: &str, shape: Vec<usize>) -> TensorId {
        self.graph.add_tensor(FloatTensor { name: name.to_owned(), shape, data: None })
    }

    fn constant(&mut self, name: String, shape: Vec<usize>, data: Vec<f32>) -> TensorId {
        self.graph.add_tensor(FloatTensor { name, shape, data: Some(Arc::from(data)) })
    }

    fn shape(&self, id: TensorId) -> &[usize] {
        &self.graph.tensor(id).shape
    }

    /// The tensor of an operand that is given.
    fn operand(&mut self, site: &Site<'_>, position: usize) -> Result<TensorId, Refusal> {
        let name = site.input_name(position);
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        let fact = site.input(position).ok_or_else(|| site.invalid(format!("lacks operand {position}")))?;
        let data = site.constant_floats(position)?.unwrap_or_default();
        site.ensure(!data.is_empty(), format!("has a constant `{name}` without elements"))?;
        let id = self.constant(name.to_owned(), fact.shape.clone(), data);
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Adds an operator that `site` asks for.
    fn emit(&mut self, site: &Site<'_>, op: Op, inputs: Vec<TensorId>, shape: Vec<usize>) -> TensorId {
        let output = self.tensor(&site.node.output[0], shape);
        self.graph.nodes.push(Node { name: site.name(), op, inputs, outputs: vec![output] });
        output
    }

    fn transposed(&mut self, site: &Site<'_>, x: TensorId, perm: Vec<usize>) -> TensorId {
        let shape = perm.iter().map(|&axis| self.shape(x)[axis]).collect();
        self.emit(site, Op::Transpose { perm }, vec![x], shape)
    }

    fn reshaped(&mut self, site: &Site<'_>, x: TensorId, shape: &[usize]) -> TensorId {
        if self.shape(x) == shape { x } else { self.emit(site, Op::Reshape, vec![x], shape.to_vec()) }
    }

    /// An operator on the first operand alone.
    fn unary(&mut self, site: &Site<'_>, op: Op, shape: &[usize]) -> Result<TensorId, Refusal> {
        let x = self.operand(site, 0)?;
        Ok(self.emit(site, op, vec![x], shape.to_vec()))
    }

    /// The mark of where the file rounds, called as what it writes, which no other node is.
    fn rounding(&mut self, site: &Site<'_>, shape: &[usize]) -> Result<TensorId, Refusal> {
        let x = self.operand(site, 0)?;
        let output = self.tensor(&site.node.output[0], shape.to_vec());
        let name = site.node.output[0].clone();
        self.graph.nodes.push(Node { name, op: Op::Requantize, inputs: vec![x], outputs: vec![output] });
        Ok(output)
    }

    /// A constant operand's shape and floats; `None` when it is not constant.
    fn constant_operand(&self, site: &Site<'_>, position: usize) -> Option<(Vec<usize>, Vec<f32>)> {
        let fact = site.input(position)?;
        Some((fact.shape.clone(), floats(fact.value.as_ref()?)?))
    }
}
