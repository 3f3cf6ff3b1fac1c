"""What Python's onnx says of models: reads a list of jobs (JSON, from standard input), answers with one line of JSON each.

summary: the canonical text of the nodes, as summary.ts makes it.
checker: whether onnx.checker (full_check) and strict shape inference accept the source and the output.
reference: the source's graph by onnx.reference with Mish, in float64, in place of Relu and LeakyRelu.
original: the source's graph as it is.
"""

import json
import struct
import sys

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun


def mish(x):
    wide = x.astype(np.float64)
    return (wide * np.tanh(np.logaddexp(0, wide))).astype(x.dtype)


class Relu(OpRun):
    op_domain = ""

    def _run(self, x):
        return (mish(x),)


class LeakyRelu(OpRun):
    op_domain = ""

    def _run(self, x, alpha=None):
        return (mish(x),)


def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]


def attribute_text(a):
    value = {
        1: lambda: bits(a.f),
        2: lambda: str(a.i),
        3: lambda: a.s.hex(),
        4: lambda: [a.t.data_type, [str(dim) for dim in a.t.dims]],
        5: lambda: nodes_text(a.g.node),
        6: lambda: [bits(f) for f in a.floats],
        7: lambda: [str(i) for i in a.ints],
        8: lambda: [s.hex() for s in a.strings],
    }.get(a.type, lambda: None)
    return [a.name, a.type, value()]


def nodes_text(nodes):
    return [
        [n.op_type, n.domain, n.name, list(n.input), list(n.output), [attribute_text(a) for a in n.attribute]]
        for n in nodes
    ]


def summary(path):
    model = onnx.load(path, load_external_data=False)
    functions = [nodes_text(f.node) for f in model.functions]
    return json.dumps([nodes_text(model.graph.node), functions], separators=(",", ":"), ensure_ascii=False)


def objection(path):
    try:
        onnx.checker.check_model(path, full_check=True)
        onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True)
        return ""
    except Exception as error:  # whatever it is, it is the answer
        return str(error).strip().split("\n")[0][:200] or type(error).__name__


DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i64": np.int64, "i32": np.int32, "bool": np.bool_}


def reference(path, feeds, new_ops):
    evaluator = ReferenceEvaluator(path, new_ops=new_ops)
    given = {
        name: np.array(feed["data"], dtype=DTYPES[feed["type"]]).reshape(feed["dims"]) for name, feed in feeds.items()
    }
    results = evaluator.run(None, given)
    return {name: np.asarray(r).astype(np.float64).ravel().tolist() for name, r in zip(evaluator.output_names, results)}


def answer(job):
    kind = job["kind"]
    if kind == "summary":
        return summary(job["path"])
    if kind == "checker":
        return objection(job["path"])
    return reference(job["path"], job["feeds"], [Relu, LeakyRelu] if kind == "reference" else None)


for line in sys.stdin:
    job = json.loads(line)
    try:
        print(json.dumps({"value": answer(job)}, allow_nan=False), flush=True)
    except Exception as error:  # not a verdict on the model
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
