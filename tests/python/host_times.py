"""How long an inference takes on this computer: TensorFlow Lite's reference kernels, one thread, and `edgepkg bench`.

    pip install -r requirements.txt
    EDGEPKG_ZOO=path/to/zoo python host_times.py path/to/edgepkg

Both take turns, a window of time each, as many as ROUNDS says; a window's time is the median of its runs. Printed
are the best window and the median one: other work on the computer lengthens the second, hardly the first.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter, OpResolverType

ZOO = Path(os.environ["EDGEPKG_ZOO"])
MODELS = ["kws", "ic", "vww", "ad"]
ROUNDS = 20
# As long as `edgepkg bench` runs a model.
WINDOW_SECONDS = 0.3
FEWEST_RUNS = 5


def interpreter_of(model):
    interpreter = Interpreter(
        model_path=str(model),
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    return interpreter


def reference_microseconds(interpreter):
    end = time.perf_counter() + WINDOW_SECONDS
    times = []
    while len(times) < FEWEST_RUNS or time.perf_counter() < end:
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def own_microseconds(program, model):
    command = [program, "bench", model, "--board", "host", "--json"]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return json.loads(output)["microseconds"]


def main():
    program = sys.argv[1]
    print("| | TensorFlow Lite's reference kernels: best, median (µs) | edgepkg: best, median (µs) | share of the best |")
    print("|---|---:|---:|---:|")
    for name in MODELS:
        model = ZOO / name / "reference_int8.tflite"
        interpreter = interpreter_of(model)
        theirs, ours = [], []
        for _ in range(ROUNDS):
            theirs.append(reference_microseconds(interpreter))
            ours.append(own_microseconds(program, model))
        cells = [f"{min(times):,.1f}, {statistics.median(times):,.1f}" for times in (theirs, ours)]
        print(f"| {name} | {cells[0]} | {cells[1]} | {min(ours) / min(theirs):.0%} |")


main()
