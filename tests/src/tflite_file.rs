//! Small TensorFlow Lite files, table by table.

use flatbuffers::{FlatBufferBuilder, ForwardsUOffset, TableFinishedWIPOffset, Vector, WIPOffset};

/// Types of elements, by the schema's numbers.
pub mod kind {
    /// float32.
    pub const FLOAT32: i8 = 0;
    /// int32.
    pub const INT32: i8 = 2;
    /// uint8.
    pub const UINT8: i8 = 3;
    /// int64.
    pub const INT64: i8 = 4;
    /// A byte that is 0 or 1.
    pub const BOOL: i8 = 6;
    /// int8.
    pub const INT8: i8 = 9;
    /// Integers of 16 bits.
    pub const INT16: i8 = 7;
    /// int4, two in a byte.
    pub const INT4: i8 = 17;
}

/// Operators, by the schema's numbers.
pub mod code {
    /// `a / b`.
    pub const DIV: i32 = 42;
    /// Long short-term memory over a sequence; its options are table 71.
    pub const UNIDIRECTIONAL_SEQUENCE_LSTM: i32 = 44;
    /// Recurrent layers over a sequence, one each way; their options are table 70.
    pub const BIDIRECTIONAL_SEQUENCE_RNN: i32 = 46;
    /// Whether `a < b`.
    pub const LESS: i32 = 58;
    /// Whether `a > b`.
    pub const GREATER: i32 = 61;
    /// Whether `a >= b`.
    pub const GREATER_EQUAL: i32 = 62;
    /// Whether `a <= b`.
    pub const LESS_EQUAL: i32 = 63;
    /// Whether `a = b`.
    pub const EQUAL: i32 = 71;
    /// Whether not `a = b`.
    pub const NOT_EQUAL: i32 = 72;
    /// `a` to the power of `b`.
    pub const POW: i32 = 78;
    /// Whether one holds.
    pub const LOGICAL_OR: i32 = 84;
    /// Whether both hold.
    pub const LOGICAL_AND: i32 = 86;
    /// Whether it does not hold.
    pub const LOGICAL_NOT: i32 = 87;
    /// Elements of one tensor or another.
    pub const SELECT_V2: i32 = 123;
    /// The greatest integer that is not above.
    pub const FLOOR: i32 = 8;
    /// Blocks of pixels as images.
    pub const SPACE_TO_BATCH_ND: i32 = 38;
    /// Images as blocks of pixels.
    pub const BATCH_TO_SPACE_ND: i32 = 37;
    /// The exponential function.
    pub const EXP: i32 = 47;
    /// The greatest elements and where they are.
    pub const TOPK_V2: i32 = 48;
    /// Minus.
    pub const NEG: i32 = 59;
    /// Of an angle.
    pub const SIN: i32 = 66;
    /// Repetitions.
    pub const TILE: i32 = 69;
    /// The natural logarithm.
    pub const LOG: i32 = 73;
    /// The square root.
    pub const SQRT: i32 = 75;
    /// One over the square root.
    pub const RSQRT: i32 = 76;
    /// The least over dimensions.
    pub const REDUCE_MIN: i32 = 89;
    /// The square.
    pub const SQUARE: i32 = 92;
    /// Without its sign.
    pub const ABS: i32 = 101;
    /// The least integer that is not below.
    pub const CEIL: i32 = 104;
    /// The other way round.
    pub const REVERSE_V2: i32 = 105;
    /// The sum of all inputs.
    pub const ADD_N: i32 = 106;
    /// Of an angle.
    pub const COS: i32 = 108;
    /// To the nearest integer.
    pub const ROUND: i32 = 116;
    /// Repetitions of what is 1 wide.
    pub const BROADCAST_TO: i32 = 130;
    /// A Gaussian's smooth relu; its options are table 116.
    pub const GELU: i32 = 150;
    /// -1, 0 or 1.
    pub const SIGN: i32 = 158;
    /// From integers to floats.
    pub const DEQUANTIZE: i32 = 6;
    /// An operator with a name of its own.
    pub const CUSTOM: i32 = 32;
    /// Rows of a table.
    pub const EMBEDDING_LOOKUP: i32 = 7;
    /// To another type.
    pub const CAST: i32 = 53;
    /// Another shape.
    pub const RESHAPE: i32 = 22;
    /// Weights times the input; its options are table 8.
    pub const FULLY_CONNECTED: i32 = 9;
    /// The logistic function.
    pub const LOGISTIC: i32 = 14;
    /// What is less than 0 becomes 0.
    pub const RELU: i32 = 19;
    /// The hyperbolic tangent.
    pub const TANH: i32 = 28;
    /// To integers, from floats or others.
    pub const QUANTIZE: i32 = 114;
    /// Runs another graph of the file, once.
    pub const CALL_ONCE: i32 = 129;
}

