"""PyTorch's side of train.js: builds nets from ONNX files, and takes training steps on request.

Reads one JSON object a line from stdin and answers each with one line on stdout:
{"open": path, "trained": [names], "act", "batchNorm", "channelsLast", "threads", "dims", "classes"} builds a net;
{"steps": n} takes n steps and returns the milliseconds of each, by the CPU and by the clock.
"""

import json
import resource
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e3


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def symmetric(pads):
    half = len(pads) // 2
    if pads[:half] != pads[half:]:
        raise ValueError(f'pads {pads} differ')
    return pads[:half]


def conv(x, w, b=None, *, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1, **_):
    return F.conv2d(x, w, b, tuple(strides), tuple(symmetric(list(pads))), tuple(dilations), group)


def max_pool(x, *, kernel_shape, strides=(1, 1), pads=(0, 0, 0, 0), **_):
    return F.max_pool2d(x, tuple(kernel_shape), tuple(strides), tuple(symmetric(list(pads))))


def gemm(a, b, c=None, *, transA=0, transB=0, **_):
    a, b = (a.T if transA else a), (b.T if transB else b)
    if c is None:
        return a @ b
    return F.linear(a, b.T, c) if c.dim() == 1 else a @ b + c


def clip(x, low=None, high=None, *, min=None, max=None):
    return x.clamp(low if min is None else min, high if max is None else max)


def slices(x, *, starts, ends, axes, **_):
    for start, end, axis in zip(starts, ends, axes):
        x = x.narrow(axis, start, min(end, x.shape[axis]) - start)
    return x


OPERATORS = {
    'Conv': conv,
    'MaxPool': max_pool,
    'Gemm': gemm,
    'Clip': clip,
    'Slice': slices,
    'MatMul': torch.matmul,
    'Add': torch.add,
    'Mul': torch.mul,
    'Div': torch.div,
    'LeakyRelu': lambda x, alpha=0.01: F.leaky_relu(x, alpha),
    'HardSigmoid': lambda x, alpha=0.2, beta=0.5: (x * alpha + beta).clamp(0, 1),
    'GlobalAveragePool': lambda x: F.adaptive_avg_pool2d(x, 1),
    'ReduceMean': lambda x, axes=None, keepdims=1, **_: x.mean(list(map(int, axes)), bool(keepdims)),
    'Flatten': lambda x, axis=1: x.flatten(axis),
    'Reshape': lambda x, dims, **_: x.reshape(
        [x.shape[at] if dim == 0 else int(dim) for at, dim in enumerate(dims)]
    ),
    'Shape': lambda x: torch.tensor(x.shape),
    'Concat': lambda *xs, axis: torch.cat(xs, axis),
    'Cast': lambda x, to: x if to == 1 else x.long(),
    'Identity': lambda x: x,
}


class Net(torch.nn.Module):
    """An ONNX graph, run node by node."""

    def __init__(self, path, trained, act, batch_norm):
        super().__init__()
        graph = onnx.load(path).graph
        tensors = {t.name: t for t in graph.initializer}
        self.nodes = []
        for node in graph.node:
            if node.op_type == 'Constant':
                tensors[node.output[0]] = attributes(node)['value']
            else:
                self.nodes.append((node.op_type, list(node.input), list(node.output), attributes(node)))
        self.input = next(v.name for v in graph.input if v.name not in tensors)
        self.output = graph.output[0].name
        self.act = {'relu': F.relu, 'mish': F.mish}[act]
        self.norm = batch_norm == 'train'
        self.values = {}
        for name, tensor in tensors.items():
            value = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
            if name in trained:
                value = torch.nn.Parameter(value)
                self.register_parameter(name.replace('.', '/'), value)
            self.values[name] = value
        # A Softmax at the end is part of the loss.
        if self.nodes[-1][0] == 'Softmax':
            self.output = self.nodes.pop()[1][0]

    def forward(self, x):
        values = {**self.values, self.input: x}
        for op, inputs, outputs, attrs in self.nodes:
            given = [values[name] if name else None for name in inputs]
            if op == 'Relu':
                result = self.act(given[0])
            elif op == 'BatchNormalization':
                x, scale, bias, mean, variance = given
                result = F.batch_norm(
                    x, mean, variance, scale, bias, self.norm, 0.1, attrs.get('epsilon', 1e-5)
                )
            elif op == 'ReduceMean' and len(given) == 2:
                result = OPERATORS[op](given[0], given[1], **attrs)
            else:
                result = OPERATORS[op](*given, **attrs)
            values[outputs[0]] = result
        return values[self.output]


def opened(request):
    torch.set_num_threads(request['threads'])
    layout = torch.channels_last if request['channelsLast'] else torch.contiguous_format
    net = Net(request['open'], set(request['trained']), request['act'], request['batchNorm']).train()
    net = net.to(memory_format=layout)
    for name, value in net.values.items():
        if isinstance(value, torch.nn.Parameter):
            net.values[name] = net.get_parameter(name.replace('.', '/'))
    optimizer = torch.optim.RMSprop(net.parameters(), 1e-5, foreach=True)
    dims, classes = request['dims'], request['classes']
    x = torch.randn(*dims).to(memory_format=layout)
    y = torch.arange(dims[0]) % classes

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()

    return step


def measured(step, count):
    times = []
    for _ in range(count):
        cpu, wall = cpu_ms(), time.perf_counter()
        step()
        times.append([cpu_ms() - cpu, (time.perf_counter() - wall) * 1e3])
    return times


def main():
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if 'open' in request:
            before = peak_mib()
            step = opened(request)
            answer = {'before': before}
        else:
            answer = {'times': measured(step, request['steps']), 'peak': peak_mib()}
        print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    print(json.dumps({'torch': torch.__version__}), flush=True)
    main()
