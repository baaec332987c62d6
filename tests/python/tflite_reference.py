"""Writes data/tflite_reference.tar.xz: what TensorFlow Lite's reference interpreter computes.

    pip install -r requirements.txt
    EDGEPKG_ZOO=path/to/zoo python tflite_reference.py

For each int8 model: inputs, the outputs for all of them, and every tensor for the first few. From some of them
files of other kinds are made (float32, float16 weights, int8 weights between floats, uint8), which the zoo lacks.
The same zoo gives the same bytes.
"""

import copy
import io
import json
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

ZOO = Path(os.environ["EDGEPKG_ZOO"])
TARGET = Path(__file__).parents[1] / "data" / "tflite_reference.tar.xz"

SAMPLES = 64
# Samples for which every tensor is kept.
WHOLE_SAMPLES = 4

TYPES = {np.float16: schema.TensorType.FLOAT16, np.float32: schema.TensorType.FLOAT32}


def digits(_):
    return np.load(ZOO / "digits_cnn/samples/test_x_f32.npy")


def enlarged_digits(_):
    """MNIST may not be passed on: these are the small digits on its canvas."""
    small = digits(None).reshape(-1, 8, 8)
    return np.pad(small.repeat(3, axis=1).repeat(3, axis=2), [(0, 0), (2, 2), (2, 2)])[..., None]


def own_samples(name):
    for file in ["test_x_f32.npy", "eval_x_f32.npy"]:
        path = ZOO / name / "samples" / file
        if path.exists():
            return np.load(path)
    raise FileNotFoundError(f"samples of {name}")


# Whether the model file may be passed on with the repository, and its inputs.
MODELS = {
    "digits_cnn": (True, digits),
    "digits_dsres": (True, digits),
    "digits_mlp": (True, digits),
    "hello_world_sine": (True, own_samples),
    "magic_wand": (False, own_samples),
    "micro_speech": (False, own_samples),
    "mnist_emlearn": (True, enlarged_digits),
    "sww": (True, own_samples),
}


def interpreter_of(content, keep):
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=keep,
    )
    interpreter.allocate_tensors()
    return interpreter


def outputs_of(content, inputs):
    interpreter = interpreter_of(content, False)
    return np.concatenate([run(interpreter, x) for x in inputs])


def run(interpreter, x):
    port = interpreter.get_input_details()[0]
    interpreter.set_tensor(port["index"], x.reshape(port["shape"]))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def quantized(x, port):
    scale, zero_point = port["quantization"]
    bounds = np.iinfo(port["dtype"])
    return np.clip(np.round(x / scale) + zero_point, bounds.min, bounds.max).astype(port["dtype"])


def whole_runs(content, inputs):
    """The integers that enter the model, those that leave it, and those that operators write, by name."""
    interpreter = interpreter_of(content, True)
    graph = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0]
    written = [output for operator in graph.operators for output in operator.outputs]
    names = {index: graph.tensors[index].name.decode() for index in written}
    assert len(set(names.values())) == len(written), "names tell tensors apart"
    first, last = graph.inputs[0], graph.outputs[0]
    for operator in graph.operators:
        if graph.tensors[first].type == schema.TensorType.FLOAT32 and operator.inputs[0] == first:
            first = operator.outputs[0]
        if graph.tensors[last].type == schema.TensorType.FLOAT32 and operator.outputs[0] == last:
            last = operator.inputs[0]
    values = {index: [] for index in [first, *written]}
    for x in inputs:
        run(interpreter, x)
        for index, runs in values.items():
            runs.append(interpreter.get_tensor(index).copy())
    values = {index: np.stack(runs) for index, runs in values.items()}
    inner = {names[index]: values[index] for index in written if values[index].dtype != np.float32}
    return values[first], values[last], inner