type Table = WIPOffset<TableFinishedWIPOffset>;
type Tables<'b> = WIPOffset<Vector<'b, ForwardsUOffset<TableFinishedWIPOffset>>>;

/// A graph of a file.
#[derive(Clone, Debug, Default)]
pub struct FileGraph {
    /// What it is called.
    pub name: &'static str,
    /// Its tensors, which the others name by their places.
    pub tensors: Vec<FileTensor>,
    /// Tensors.
    pub inputs: Vec<i32>,
    /// Tensors.
    pub outputs: Vec<i32>,
    /// In the order in which they run.
    pub operators: Vec<FileOperator>,
}

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct FileTensor {
    name: &'static str,
    shape: Vec<i32>,
    kind: i8,
    scales: Vec<f32>,
    zero_points: Vec<i64>,
    data: Vec<u8>,
    is_variable: bool,
}

impl FileTensor {
    /// A tensor that is computed, without scales.
    pub fn new(name: &'static str, kind: i8, shape: &[i32]) -> Self {
        let (scales, zero_points) = (Vec::new(), Vec::new());
        Self { name, shape: shape.to_vec(), kind, scales, zero_points, data: Vec::new(), is_variable: false }
    }

    /// With a scale for each row, or for all of them.
    pub fn scaled(mut self, scales: &[f32], zero_point: i64) -> Self {
        self.scales = scales.to_vec();
        self.zero_points = vec![zero_point; scales.len()];
        self
    }

    /// A constant of these bytes.
    pub fn holding(self, data: &[u8]) -> Self {
        Self { data: data.to_vec(), ..self }
    }

    /// A constant of these reals.
    pub fn holding_reals(self, reals: &[f32]) -> Self {
        let data: Vec<u8> = reals.iter().flat_map(|real| real.to_le_bytes()).collect();
        self.holding(&data)
    }

    /// What keeps its value between runs.
    pub fn variable(self) -> Self {
        Self { is_variable: true, ..self }
    }
}

/// An operator of a file.
#[derive(Clone, Debug)]
pub struct FileOperator {
    code: i32,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    /// A table's number, and bytes by their places in it.
    options: Option<(u8, Vec<(u16, i8)>)>,
    /// A custom operator's name and options.
    custom: Option<(&'static str, Vec<u8>)>,
}

impl FileOperator {
    /// The operator `code`, with options that are all 0.
    pub fn new(code: i32, inputs: &[i32], output: i32) -> Self {
        let options = match code {
            code::FULLY_CONNECTED => Some((8, Vec::new())),
            code::GELU => Some((116, Vec::new())),
            _ => None,
        };
        Self { code, inputs: inputs.to_vec(), outputs: vec![output], options, custom: None }
    }

    /// The custom operator `name`.
    pub fn custom(name: &'static str, options: &[u8], inputs: &[i32], output: i32) -> Self {
        Self { custom: Some((name, options.to_vec())), ..Self::new(code::CUSTOM, inputs, output) }
    }

    /// What it is, and what it is called where that is not all.
    fn code(&self) -> Code {
        (self.code, self.custom.as_ref().map(|(name, _)| *name))
    }

    /// With another output.
    pub fn and_output(mut self, output: i32) -> Self {
        self.outputs.push(output);
        self
    }

