"""Times quantised nets with Mish beside the same nets with ReLU, and counts the images whose top class stays.

python test/bench/int8.py models/lenet5.onnx models/resnet20.onnx ...     after npm run build
Needs numpy, onnx, onnxruntime; runs in a temporary folder. CPU time of one thread, minimum of 7 rounds.
"""
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
command = ["node", os.path.join(root, "dist", "bin", "main.js"), "swap"]
images = (np.load(os.path.join(root, "models", "fashion-sample.npz"))["x"] / 255).astype(np.float32)
WAYS = {
    "u8": (QuantType.QUInt8, False, {}),
    "u8, symmetric": (QuantType.QUInt8, False, {"ActivationSymmetric": True}),
    "i8, weights by channel": (QuantType.QInt8, True, {}),
}


class Images(CalibrationDataReader):
    def __init__(self):
        self.batches = iter(images[start : start + 50] for start in range(0, 200, 50))

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"images": batch}


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def classes(net):
    return net.run(None, {"images": images})[0].argmax(1)


def swap(source, target, *options):
    subprocess.run([*command, source, "-q", "--force", "--form", "exp", "-o", target, *options], check=True)
    return session(target)


for model in sys.argv[1:]:
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, f"{name}.onnx")
        quant_pre_process(model, path("plain"), skip_symbolic_shape=True)
        kept = (classes(session(model)) == classes(swap(model, path("float")))).mean()
        for name, (kind, channels, options) in WAYS.items():
            quantize_static(
                path("plain"),
                path("relu"),
                Images(),
                quant_format=QuantFormat.QDQ,
                activation_type=kind,
                weight_type=QuantType.QInt8,
                per_channel=channels,
                extra_options=options,
            )
            nets = [session(path("relu"))]
            nets += [swap(path("relu"), path(way), "--int8", way) for way in ("exact", "qlinear")]
            times = [[] for _ in nets]
            for _ in range(7):
                for net, taken in zip(nets, times):
                    start = time.process_time()
                    net.run(None, {"images": images[:32]})
                    taken.append(time.process_time() - start)
            relu, exact, qlinear = (min(taken) for taken in times)
            same = [(classes(net) == classes(nets[0])).mean() for net in nets[1:]]
            print(
                f"{os.path.basename(model)}, {name}: ReLU {relu * 1e3:.2f} ms, exact {exact / relu:.2f}, qlinear {qlinear / relu:.2f};"
                f" agreement {same[0]:.3f}, {same[1]:.3f}, of the float nets {kept:.3f}"
            )
