"""Times a model with ONNX Runtime in a plain loop: one session at a time, float32 noise, the given threads, no spinning.

Prints the median in milliseconds of each model. Usage: latency.py SECONDS THREADS MODEL... (threads 0: ONNX Runtime chooses)
"""
import statistics
import sys
import time

import numpy
import onnxruntime


def median_ms(path, seconds, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shape = lambda dims: [dim if isinstance(dim, int) else 1 for dim in dims]
    noise = numpy.random.default_rng(0)
    feeds = {one.name: noise.standard_normal(shape(one.shape), dtype=numpy.float32) for one in session.get_inputs()}
    for _ in range(3):
        session.run(None, feeds)
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, feeds)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


seconds, threads, *models = sys.argv[1:]
print(onnxruntime.__version__, *[median_ms(path, float(seconds), int(threads)) for path in models])
