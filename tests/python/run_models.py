"""Runs the model files of a folder in TensorFlow Lite's and ONNX Runtime's interpreters.

For NAME.tflite and NAME.onnx it reads NAME.in0.bin, NAME.in1.bin, ...: raw values of as many samples as
there are. It writes NAME.tflite.out0.bin, ... and NAME.onnx.out0.bin, ... in the same form.

TensorFlow Lite takes and gives int8. ONNX Runtime takes NAME.real0.bin, ...: float32, and gives float32.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def samples(model, kind, index, shape, element):
    values = np.fromfile(model.with_suffix(f".{kind}{index}.bin"), element)
    return values.reshape([-1, *shape])


def write(model, outputs):
    for index in range(len(outputs[0])):
        values = np.stack([output[index] for output in outputs])
        values.tofile(model.with_suffix(f"{model.suffix}.out{index}.bin"))


def load(model):
    """With the reference kernels; a few operators have others only."""
    try:
        return Interpreter(str(model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    except ValueError:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return Interpreter(str(model), experimental_op_resolver_type=resolver)


def run_tflite(model):
    interpreter = load(model)
    interpreter.allocate_tensors()
    ports = interpreter.get_input_details()
    inputs = [samples(model, "in", i, port["shape"], port["dtype"]) for i, port in enumerate(ports)]
    outputs = []
    for sample in zip(*inputs):
        for port, value in zip(ports, sample):
            interpreter.set_tensor(port["index"], value)
        interpreter.invoke()
        details = interpreter.get_output_details()
        outputs.append([interpreter.get_tensor(port["index"]) for port in details])
    write(model, outputs)


def run_onnx(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Without it pairs of int8 products saturate at 16 bits on x86 processors that lack VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    ports = session.get_inputs()
    inputs = [samples(model, "real", i, port.shape, np.float32) for i, port in enumerate(ports)]
    names = [port.name for port in ports]
    write(model, [session.run(None, dict(zip(names, sample))) for sample in zip(*inputs)])


folder = Path(sys.argv[1])
for file in sorted(folder.glob("*.tflite")):
    run_tflite(file)
for file in sorted(folder.glob("*.onnx")):
    run_onnx(file)