def packed(model):
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def constant(model, tensor):
    """A tensor's integers, or None; in a buffer of its own from now on."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) == 0:
        return None
    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    kinds = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}
    return np.asarray(data, np.uint8).view(kinds[tensor.type]).reshape(tensor.shape)


def reals(tensor, values):
    quantization = tensor.quantization
    shape = [1] * values.ndim
    if len(quantization.scale) > 1:
        shape[quantization.quantizedDimension] = -1
    scale = np.asarray(quantization.scale, np.float32).reshape(shape)
    return scale * (values.astype(np.int64) - quantization.zeroPoint[0]).astype(np.float32)


def store(model, tensor, values):
    model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.type = TYPES[values.dtype.type]
    tensor.quantization = None


def with_floats(content, weights):
    """The int8 model with floats; `weights` are those of float32, float16 or int8 (beside float biases)."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    codes = model.operatorCodes
    is_code = lambda operator, code: codes[operator.opcodeIndex].builtinCode == code
    ends = {}
    for operator in list(graph.operators):
        for code in [schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE]:
            if is_code(operator, code):
                ends[operator.outputs[0]] = operator.inputs[0]
                graph.operators.remove(operator)
    assert not ends, "floats at the edge are not among these models"
    for index, tensor in enumerate(list(graph.tensors)):
        if tensor.quantization is None or tensor.quantization.scale is None:
            continue
        values = constant(model, tensor)
        if values is None:
            tensor.type = schema.TensorType.FLOAT32
            tensor.quantization = None
        elif weights == "float16":
            store(model, tensor, reals(tensor, values).astype(np.float16))
            dequantize(model, graph, index)
        elif weights == "float32" or values.dtype != np.int8:
            store(model, tensor, reals(tensor, values))
    model.description = f"made of the int8 model, with {weights} weights".encode()
    return packed(model)


def dequantize(model, graph, index):
    """Lets operators read tensor `index` through a DEQUANTIZE."""
    codes = [code.builtinCode for code in model.operatorCodes]
    if schema.BuiltinOperator.DEQUANTIZE not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = schema.BuiltinOperator.DEQUANTIZE
        code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
        code.version = 3
        model.operatorCodes.append(code)
        codes.append(code.builtinCode)
    tensor = copy.copy(graph.tensors[index])
    graph.tensors[index].name += b"/float16"
    tensor.type = schema.TensorType.FLOAT32
    tensor.buffer = 0
    graph.tensors.append(tensor)
    wide = len(graph.tensors) - 1
    for operator in graph.operators:
        operator.inputs = [wide if read == index else read for read in operator.inputs]
    operator = schema.OperatorT()
    operator.opcodeIndex = codes.index(schema.BuiltinOperator.DEQUANTIZE)
    operator.inputs, operator.outputs = [index], [wide]
    graph.operators.insert(0, operator)


