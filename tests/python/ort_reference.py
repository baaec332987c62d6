"""Writes what ONNX Runtime gives for the zoo's quantized ONNX files: tests/data/onnx_runtime.

    python tests/python/ort_reference.py ZOO tests/data/onnx_runtime

Graph optimizations are off, so that every QuantizeLinear and DequantizeLinear is computed as the file has it.
For each model NAME.npy holds its outputs for the test samples as int8, in the scale of its last
QuantizeLinear, or 1/256 and -128 behind a softmax; NAME_top1.npy the index of each sample's greatest output;
NAME_layers.npy.xz what every QuantizeLinear gives for the first sample, one behind the other, images as NHWC,
and the outputs last.
What the default optimizations change is printed: they replace float arithmetic by integer kernels, of which
those for processors without VNNI saturate in 16 bits.
"""

import io
import lzma
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper


def samples(zoo, name):
    if name == "mnist_cntk":
        return np.load(zoo / name / "samples/test_x_u8.npy") / np.float32(255)
    return np.load(zoo / "kws/samples/test_x_f32.npy")


def sound(model):
    """The model, with axes of DequantizeLinear that have as many channels as there are scales.

    mnist_cntk's file has a bias of shape [1, 10] with 10 scales on axis 0, which ONNX Runtime only reads
    where its optimizations take it away.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            shape, count = constants[node.input[0]].shape, constants[node.input[1]].size
            for attribute in node.attribute:
                if attribute.name == "axis" and count > 1 and shape[attribute.i] != count:
                    attribute.i = shape.index(count)
    return model


def last(model):
    return next(node for node in model.graph.node if model.graph.output[0].name in node.output)


def last_scale(model):
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    node = last(model)
    if node.op_type == "Softmax":
        return np.float32(1 / 256), -128
    assert node.op_type == "DequantizeLinear", node.op_type
    return constants[node.input[1]], int(constants[node.input[2]])


def run(model, level, inputs):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    shape = [extent if isinstance(extent, int) else 1 for extent in port.shape]
    runs = [session.run(None, {port.name: x.reshape(shape).astype(np.float32)})[0] for x in inputs]
    return np.concatenate(runs)


def layers(model, inputs):
    """What every QuantizeLinear gives for the first input, but those behind a Reshape, which repeat."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    quantize = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    first = quantize[0].output[0]
    names = [
        node.output[0]
        for node in quantize
        if node.output[0] == first or producers.get(node.input[0]) != "Reshape"
    ]
    for name in names:
        extended.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT8, None))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(extended.SerializeToString(), options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    shape = [extent if isinstance(extent, int) else 1 for extent in port.shape]
    found = session.run(names, {port.name: inputs[0].reshape(shape).astype(np.float32)})
    return [x.transpose(0, 2, 3, 1).ravel() if x.ndim == 4 else x.ravel() for x in found]


def main():
    zoo, out = Path(sys.argv[1]), Path(sys.argv[2])
    files = [("kws_qdq", "model")]
    files += [(path.parent.name, path.stem) for path in sorted(zoo.glob("*/reference_ort_qdq.onnx"))]
    for name, file in files:
        model = sound(onnx.load(zoo / name / f"{file}.onnx"))
        scale, zero_point = last_scale(model)
        inputs = samples(zoo, name)
        floats = run(model, ort.GraphOptimizationLevel.ORT_DISABLE_ALL, inputs)
        default = run(model, ort.GraphOptimizationLevel.ORT_ENABLE_ALL, inputs)
        quantized = lambda values: np.clip(np.rint(values / scale) + zero_point, -128, 127).astype(np.int8)
        np.save(out / f"{name}.npy", quantized(floats))
        np.save(out / f"{name}_top1.npy", floats.argmax(1).astype(np.int8))
        every = layers(model, inputs)
        if last(model).op_type == "Softmax":
            every.append(quantized(floats[0]))
        npy = io.BytesIO()
        np.save(npy, np.concatenate(every))
        (out / f"{name}_layers.npy.xz").write_bytes(lzma.compress(npy.getvalue(), preset=9))
        steps = np.abs(quantized(floats).astype(int) - quantized(default))
        agreement = (floats.argmax(1) == default.argmax(1)).mean()
        print(f"{name}/{file}.onnx: the default optimizations change {(steps > 0).mean():.1%} of the outputs,")
        print(f"  {(steps > 1).mean():.1%} by more than a step, by at most {steps.max()};", end=" ")
        print(f"top-1 is the same for {agreement:.1%} of {len(inputs)} samples")


main()
