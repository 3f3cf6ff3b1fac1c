"""Quantises nets, swaps and calibrates them, and compares time, top classes and top-1 with the quantised nets with ReLU.

python test/bench/int8.py FOLDER [--exact] models/lenet5.onnx models/resnet20.onnx ...     after npm run build
Needs numpy, onnx, onnxruntime, and Debian's dataset-fashion-mnist. FOLDER keeps the nets; those in it are not made again.
512 training images quantise a net, 1,024 calibrate it (--steps 0), and 8,000 test images judge. CPU time of one thread for 32 images,
minimum of 15 rounds, all nets of a row in turn. --exact also calibrates in the way exact. Prints rows of Markdown.
"""
import gzip
import os
import subprocess
import sys
import time

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

DATA = "/usr/share/datasets/fashion-mnist"
ROUNDS = 15
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
main = os.path.join(root, "dist", "bin", "main.cjs")
U8, I8 = QuantType.QUInt8, QuantType.QInt8
KINDS = {
    "u8": (U8, False, {}),
    "u8, symmetric": (U8, False, {"ActivationSymmetric": True}),
    "i8, weights by channel": (I8, True, {}),
}


def read(name, header):
    with gzip.open(os.path.join(DATA, f"{name}.gz")) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def images(split):
    return (read(f"{split}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28) / 255).astype(np.float32)


train = images("train")[:1024]
test, labels = images("t10k")[2000:], read("t10k-labels-idx1-ubyte", 8)[2000:]


class Images(CalibrationDataReader):
    def __init__(self):
        self.batches = iter(np.split(train[:512], 8))

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"images": batch}


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def classes(net):
    return np.concatenate([net.run(None, {"images": batch})[0].argmax(1) for batch in np.split(test, 80)])


def percent(shares):
    return ", ".join(f"{100 * share:.2f}" for share in shares)


args = [arg for arg in sys.argv[1:] if arg != "--exact"]
folder, models = args[0], args[1:]
WAYS = ("exact", "qlinear")
CALIBRATED = WAYS if "--exact" in sys.argv else WAYS[1:]
os.makedirs(folder, exist_ok=True)
samples = os.path.join(folder, "samples.npz")
np.savez(samples, images=train)


def made(name, make):
    """Returns the path of a net in the folder, and makes the net if it is missing."""
    path = os.path.join(folder, f"{name}.onnx")
    if not os.path.exists(path):
        make(path)
    return path


def run(command, source, *options):
    """Returns a function that writes a model with onnx-mish."""
    more = ["--quiet"] if command == "swap" else ["--data", samples, "--steps", "0"]
    return lambda path: subprocess.run(
        ["node", main, command, source, "--force", "-o", path, *more, *options],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def quantise(plain, kind, channels, options):
    return lambda path: quantize_static(
        plain,
        path,
        Images(),
        quant_format=QuantFormat.QDQ,
        activation_type=kind,
        weight_type=I8,
        per_channel=channels,
        extra_options=options,
    )


calibrated = ", ".join(f"calibrated {way}" for way in CALIBRATED)
print(f"| network | activations | time: exact, qlinear, {calibrated} | agreement | top-1: with ReLU, then the same order |")
print("| --- | --- | --- | --- | --- |")
for model in models:
    name = os.path.splitext(os.path.basename(model))[0]
    plain = made(f"{name}.plain", lambda path: quant_pre_process(model, path, skip_symbolic_shape=True))
    original = classes(session(model))
    floats = [made(f"{name}.float.{way}", run(way, model, "--form", "exp")) for way in ("swap", "calibrate")]
    found = [classes(session(path)) for path in floats]
    kept = percent((one == original).mean() for one in found)
    right = percent((one == labels).mean() for one in (original, *found))
    print(f"| {name} | float: ReLU, swap, calibrate | | {kept} | {right} |", flush=True)
    for kind, how in KINDS.items():
        key = f"{name}.{kind.replace(', ', '.').replace(' ', '-')}"
        relu = made(key, quantise(plain, *how))
        paths = [made(f"{key}.{way}", run("swap", relu, "--form", "exp", "--int8", way)) for way in WAYS]
        for way in CALIBRATED:
            paths.append(made(f"{key}.{way}.calibrated", run("calibrate", relu, "--form", "exp", "--int8", way)))
        nets = [session(path) for path in (relu, *paths)]
        times = [[] for _ in nets]
        for _ in range(ROUNDS):
            for net, taken in zip(nets, times):
                start = time.process_time()
                net.run(None, {"images": test[:32]})
                taken.append(time.process_time() - start)
        least = [min(taken) for taken in times]
        ratios = ", ".join(f"{one / least[0]:.2f}" for one in least[1:])
        first, *others = [classes(net) for net in nets]
        agreement = percent((one == first).mean() for one in others)
        top1 = percent((one == labels).mean() for one in (first, *others))
        print(f"| {name} | {kind} | {ratios} | {agreement} | {top1} |", flush=True)
