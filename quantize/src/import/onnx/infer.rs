//! Shapes and constants of every tensor, by tract.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use tract_onnx::tract_core::internal::{
    DatumType, DimLike, IntoArcTensor, IntoTValue, OutletId, TValue, TVec, Tensor, TractError, tvec,
};
use tract_onnx::tract_hir::infer::{Factoid, GenericFactoid, InferenceFact, InferenceModel};
use tract_onnx::tract_hir::ops::konst::Const;

use super::geometry::MAX_RANK;
use super::protobuf::Model;
use super::shapes;
use super::site::{Fact, Refusal, Site};
use super::unreadable;
use crate::import::{ImportError, MAX_CONSTANT_BYTES};
use crate::validate::elements;

/// What is known of each tensor, by name.
pub(super) type Facts = HashMap<String, Fact>;
/// What a node writes, output by output; `None` for those the file leaves out.
pub(super) type Written = Vec<Option<Fact>>;

/// tract's view of a model.
pub(super) struct Inference {
    model: InferenceModel,
    outlets: HashMap<String, OutletId>,
    /// Bytes of the constants found so far.
    constant_bytes: usize,
}

impl Inference {
    /// Hands tract `model` with only the nodes in `readable`, and its initializers for good; also what is
    /// known of inputs and constants.
    pub fn start(model: &mut Model, readable: Vec<NodeProto>) -> Result<(Self, Facts), ImportError> {
        let proto = with_nodes(model, readable);
        let parsed = tract_onnx::onnx()
            .with_ignore_value_info(true)
            .parse(&proto, None)
            .map_err(|error| unreadable(format!("{:#}", error.root_cause())))?;
        let inference = Self { model: parsed.model, outlets: parsed.outlets_by_name, constant_bytes: 0 };
        let mut facts = Facts::new();
        for initializer in &proto.graph.as_ref().expect("it was given one").initializer {
            let outlet = inference.outlets[&initializer.name];
            let node = inference.model.node(outlet.node);
            let value = node.op_as::<Const>().map(|constant| Arc::clone(constant.val()));
            let value = value.ok_or_else(|| unreadable(format!("`{}` is no constant", initializer.name)))?;
            facts.insert(initializer.name.clone(), Fact::constant(value));
        }
        for input in &model.inputs {
            let fact = Fact { shape: input.shape.clone(), datum_type: input.datum_type, value: None };
            facts.insert(input.name.clone(), fact);
        }
        Ok((inference, facts))
    }

    /// What a node writes, output by output; `None` for those the file leaves out.
    pub fn infer(&mut self, site: &Site<'_>) -> Result<Written, Refusal> {
        let id = self.outlets[&site.node.output[0]].node;
        let inputs: Vec<&Fact> = site.inputs().collect();
        let known: Vec<InferenceFact> = inputs.iter().map(|fact| fact.to_tract()).collect();
        let outputs = vec![InferenceFact::default(); self.model.node(id).outputs.len()];
        let op = &mut self.model.node_mut(id).op;
        let fail =
            |error: TractError| site.invalid(format!("does not fit its operands: {:#}", error.root_cause()));
        let (_, outputs, _) =
            op.infer(known.iter().collect(), outputs.iter().collect(), tvec![]).map_err(fail)?;
        let mut facts = Vec::new();
        for fact in &outputs {
            facts.push(Fact::from_tract(fact).ok_or_else(|| site.invalid("has an output of unknown shape"))?);
        }
        // tract folds small constants as it infers; weights of any size are folded here.
        if !inputs.is_empty() && facts.iter().any(|fact| fact.value.is_none()) {
            let values: Option<TVec<TValue>> =
                inputs.iter().map(|fact| Some(fact.value.clone()?.into_tvalue())).collect();
            let folded = values.map(|values| op.eval_out_of_plan(values)).transpose().map_err(fail)?;
            if let Some(values) = folded.flatten() {
                let constant = |value: TValue| Fact::constant(value.into_arc_tensor());
                facts = values.into_iter().map(constant).collect();
            }
        }
        self.take_stock(site, &facts)?;
        let mut facts = facts.into_iter();
        let written = |name: &String| if name.is_empty() { None } else { facts.next() };
        Ok(site.node.output.iter().map(written).collect())
    }

