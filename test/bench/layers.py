"""All inner tensors of two models, compared by NumPy in one run: what `validate --per-layer` is measured beside."""
import resource
import sys

import numpy as np
import onnx
import onnxruntime as ort


def session(path):
    model = onnx.load(path)
    names = {output.name for output in model.graph.output}
    for node in model.graph.node:
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name and name not in names)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options)


def run(path):
    opened = session(path)
    (fed,) = opened.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in fed.shape]
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return dict(zip([output.name for output in opened.get_outputs()], opened.run(None, {fed.name: x})))


a, b = run(sys.argv[1]), run(sys.argv[2])
compared = 0
with np.errstate(divide="ignore", invalid="ignore"):
    for name in a.keys() & b.keys():
        p, q = (each[name].astype(np.float64).ravel() for each in (a, b))
        d = p - q
        _ = abs(d).max(), 10 * np.log10((p @ p) / (d @ d)), p @ q, p.mean(), p.std(), q.mean(), q.std()
        compared += 1
usage = resource.getrusage(resource.RUSAGE_SELF)
print(compared, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