def with_uint8(content):
    """The int8 model as older versions quantized: uint8, zero points of weights anywhere."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for code in model.operatorCodes:
        code.version = 1
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == schema.TensorType.INT8:
            values = constant(model, tensor)
            if values is not None:
                data = values.view(np.uint8) ^ 0x80
                model.buffers[tensor.buffer].data = data.reshape(-1)
            tensor.type = schema.TensorType.UINT8
            tensor.quantization.zeroPoint = [128 + tensor.quantization.zeroPoint[0]]
    model.description = b"made of the int8 model, with uint8"
    return packed(model)


def with_labels(content, labels, compression):
    """The model with TensorFlow Lite metadata that names the classes of its output."""
    builder = flatbuffers.Builder(256)
    text = builder.CreateString
    name, description = text("labels.txt"), text("Tells digits apart.")

    def table(fields, write):
        builder.StartObject(fields)
        write()
        return builder.EndObject()

    def vector(item):
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(item)
        return builder.EndVector()

    offset = lambda field, target: builder.PrependUOffsetTRelativeSlot(field, target, 0)
    axis_labels = lambda: (offset(0, name), builder.PrependInt8Slot(2, 2, 0))
    files = vector(table(4, axis_labels))
    tensors = vector(table(7, lambda: offset(6, files)))
    graphs = vector(table(7, lambda: offset(3, tensors)))
    root = table(8, lambda: (offset(1, description), offset(3, graphs)))
    builder.Finish(root, b"M001")

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(bytes(builder.Output()), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    file = io.BytesIO(packed(model))
    with zipfile.ZipFile(file, "a", compression) as archive:
        member = zipfile.ZipInfo("labels.txt")
        archive.writestr(member, "\n".join(labels) + "\n", compression)
    return file.getvalue()


def one_operator(code, shape, output_shape, constants=(), options=None, x_last=False, outputs=1):
    """A float model of one operator on `x` and constants."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = []

    def tensor(name, shape, values=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name.encode(), list(shape)
        tensor.type = schema.TensorType.FLOAT32
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            model.buffers.append(buffer)
            tensor.buffer = len(model.buffers) - 1
            if values.dtype == np.int32:
                tensor.type = schema.TensorType.INT32
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    x = tensor("x", shape)
    read = [tensor(f"constant{index}", values.shape, values) for index, values in enumerate(constants)]
    written = [tensor(f"output{index}", output_shape) for index in range(outputs)]
    operator = schema.OperatorT()
    operator.inputs = [*read, x] if x_last else [x, *read]
    operator.outputs = written
    if options is not None:
        operator.builtinOptions = options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
    opcode = schema.OperatorCodeT()
    # As files before 2020 have it.
    opcode.deprecatedBuiltinCode = min(code, 127)
    opcode.builtinCode = code if code > 127 else 0
    opcode.version = 1
    model.operatorCodes = [opcode]
    graph.inputs, graph.outputs, graph.operators = [x], [written[-1]], [operator]
    model.subgraphs = [graph]
    return packed(model)


def with_fields(options, **fields):
    for name, value in fields.items():
        setattr(options, name, value)
    return options


def operators():
    """Models of operators that the models above lack."""
    code = schema.BuiltinOperator
    floats = lambda *values: np.array(values, np.float32)
    ints = lambda *values: np.array(values, np.int32)
    shape = [1, 4, 6, 2]
    relu = schema.ActivationFunctionType.RELU
    yield "SUB", one_operator(code.SUB, shape, shape, [floats(0.5, -1)], schema.SubOptionsT())
    sub = with_fields(schema.SubOptionsT(), fusedActivationFunction=relu)
    yield "SUB_from_constant", one_operator(code.SUB, shape, shape, [floats(0.5, -1)], sub, x_last=True)
    div = with_fields(schema.DivOptionsT(), fusedActivationFunction=relu)
    yield "DIV", one_operator(code.DIV, shape, shape, [floats(4, -0.3)], div)
    yield "MINIMUM", one_operator(code.MINIMUM, shape, shape, [floats(0.25)])
    yield "MAXIMUM", one_operator(code.MAXIMUM, shape, shape, [floats(-0.75)])
    yield "RELU_N1_TO_1", one_operator(code.RELU_N1_TO_1, shape, shape)
    yield "RELU_0_TO_1", one_operator(code.RELU_0_TO_1, shape, shape)
    window = [ints(0, 1, -4, 0), ints(0, 3, -1, 0), ints(1, 1, 1, 1)]
    masks = with_fields(schema.StridedSliceOptionsT(), beginMask=1, endMask=9)
    yield "STRIDED_SLICE", one_operator(code.STRIDED_SLICE, shape, [1, 2, 3, 2], window, masks)
    window = [ints(0, -2, 1), ints(1, 0, 5), ints(1, 1, 1)]
    masks = with_fields(schema.StridedSliceOptionsT(), shrinkAxisMask=2)
    yield "STRIDED_SLICE_shrunk", one_operator(code.STRIDED_SLICE, shape, [1, 4, 2], window, masks)
    split = with_fields(schema.SplitOptionsT(), numSplits=3)
    axis = [np.array(2, np.int32)]
    yield "SPLIT", one_operator(code.SPLIT, shape, [1, 4, 2, 2], axis, split, x_last=True, outputs=3)
    kept = with_fields(schema.ReducerOptionsT(), keepDims=True)
    yield "REDUCE_MAX", one_operator(code.REDUCE_MAX, shape, [1, 2], [ints(1, 2)], schema.ReducerOptionsT())
    yield "REDUCE_MAX_kept", one_operator(code.REDUCE_MAX, shape, [1, 4, 6, 1], [ints(-1)], kept)
    yield "MEAN", one_operator(code.MEAN, shape, [1, 4, 1, 2], [ints(2)], kept)
    paddings = np.array([[0, 0], [1, 2], [0, 1], [0, 0]], np.int32)
    yield "PAD", one_operator(code.PAD, shape, [1, 7, 7, 2], [paddings], schema.PadOptionsT())
    yield "PADV2", one_operator(code.PADV2, shape, [1, 7, 7, 2], [paddings, floats(-1.5)], schema.PadV2OptionsT())


class Archive:
    def __init__(self):
        self.files = {}

    def array(self, path, values):
        file = io.BytesIO()
        np.save(file, values)
        self.files[path] = file.getvalue()

    def write(self, path):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in sorted(self.files):
                member = tarfile.TarInfo(name)
                member.size = len(self.files[name])
                archive.addfile(member, io.BytesIO(self.files[name]))
        path.write_bytes(lzma.compress(content.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def main():
    archive = Archive()
    index = {"int8": [], "float": [], "uint8": []}
    for name, (may_be_copied, samples) in MODELS.items():
        content = (ZOO / name / "reference_int8.tflite").read_bytes()
        port = interpreter_of(content, False).get_input_details()[0]
        inputs = samples(name)[:SAMPLES]
        integers = inputs if port["dtype"] == np.float32 else quantized(inputs, port)
        first, last, tensors = whole_runs(content, integers)
        if may_be_copied:
            archive.files[f"{name}/model.tflite"] = content
        archive.array(f"{name}/inputs.npy", first)
        archive.array(f"{name}/outputs.npy", last)
        for number, values in enumerate(tensors.values()):
            archive.array(f"{name}/tensor{number}.npy", values[:WHOLE_SAMPLES])
        index["int8"].append({"name": name, "has_model": may_be_copied, "tensors": list(tensors)})
        if name in ["digits_cnn", "digits_dsres", "hello_world_sine"]:
            for weights in ["float32", "float16", "int8"]:
                made = f"{name}_{weights}_weights"
                variant = with_floats(content, weights)
                archive.files[f"{made}/model.tflite"] = variant
                floats = inputs[: SAMPLES // 4].astype(np.float32)
                archive.array(f"{made}/inputs.npy", floats)
                archive.array(f"{made}/outputs.npy", outputs_of(variant, floats))
                index["float"].append({"name": made, "of": name, "weights": weights})
        if name == "hello_world_sine":
            made = f"{name}_uint8"
            archive.files[f"{made}/model.tflite"] = with_uint8(content)
            archive.array(f"{made}/inputs.npy", integers.view(np.uint8) ^ 0x80)
            outputs = outputs_of(archive.files[f"{made}/model.tflite"], integers.view(np.uint8) ^ 0x80)
            archive.array(f"{made}/outputs.npy", outputs)
            index["uint8"].append({"name": made, "of": name})
        print(name, port["dtype"].__name__, integers.shape, list(tensors)[-1])
    random = np.random.default_rng(7)
    for name, model in operators():
        inputs = random.normal(size=[8, 1, 4, 6, 2]).astype(np.float32)
        archive.files[f"{name}/model.tflite"] = model
        archive.array(f"{name}/inputs.npy", inputs)
        archive.array(f"{name}/outputs.npy", np.stack([outputs_of(model, [x]) for x in inputs]))
        index["float"].append({"name": name, "of": name, "weights": "float32"})
    digits = (ZOO / "digits_cnn/reference_int8.tflite").read_bytes()
    names = "zero one two three four five six seven eight nine".split()
    for made, labels, compression in [
        ("labels_deflated", names, zipfile.ZIP_DEFLATED),
        ("labels_stored", names, zipfile.ZIP_STORED),
        ("too_few_labels", names[1:], zipfile.ZIP_STORED),
    ]:
        archive.files[f"{made}/model.tflite"] = with_labels(digits, labels, compression)
    archive.files["index.json"] = json.dumps(index, indent=1).encode()
    archive.write(TARGET)
    print(TARGET, TARGET.stat().st_size)


main()