    /// Checks what was inferred against the limits of sizes.
    pub fn take_stock<'f>(
        &mut self,
        site: &Site<'_>,
        facts: impl IntoIterator<Item = &'f Fact>,
    ) -> Result<(), Refusal> {
        for fact in facts {
            let elements = elements(&fact.shape).filter(|_| fact.shape.len() <= MAX_RANK);
            let problem = || site.invalid(format!("makes a tensor of shape {:?}", fact.shape));
            let elements = elements.ok_or_else(problem)?;
            if fact.value.is_some() {
                self.constant_bytes += elements * fact.datum_type.size_of();
            }
        }
        let problem = format!("makes constants of more than {MAX_CONSTANT_BYTES} bytes");
        site.ensure(self.constant_bytes <= MAX_CONSTANT_BYTES, problem)
    }
}

impl Fact {
    /// A constant; tract's own integers, which shapes are made of, become what the file would have.
    pub(super) fn constant(value: Arc<Tensor>) -> Self {
        let value = match value.datum_type() {
            DatumType::TDim => {
                value.cast_to::<i64>().map_or(Arc::clone(&value), |ints| ints.into_owned().into())
            }
            _ => value,
        };
        Self { shape: value.shape().to_vec(), datum_type: value.datum_type(), value: Some(value) }
    }

    fn to_tract(&self) -> InferenceFact {
        match &self.value {
            Some(value) => InferenceFact {
                value: GenericFactoid::Only(Arc::clone(value)),
                ..InferenceFact::dt_shape_from_tensor(value)
            },
            None => InferenceFact::dt_shape(self.datum_type, &self.shape),
        }
    }

    fn from_tract(fact: &InferenceFact) -> Option<Self> {
        if let Some(value) = fact.value.concretize() {
            return Some(Self::constant(value));
        }
        let shape = fact.shape.concretize()?;
        let shape = shape.iter().map(|dim| dim.to_usize().ok()).collect::<Option<_>>()?;
        Some(Self { shape, datum_type: fact.datum_type.concretize()?, value: None })
    }
}

/// The model with only these nodes, inputs without shapes, and nothing that only describes it.
fn with_nodes(model: &mut Model, nodes: Vec<NodeProto>) -> ModelProto {
    let initializer = model.take_initializers();
    let is_input = |input: &&ValueInfoProto| model.inputs.iter().any(|known| known.name == input.name);
    let graph = GraphProto {
        node: nodes.into_iter().flat_map(with_stand_ins).collect(),
        initializer,
        input: model.graph().input.iter().filter(is_input).map(without_shape).collect(),
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: model.proto.ir_version,
        opset_import: model.proto.opset_import.clone(),
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// The node, or, where tract is not asked about it, for each of its outputs a node that tract knows: of
/// those only the names count.
fn with_stand_ins(node: NodeProto) -> Vec<NodeProto> {
    if !shapes::are_known(&node) {
        return vec![node];
    }
    let stand_in = |output: &String| NodeProto {
        op_type: "Identity".into(),
        input: vec![node.input[0].clone()],
        output: vec![output.clone()],
        ..NodeProto::default()
    };
    node.output.iter().filter(|output| !output.is_empty()).map(stand_in).collect()
}

/// An input of which only the name and type are said: its shape is given with each node's facts.
fn without_shape(input: &ValueInfoProto) -> ValueInfoProto {
    let mut input = input.clone();
    if let Some(Type::TensorType(tensor)) = input.r#type.as_mut().and_then(|kind| kind.value.as_mut()) {
        tensor.shape = None;
    }
    input
}
