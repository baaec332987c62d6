//! Small ONNX files, byte by byte: a protobuf is fields of a number, a kind and a value.

/// A model of `nodes`, one after the other, from the input `x` of shape `x_dims` to the output `y`.
pub fn chain(nodes: &[&str], x_dims: &[Dim]) -> Vec<u8> {
    let mut graph = Vec::new();
    for (index, operator) in nodes.iter().enumerate() {
        let input = if index == 0 { "x".to_owned() } else { format!("t{index}") };
        let output = if index + 1 == nodes.len() { "y".to_owned() } else { format!("t{}", index + 1) };
        let node = [
            field(1, input.as_bytes()),
            field(2, output.as_bytes()),
            field(3, format!("{}_{index}", operator.to_lowercase()).as_bytes()),
            field(4, operator.as_bytes()),
        ];
        graph.extend(field(1, &node.concat()));
    }
    graph.extend(field(2, b"graph"));
    graph.extend(field(11, &value("x", x_dims)));
    graph.extend(field(12, &value("y", x_dims)));
    let opset = number(2, 13);
    [number(1, 8), field(7, &graph), field(8, &opset)].concat()
}

/// A model that adds inputs of these shapes, given by name.
pub fn inputs_of_shapes(inputs: &[(&str, &[Dim])]) -> Vec<u8> {
    let names = inputs.iter().map(|(name, _)| field(1, name.as_bytes()));
    let mut node: Vec<u8> = names.flatten().collect();
    node.extend([field(2, b"y"), field(3, b"add_0"), field(4, b"Add")].concat());
    let mut graph = field(1, &node);
    graph.extend(field(2, b"graph"));
    graph.extend(inputs.iter().flat_map(|(name, dims)| field(11, &value(name, dims))));
    graph.extend(field(12, &value("y", inputs[0].1)));
    [number(1, 8), field(7, &graph), field(8, &number(2, 13))].concat()
}

/// An extent of a shape.
pub enum Dim {
    /// A number.
    Fixed(u64),
    /// A name in its place.
    Open(&'static str),
}

fn value(name: &str, dims: &[Dim]) -> Vec<u8> {
    let dims = dims.iter().map(|dim| match dim {
        Dim::Fixed(extent) => field(1, &number(1, *extent)),
        Dim::Open(name) => field(1, &field(2, name.as_bytes())),
    });
    let shape: Vec<u8> = dims.flatten().collect();
    let float32 = 1;
    let tensor = [number(1, float32), field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [varint(tag << 3), varint(value)].concat()
}

/// A protobuf's number.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A constant of a model.
pub struct Constant {
    /// ONNX's number of the type: 1 is float32, 7 int64, 8 text.
    pub data_type: u64,
    /// Extents.
    pub dims: Vec<i64>,
    /// The elements' bytes.
    pub raw_data: Vec<u8>,
}

impl Constant {
    /// A list of integers.
    pub fn ints(values: &[i64]) -> Self {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { data_type: 7, dims: vec![values.len() as i64], raw_data }
    }

    /// Floats that are all 0.
    pub fn zeros(dims: &[i64]) -> Self {
        let bytes = dims.iter().product::<i64>() as usize * 4;
        Self { data_type: 1, dims: dims.to_vec(), raw_data: vec![0; bytes] }
    }
}

/// A model of one node from `x` of shape `[1, 2, 6, 6]`, where it reads that, and constants to `output`. An
/// attribute of one value is a number, others are lists.
pub fn single(
    operator: &str,
    reads_x: bool,
    constants: &[Constant],
    attributes: &[(&str, &[i64])],
    output: &str,
) -> Vec<u8> {
    let mut node = if reads_x { field(1, b"x") } else { Vec::new() };
    let mut initializers = Vec::new();
    for (index, constant) in constants.iter().enumerate() {
        let name = format!("constant_{index}");
        node.extend(field(1, name.as_bytes()));
        let mut tensor: Vec<u8> = constant.dims.iter().flat_map(|&dim| number(1, dim as u64)).collect();
        tensor.extend(number(2, constant.data_type));
        tensor.extend([field(8, name.as_bytes()), field(9, &constant.raw_data)].concat());
        initializers.extend(field(5, &tensor));
    }
    node.extend([field(2, b"y"), field(3, b"node"), field(4, operator.as_bytes())].concat());
    for (name, values) in attributes {
        let value: Vec<u8> = match values {
            [value] => [number(3, *value as u64), number(20, 2)].concat(),
            values => values.iter().flat_map(|&value| number(8, value as u64)).chain(number(20, 7)).collect(),
        };
        node.extend(field(5, &[field(1, name.as_bytes()), value].concat()));
    }
    let mut graph = field(1, &node);
    let dims = || [Dim::Fixed(1), Dim::Fixed(2), Dim::Fixed(6), Dim::Fixed(6)];
    graph.extend([field(2, b"graph"), initializers, field(11, &value("x", &dims()))].concat());
    graph.extend(field(12, &value(output, &dims())));
    [number(1, 8), field(7, &graph), field(8, &number(2, 13))].concat()
}
