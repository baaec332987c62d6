//! Small ONNX files, byte by byte: a protobuf is fields of a number, a kind and a value.

/// A model of `nodes`, one after the other, from the input `x` of shape `x_dims` to the output `y`.
pub fn model(nodes: &[&str], x_dims: &[Dim]) -> Vec<u8> {
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
    Fixed(u64),
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

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
