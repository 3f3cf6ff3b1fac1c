"""Quantises models/untrained/cnn4.onnx with onnxruntime.quantization, for test/mish/int8.test.ts.

python quantise.py        writes the models beside this file
Needs numpy, onnx, onnxruntime (1.32.0 made the models).
"""
import os
import tempfile

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

here = os.path.dirname(os.path.abspath(__file__))
models = os.path.join(here, "..", "..", "..", "models")
images = np.load(os.path.join(models, "fashion-sample.npz"))["x"]


class Images(CalibrationDataReader):
    def __init__(self):
        self.batches = iter(images[start : start + 50] for start in range(0, 200, 50))

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"images": (batch / 255).astype(np.float32)}


U8, I8 = QuantType.QUInt8, QuantType.QInt8
QDQ, OPERATORS = QuantFormat.QDQ, QuantFormat.QOperator
symmetric = {"ActivationSymmetric": True}
for name, kind, channels, form, options in [
    ("u8", U8, False, QDQ, {}),
    ("u8-symmetric", U8, False, QDQ, symmetric),
    ("i8", I8, True, QDQ, {}),
    ("i8-symmetric", I8, True, QDQ, symmetric),
    ("u8-with-relu", U8, False, QDQ, {"QDQKeepRemovableActivations": True}),
    ("operators", U8, False, OPERATORS, {}),
    ("operators-with-relu", I8, False, OPERATORS, symmetric),
]:
    with tempfile.TemporaryDirectory() as folder:
        plain = os.path.join(folder, "plain.onnx")
        quant_pre_process(os.path.join(models, "untrained", "cnn4.onnx"), plain, skip_symbolic_shape=True)
        quantize_static(
            plain,
            os.path.join(here, f"{name}.onnx"),
            Images(),
            quant_format=form,
            activation_type=kind,
            weight_type=I8,
            per_channel=channels,
            extra_options=options,
        )