    /// With options in the table of this number, which are bytes by their places.
    pub fn with_options(self, table: u8, bytes: &[(u16, i8)]) -> Self {
        Self { options: Some((table, bytes.to_vec())), ..self }
    }
}

/// An operator's number, and a custom one's name.
type Code = (i32, Option<&'static str>);

/// The file that holds `graphs`.
pub fn file(graphs: &[FileGraph]) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let codes: Vec<Code> = graphs.iter().flat_map(|graph| &graph.operators).map(FileOperator::code).collect();
    let mut buffers = vec![buffer(&mut builder, &[])];
    let mut written = Vec::new();
    for graph in graphs {
        written.push(write_graph(&mut builder, graph, &codes, &mut buffers));
    }
    let graphs = builder.create_vector(&written);
    let mut write_code = |&(code, custom): &Code| {
        let custom = custom.map(|name| builder.create_string(name));
        let start = builder.start_table();
        builder.push_slot(slot(0), code.min(127) as i8, 0);
        if let Some(name) = custom {
            builder.push_slot_always(slot(1), name);
        }
        builder.push_slot(slot(3), code, 0);
        WIPOffset::new(builder.end_table(start).value())
    };
    let codes: Vec<Table> = codes.iter().map(&mut write_code).collect();
    let codes = builder.create_vector(&codes);
    let buffers = builder.create_vector(&buffers);
    let start = builder.start_table();
    builder.push_slot(slot(0), 3u32, 0);
    builder.push_slot_always(slot(1), codes);
    builder.push_slot_always(slot(2), graphs);
    builder.push_slot_always(slot(4), buffers);
    let root = builder.end_table(start);
    builder.finish(root, Some("TFL3"));
    builder.finished_data().to_vec()
}

/// Where a table's directory has the field at `place`.
fn slot(place: u16) -> u16 {
    4 + 2 * place
}

fn buffer(builder: &mut FlatBufferBuilder<'_>, data: &[u8]) -> Table {
    let data = builder.create_vector(data);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), data);
    WIPOffset::new(builder.end_table(start).value())
}

fn write_graph(
    builder: &mut FlatBufferBuilder<'_>,
    graph: &FileGraph,
    codes: &[Code],
    buffers: &mut Vec<Table>,
) -> Table {
    let mut tensors = Vec::new();
    for tensor in &graph.tensors {
        if !tensor.data.is_empty() {
            buffers.push(buffer(builder, &tensor.data));
        }
        let place = if tensor.data.is_empty() { 0 } else { buffers.len() as u32 - 1 };
        tensors.push(write_tensor(builder, tensor, place));
    }
    let tensors: Tables<'_> = builder.create_vector(&tensors);
    let mut operators = Vec::new();
    for operator in &graph.operators {
        operators.push(write_operator(builder, operator, codes));
    }
    let operators: Tables<'_> = builder.create_vector(&operators);
    let [inputs, outputs] = [&graph.inputs, &graph.outputs].map(|places| builder.create_vector(places));
    let name = builder.create_string(graph.name);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), tensors);
    builder.push_slot_always(slot(1), inputs);
    builder.push_slot_always(slot(2), outputs);
    builder.push_slot_always(slot(3), operators);
    builder.push_slot_always(slot(4), name);
    WIPOffset::new(builder.end_table(start).value())
}

fn write_tensor(builder: &mut FlatBufferBuilder<'_>, tensor: &FileTensor, buffer: u32) -> Table {
    let scales = builder.create_vector(&tensor.scales);
    let zero_points = builder.create_vector(&tensor.zero_points);
    let start = builder.start_table();
    builder.push_slot_always(slot(2), scales);
    builder.push_slot_always(slot(3), zero_points);
    let quantization = builder.end_table(start);
    let shape = builder.create_vector(&tensor.shape);
    let name = builder.create_string(tensor.name);
    let start = builder.start_table();
    builder.push_slot_always(slot(0), shape);
    builder.push_slot(slot(1), tensor.kind, 0);
    builder.push_slot(slot(2), buffer, 0);
    builder.push_slot_always(slot(3), name);
    builder.push_slot_always(slot(4), quantization);
    builder.push_slot(slot(5), tensor.is_variable, false);
    WIPOffset::new(builder.end_table(start).value())
}

fn write_operator(builder: &mut FlatBufferBuilder<'_>, operator: &FileOperator, codes: &[Code]) -> Table {
    let place = codes.iter().position(|&code| code == operator.code()).expect("every code is listed");
    let inputs = builder.create_vector(&operator.inputs);
    let outputs = builder.create_vector(&operator.outputs);
    let start = builder.start_table();
    for &(place, byte) in operator.options.iter().flat_map(|(_, bytes)| bytes) {
        builder.push_slot_always(slot(place), byte);
    }
    let options = builder.end_table(start);
    let custom = operator.custom.as_ref().map(|(_, options)| builder.create_vector(options));
    let start = builder.start_table();
    builder.push_slot(slot(0), place as u32, 0);
    builder.push_slot_always(slot(1), inputs);
    builder.push_slot_always(slot(2), outputs);
    if let Some((table, _)) = operator.options {
        builder.push_slot_always(slot(3), table);
        builder.push_slot_always(slot(4), options);
    }
    if let Some(custom) = custom {
        builder.push_slot_always(slot(5), custom);
    }
    WIPOffset::new(builder.end_table(start).value())
}
