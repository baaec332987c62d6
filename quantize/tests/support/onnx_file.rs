//! Writes small ONNX files.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Extent};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};

/// An ONNX file in the making.
#[derive(Clone)]
pub struct OnnxFile {
    pub opset: i64,
    pub graph: GraphProto,
}

impl OnnxFile {
    pub fn new(opset: i64) -> Self {
        Self { opset, graph: GraphProto { name: "test".into(), ..GraphProto::default() } }
    }

    /// An input; a dimension of `None` is left open under the name `symbol`.
    pub fn open_input(&mut self, name: &str, shape: &[Option<i64>], symbol: &str) {
        self.graph.input.push(value_info(name, shape, symbol));
    }

    pub fn input(&mut self, name: &str, shape: &[usize]) {
        let shape: Vec<Option<i64>> = shape.iter().map(|&extent| Some(extent as i64)).collect();
        self.open_input(name, &shape, "");
    }

    /// An input of int64.
    pub fn index_input(&mut self, name: &str, shape: &[usize]) {
        self.input(name, shape);
        let kind = self.graph.input.last_mut().and_then(|input| input.r#type.as_mut());
        if let Some(type_proto::Value::TensorType(tensor)) = kind.and_then(|kind| kind.value.as_mut()) {
            tensor.elem_type = DataType::Int64 as i32;
        }
    }

    pub fn output(&mut self, name: &str) {
        let info = ValueInfoProto { name: name.into(), ..ValueInfoProto::default() };
        self.graph.output.push(info);
    }

    /// A float constant; its name.
    pub fn floats(&mut self, shape: &[usize], data: Vec<f32>) -> String {
        self.tensor(float_tensor(shape, data))
    }

    /// A constant list of integers; its name.
    pub fn ints(&mut self, data: &[i64]) -> String {
        self.tensor(int_tensor(data))
    }

    pub fn tensor(&mut self, mut tensor: TensorProto) -> String {
        let name = format!("constant_{}", self.graph.initializer.len());
        tensor.name.clone_from(&name);
        self.graph.initializer.push(tensor);
        name
    }

    /// A node with one output; the output's name.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("{op}_{}", self.graph.node.len());
        let output = format!("{name}:0");
        self.graph.node.push(NodeProto {
            name,
            op_type: op.into(),
            input: inputs.iter().map(|&input| input.into()).collect(),
            output: vec![output.clone()],
            attribute: attributes,
            ..NodeProto::default()
        });
        output
    }

    pub fn bytes(&self) -> Vec<u8> {
        let model = ModelProto {
            ir_version: 8,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: self.opset }],
            graph: Some(self.graph.clone()),
            ..ModelProto::default()
        };
        model.encode_to_vec()
    }
}

fn value_info(name: &str, shape: &[Option<i64>], symbol: &str) -> ValueInfoProto {
    let dim = shape.iter().map(|extent| Dimension {
        value: Some(extent.map_or(Extent::DimParam(symbol.into()), Extent::DimValue)),
        ..Dimension::default()
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..ValueInfoProto::default() }
}

pub fn float_tensor(shape: &[usize], data: Vec<f32>) -> TensorProto {
    let dims = shape.iter().map(|&extent| extent as i64).collect();
    TensorProto { dims, data_type: DataType::Float as i32, float_data: data, ..TensorProto::default() }
}

pub fn int_tensor(data: &[i64]) -> TensorProto {
    TensorProto {
        dims: vec![data.len() as i64],
        data_type: DataType::Int64 as i32,
        int64_data: data.to_vec(),
        ..TensorProto::default()
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: kind as i32, ..AttributeProto::default() }
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: value, ..attribute(name, AttributeType::Int) }
}

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: value, ..attribute(name, AttributeType::Float) }
}

pub fn word(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: value.as_bytes().to_vec(), ..attribute(name, AttributeType::String) }
}

pub fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(value), ..attribute(name, AttributeType::Tensor) }
}
