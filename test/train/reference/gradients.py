"""Writes gradients.json: PyTorch's float64 gradients of mean((y - target)^2), for the tests of src/train/autodiff.

    python test/train/reference/gradients.py

Run by hand, with torch. The numbers were made with torch 2.15.0 on a CPU. The cases have the names of those in
test/train/autodiff/references.test.ts, which have the same function as ONNX nodes.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

X = (2, 3, 5)
IMAGE = (2, 4, 6, 5)


def wave(count, pace, scale=1.0, shift=0.0):
    """Numbers that JavaScript can make as well."""
    return torch.tensor(np.sin(np.arange(1, count + 1) * pace) * scale + shift, dtype=torch.float64)


def one(function, dims=X, scale=3.0, shift=0.0):
    return function, {'x': (dims, scale, shift)}


def pair(function, a=X, b=(3, 1), scale=2.0, shift=0.0):
    return function, {'x': (a, scale, shift), 'w': (b, scale, shift)}


def layer(function, x, w, b):
    return function, {'x': (x, 1.0, 0.0), 'w': (w, 1.0, 0.0), 'b': (b, 1.0, 0.0)}


def conv(x, w, **options):
    function = [F.conv1d, F.conv2d, F.conv3d][len(x) - 3]
    return layer(lambda x, w, b: function(x, w, b, **options), x, w, (w[0],))


def conv_transpose(x, w, **options):
    function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][len(x) - 3]
    outputs = w[1] * options.get('groups', 1)
    return layer(lambda x, w, b: function(x, w, b, **options), x, w, (outputs,))


def attention(q, k, v, **options):
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=True, **options)


def group_norm(groups):
    return lambda x, w, b: F.group_norm(x, groups, w, b)


def image(function, dims=IMAGE, scale=2.0):
    return one(function, dims, scale)


def reordered(tensor, order):
    """The gates of ONNX's weights in PyTorch's order."""
    return torch.cat([tensor.chunk(len(order))[gate] for gate in order])


def recurrent(kind, order, bidirectional=False, states=1, sizes=(4, 2, 3, 2), ends=True, **options):
    """A recurrent module; its parameters and initial states are the inputs of an ONNX node. All outputs are read."""
    places, samples, features, hidden = sizes
    directions = 2 if bidirectional else 1
    wide = len(order) * hidden

    def function(x, w, r, b, *initial):
        parameters = {}
        for direction, suffix in enumerate(['', '_reverse'][:directions]):
            parameters[f'weight_ih_l0{suffix}'] = reordered(w[direction], order)
            parameters[f'weight_hh_l0{suffix}'] = reordered(r[direction], order)
            parameters[f'bias_ih_l0{suffix}'] = reordered(b[direction, :wide], order)
            parameters[f'bias_hh_l0{suffix}'] = reordered(b[direction, wide:], order)
        module = kind(features, hidden, bidirectional=bidirectional, **options).double()
        given = tuple(initial) if len(initial) > 1 else initial[0]
        y, last = torch.func.functional_call(module, parameters, (x, given))
        y = y.reshape(places, samples, directions, hidden).transpose(1, 2)
        last = last if isinstance(last, tuple) else (last,)
        return torch.cat([part.flatten() for part in ((y, *last) if ends else last)])

    inputs = {
        'x': ((places, samples, features), 1.5, 0.0),
        'w': ((directions, wide, features), 1.0, 0.0),
        'r': ((directions, wide, hidden), 1.0, 0.0),
        'b': ((directions, 2 * wide), 0.5, 0.0),
    }
    for name in ['h', 'c'][:states]:
        inputs[name] = ((directions, samples, hidden), 0.8, 0.0)
    return function, inputs


def gru_reset_before(x, w, r, b, h):
    """ONNX's GRU with linear_before_reset = 0 from the last place to the first, which PyTorch has no module for."""
    of_input, of_state = b[0].chunk(2)
    state, states = h[0], []
    for place in reversed(range(x.shape[0])):
        z, reset, n = (x[place] @ w[0].T + of_input).chunk(3, 1)
        rz, rr, rn = r[0].chunk(3)
        bz, br, bn = of_state.chunk(3)
        z = torch.sigmoid(z + state @ rz.T + bz)
        reset = torch.sigmoid(reset + state @ rr.T + br)
        n = torch.tanh(n + (reset * state) @ rn.T + bn)
        state = (1 - z) * n + z * state
        states.insert(0, state)
    return torch.cat([torch.stack(states).flatten(), state.flatten()])


INDEX = torch.tensor([[2, 0], [1, 2]])
ELEMENTS = torch.tensor([[[0, 2, 1, 1, 0]], [[2, 2, 0, 1, 0]]])
SCATTERED = torch.tensor([[[0, 2, 1, 1, 0]], [[2, 2, 0, 1, 0]]])
UNPOOLED = torch.tensor([[[[0, 3], [9, 14]], [[5, 2], [8, 15]]]])
MASK = torch.tensor([[True, False, True, True, False]])
ATTENTION_MASK = torch.tensor(
    [[0, -1, 0.5, 0, -1e9], [2, 0, 0, -3, 0], [0, 0, -1e9, 0, 1]], dtype=torch.float64
)
ATTENTION_FLAGS = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 1, 1, 1], [1, 1, 0, 0, 1]]).bool()

ANGLES = torch.arange(12, dtype=torch.float64).reshape(4, 3) * 0.3
COSINES, SINES = ANGLES.cos(), ANGLES.sin()
PLACES = torch.tensor([[0, 1, 2, 3], [3, 3, 1, 0]])


def rotated(x, cosines, sines):
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosines - second * sines, first * sines + second * cosines], -1)


def interleaved(x):
    turned = rotated(torch.cat([x[..., ::2], x[..., 1::2]], -1), COSINES[PLACES][:, None], SINES[PLACES][:, None])
    return torch.stack(turned.chunk(2, -1), -1).flatten(-2)


def grid_sample(align_corners=False, **options):
    def function(x, w):
        return F.grid_sample(x, w, align_corners=align_corners, **options)

    # Places inside the image and beyond it.
    return function, {'x': ((2, 2, 3, 4), 1.0, 0.0), 'w': ((2, 3, 5, 2), 1.3, 0.0)}


CASES = {
    # Elements by themselves.
    'Abs': one(torch.abs),
    'Reciprocal': one(torch.reciprocal, shift=4.0),
    'Exp': one(torch.exp),
    'Log': one(torch.log, shift=4.0),
    'Sqrt': one(torch.sqrt, shift=4.0),
    'Sin': one(torch.sin),
    'Cos': one(torch.cos),
    'Tan': one(torch.tan, scale=1.2),
    'Asin': one(torch.asin, scale=0.9),
    'Acos': one(torch.acos, scale=0.9),
    'Atan': one(torch.atan),
    'Sinh': one(torch.sinh),
    'Cosh': one(torch.cosh),
    'Tanh': one(torch.tanh),
    'Asinh': one(torch.asinh),
    'Acosh': one(torch.acosh, shift=4.5),
    'Atanh': one(torch.atanh, scale=0.9),
    'Erf': one(torch.erf),
    'Neg': one(torch.neg),
    'Sigmoid': one(torch.sigmoid),
    'Softplus': one(F.softplus),
    'Softsign': one(F.softsign),
    'Relu': one(torch.relu),
    'LeakyRelu': one(lambda x: F.leaky_relu(x, 0.1)),
    'ThresholdedRelu': one(lambda x: F.threshold(x, 0.5, 0.0)),
    'Shrink': one(lambda x: torch.where(x > 0.7, x - 0.3, torch.where(x < -0.7, x + 0.3, 0.0))),
    'Elu': one(lambda x: F.elu(x, 1.5)),
    'Celu': one(lambda x: F.celu(x, 1.5)),
    'Selu': one(F.selu),
    'HardSigmoid': one(lambda x: torch.clamp(0.2 * x + 0.5, 0, 1), scale=5.0),
    'HardSwish': one(F.hardswish, scale=5.0),
    'Swish': one(lambda x: x * torch.sigmoid(1.5 * x)),
    'Gelu': one(F.gelu),
    'Gelu, tanh': one(lambda x: F.gelu(x, approximate='tanh')),
    'Mish': one(F.mish, scale=30.0),
    'Clip': one(lambda x: torch.clamp(x, -0.7, 0.9)),
    'Add': pair(torch.add),
    'Sub': pair(torch.sub, (3, 1), X),
    'Mul': pair(torch.mul, b=(5,)),
    'Div': pair(torch.div, shift=3.0),
    'Pow': pair(torch.pow, shift=3.0),
    'Mod': pair(torch.fmod, shift=3.0),
    'Max': pair(torch.maximum),
    'Min': pair(torch.minimum),
    'PRelu': pair(lambda x, w: torch.where(x > 0, x, w * x)),
    'Where': pair(lambda x, w: torch.where(MASK, x, w)),
    'Sum': (
        lambda x, w, b: x + w + b,
        {'x': (X, 1.0, 0.0), 'w': ((3, 1), 1.0, 0.0), 'b': ((5,), 1.0, 0.0)},
    ),
    'Mean': pair(lambda x, w: (x + w) / 2),
    # Matrices.
    'MatMul': pair(torch.matmul, (2, 3, 4), (4, 5)),
    'MatMul, batches': pair(torch.matmul, (2, 1, 3, 4), (2, 4, 5)),
    'Gemm': layer(lambda x, w, b: 0.5 * (x @ w) + 2 * b, (3, 4), (4, 5), (5,)),
    'Gemm, transA': layer(lambda x, w, b: x.T @ w + b, (4, 3), (4, 5), (3, 1)),
    'Gemm, transB': layer(lambda x, w, b: x @ w.T + b, (3, 4), (5, 4), (1, 5)),
    'Gemm, both': layer(lambda x, w, b: x.T @ w.T + b, (4, 3), (5, 4), (1,)),
    'Einsum': pair(lambda x, w: torch.einsum('bij,bkj->bik', x, w), (2, 3, 4), (2, 5, 4)),
    'Attention': layer(attention, (2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)),
    'Attention, heads among the features, causal': layer(
        lambda q, k, v: attention(
            q.unflatten(2, (4, 3)).transpose(1, 2),
            k.unflatten(2, (2, 3)).transpose(1, 2),
            v.unflatten(2, (2, 5)).transpose(1, 2),
            is_causal=True,
            scale=0.3,
        )
        .transpose(1, 2)
        .flatten(2),
        (2, 3, 12),
        (2, 5, 6),
        (2, 5, 10),
    ),
    'Attention, shared heads and a mask': layer(
        lambda q, k, v: attention(q, k, v, attn_mask=ATTENTION_MASK),
        (2, 4, 3, 4),
        (2, 2, 5, 4),
        (2, 2, 5, 6),
    ),
    'Attention, flags': layer(
        lambda q, k, v: attention(q, k, v, attn_mask=ATTENTION_FLAGS),
        (2, 2, 3, 4),
        (2, 2, 5, 4),
        (2, 2, 5, 6),
    ),
    'CastLike': one(lambda x: x * 1),
    # Normalisation.
    'MeanVarianceNormalization': image(
        lambda x: (x - x.mean((0, 2, 3), keepdim=True))
        / x.var((0, 2, 3), correction=0, keepdim=True).sqrt()
    ),
    'LRN': image(lambda x: F.local_response_norm(x, 3, 0.3, 0.75, 2.0)),
    'Softmax': image(lambda x: torch.softmax(x, 1)),
    'Softmax, opset 11': image(lambda x: torch.softmax(x.flatten(2), 2).reshape(x.shape)),
    'LogSoftmax': image(lambda x: torch.log_softmax(x, -1)),
    'LayerNormalization': layer(lambda x, w, b: F.layer_norm(x, (3, 5), w, b), X, (3, 5), (3, 5)),
    'RMSNormalization': pair(lambda x, w: F.rms_norm(x, (5,), w, 1e-5), b=(5,)),
    'InstanceNormalization': layer(
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b), IMAGE, (4,), (4,)
    ),
    'GroupNormalization': layer(group_norm(2), IMAGE, (4,), (4,)),
    'LpNormalization': image(lambda x: F.normalize(x, dim=1)),
    'BatchNormalization': layer(
        lambda x, w, b: F.batch_norm(x, wave(4, 0.3), wave(4, 0.2, 0.5, 1.0), w, b), IMAGE, (4,), (4,)
    ),
    # Reductions.
    'ReduceSum': image(lambda x: x.sum((1, 3))),
    'ReduceMean': image(lambda x: x.mean((1, 3), keepdim=True)),
    'ReduceMean, all': image(lambda x: x.mean().reshape(1, 1, 1, 1)),
    'ReduceMax': image(lambda x: x.amax((2, 3))),
    'ReduceMin': image(lambda x: x.amin((2, 3))),
    'ReduceProd': image(lambda x: x.prod(1)),
    'ReduceL1': image(lambda x: x.abs().sum(1)),
    'ReduceL2': image(lambda x: torch.linalg.vector_norm(x, dim=1)),
    'ReduceSumSquare': image(lambda x: (x * x).sum(1)),
    'ReduceLogSum': (lambda x: x.sum(1).log(), {'x': (IMAGE, 2.0, 3.0)}),
    'ReduceLogSumExp': image(lambda x: x.logsumexp(1)),
    'GlobalAveragePool': image(lambda x: x.mean((2, 3), keepdim=True)),
    'GlobalMaxPool': image(lambda x: x.amax((2, 3), keepdim=True)),
    # Shapes.
    'Reshape': image(lambda x: x.reshape(4, 60)),
    'Transpose': image(lambda x: x.permute(1, 3, 0, 2)),
    'Concat': pair(lambda x, w: torch.cat([x, w, x], 1), X, (2, 1, 5)),
    'Split': image(lambda x: x[:, :1] * x[:, 3:]),
    'Slice': image(lambda x: x[:, 1:3, :, 2:]),
    'Slice, steps': image(lambda x: x.flip(2)[:, :, 1::2, ::3]),
    'Pad': image(lambda x: F.pad(x, (1, 2, 0, 1))),
    'Pad, negative': image(lambda x: F.pad(x, (-1, 2, 0, -1))),
    'Pad, reflect': image(lambda x: F.pad(x, (1, 2, 2, 1), 'reflect')),
    'Pad, edge': image(lambda x: F.pad(x, (1, 2, 2, 1), 'replicate')),
    'Pad, wrap': image(lambda x: F.pad(x, (1, 2, 2, 1), 'circular')),
    'Gather': one(lambda x: x[:, INDEX]),
    'Gather, data': one(lambda x: x[:, :, torch.tensor([4, 0, 4])]),
    'GatherElements': one(lambda x: torch.gather(x, 1, ELEMENTS)),
    'ReduceL2, zeros': one(lambda x: torch.linalg.vector_norm(x * torch.tensor([1.0, 0, 1, 0, 1]), dim=1)),
    'Compress': one(lambda x: x[:, torch.tensor([0, 2])]),
    'Compress, flat': one(lambda x: x.flatten()[torch.tensor([1, 2, 6])]),
    'TopK': one(lambda x: x.topk(2, 1)[0]),
    'TopK, smallest, opset 11': one(lambda x: x.topk(3, 2, largest=False)[0]),
    'MaxUnpool': one(lambda x: F.max_unpool2d(x, UNPOOLED, 2), (1, 2, 2, 2)),
    'ReverseSequence': one(lambda x: torch.stack([x[0].flip(0), torch.cat([x[1, :2].flip(0), x[1, 2:]])])),
    'CenterCropPad': one(lambda x: F.pad(x[:, :, :4], (0, 0, 1, 1))),
    'GatherND': one(lambda x: x[torch.tensor([1, 0, 1]), torch.tensor([2, 2, 2])]),
    'ScatterElements': pair(lambda x, w: x.scatter(1, SCATTERED, w), X, (2, 1, 5)),
    'ScatterElements, add': pair(lambda x, w: x.scatter_add(1, SCATTERED, w), X, (2, 1, 5)),
    'ScatterND': pair(lambda x, w: torch.index_put(x, (torch.tensor([1, 0]), torch.tensor([2, 1])), w), X, (2, 5)),
    'Expand': one(lambda x: x.expand(4, 2, 3, 5), (2, 1, 5)),
    'Tile': one(lambda x: x.repeat(2, 1, 3)),
    'DepthToSpace': image(
        lambda x: x.reshape(2, 2, 2, 2, 3, 2).permute(0, 3, 4, 1, 5, 2).reshape(2, 2, 6, 4), (2, 8, 3, 2)
    ),
    'DepthToSpace, CRD': image(lambda x: F.pixel_shuffle(x, 2), (2, 8, 3, 2)),
    'SpaceToDepth': image(
        lambda x: x.reshape(2, 4, 3, 2, 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 16, 3, 2), (2, 4, 6, 4)
    ),
    'CumSum': one(lambda x: x.cumsum(1)),
    'CumSum, reverse, exclusive': one(lambda x: x.flip(2).cumsum(2).flip(2) - x),
    'Trilu': one(lambda x: x.triu(1)),
    'Trilu, lower': one(torch.tril),
    'Resize, nearest': image(lambda x: F.interpolate(x, scale_factor=(2, 3), mode='nearest')),
    'Resize, nearest, half pixel': image(lambda x: F.interpolate(x, size=(9, 7), mode='nearest-exact')),
    'Resize, linear': image(lambda x: F.interpolate(x, size=(9, 12), mode='bilinear')),
    'Resize, linear, smaller': image(lambda x: F.interpolate(x, size=(4, 3), mode='bilinear')),
    'Resize, linear, align_corners': image(
        lambda x: F.interpolate(x, size=(9, 3), mode='bilinear', align_corners=True)
    ),
    'Resize, cubic': image(lambda x: F.interpolate(x, scale_factor=2, mode='bicubic')),
    'Upsample': image(lambda x: F.interpolate(x, scale_factor=2, mode='nearest')),
    # Sampling.
    **{
        f'GridSample{name}': grid_sample(**options)
        for name, options in {
            '': {},
            ', aligned': {'align_corners': True},
            ', border': {'padding_mode': 'border'},
            ', nearest': {'mode': 'nearest'},
        }.items()
    },
    'AffineGrid': one(lambda x: F.affine_grid(x, (2, 1, 3, 4), align_corners=False), (2, 2, 3)),
    'AffineGrid, aligned, 3-D': one(lambda x: F.affine_grid(x, (2, 1, 3, 4, 2), align_corners=True), (2, 3, 4)),
    'Col2Im': one(lambda x: F.fold(x, (4, 5), (2, 3), padding=1, stride=(2, 1)), (2, 12, 15)),
    'RotaryEmbedding': one(lambda x: rotated(x, COSINES, SINES), (2, 3, 4, 6)),
    'RotaryEmbedding, interleaved, places': one(
        lambda x: interleaved(x.unflatten(2, (2, 6)).transpose(1, 2)).transpose(1, 2).flatten(2), (2, 4, 12)
    ),
    # Recurrences.
    'RNN': recurrent(torch.nn.RNN, (0,)),
    'RNN, bidirectional, relu': recurrent(torch.nn.RNN, (0,), bidirectional=True, nonlinearity='relu'),
    'RNN, relu, last state': recurrent(torch.nn.RNN, (0,), ends=False, nonlinearity='relu'),
    'LSTM': recurrent(torch.nn.LSTM, (0, 2, 3, 1), states=2),
    'LSTM, bidirectional': recurrent(torch.nn.LSTM, (0, 2, 3, 1), bidirectional=True, states=2),
    'LSTM, last states': recurrent(torch.nn.LSTM, (0, 2, 3, 1), states=2, ends=False),
    'LSTM, one place': recurrent(torch.nn.LSTM, (0, 2, 3, 1), states=2, sizes=(1, 3, 2, 4)),
    'GRU, reset after': recurrent(torch.nn.GRU, (1, 0, 2)),
    'GRU, reset after, bidirectional': recurrent(torch.nn.GRU, (1, 0, 2), bidirectional=True),
    'GRU, reset before, reverse': (gru_reset_before, recurrent(torch.nn.GRU, (1, 0, 2))[1]),
    # Convolutions and pooling.
    'Conv': conv(IMAGE, (3, 4, 3, 3), padding=1),
    'Conv, strides': conv(IMAGE, (3, 4, 3, 2), stride=(2, 2), padding=(1, 1)),
    'Conv, dilations': conv(IMAGE, (3, 4, 3, 3), dilation=(2, 1), padding=(2, 1)),
    'Conv, groups': conv(IMAGE, (6, 2, 3, 3), groups=2),
    'Conv, depthwise': conv(IMAGE, (4, 1, 3, 3), groups=4, padding=1),
    'Conv, depthwise, wider': conv(IMAGE, (8, 1, 3, 3), groups=4, stride=2, padding=1),
    'Conv, 1 by 1': conv(IMAGE, (3, 4, 1, 1)),
    'Conv, 1-D': conv((2, 4, 9), (3, 4, 3), stride=2, padding=1),
    'Conv, 3-D': conv((1, 2, 4, 5, 3), (3, 2, 2, 3, 2), stride=(1, 2, 1), padding=(1, 1, 0)),
    'ConvTranspose': conv_transpose(IMAGE, (4, 3, 3, 3), stride=2, padding=1, output_padding=1),
    'ConvTranspose, groups': conv_transpose(IMAGE, (4, 3, 2, 2), stride=2, groups=2),
    'ConvTranspose, 1-D': conv_transpose((2, 4, 5), (4, 3, 4), stride=3, dilation=2),
    'ConvTranspose, 3-D': conv_transpose((1, 2, 3, 2, 3), (2, 2, 2, 2, 2), stride=2),
    'MaxPool': image(lambda x: F.max_pool2d(x, 2)),
    'MaxPool, overlapping': image(lambda x: F.max_pool2d(x, 3, 2, 1)),
    'MaxPool, dilations': image(lambda x: F.max_pool2d(x, 2, 1, 0, 2)),
    'MaxPool, opset 8': image(lambda x: F.max_pool2d(x, 2)),
    'MaxPool, 1-D': one(lambda x: F.max_pool1d(x, 3, 1, 1)),
    'LpPool': image(lambda x: F.lp_pool2d(x, 2.0, (2, 3), (2, 1))),
    'GlobalLpPool': image(lambda x: torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)),
    'AveragePool': image(lambda x: F.avg_pool2d(x, (3, 2), (1, 2))),
    'AveragePool, padding counts': image(lambda x: F.avg_pool2d(x, 3, 2, 1)),
    'AveragePool, padding does not count': image(
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    ),
}


def run(function, inputs):
    tensors = {}
    for order, (name, (dims, scale, shift)) in enumerate(inputs.items()):
        values = wave(int(np.prod(dims)), 0.7 + 0.2 * order, scale, shift)
        tensors[name] = values.reshape(dims).requires_grad_()
    y = function(*tensors.values())
    target = wave(y.numel(), 1.7).reshape(y.shape)
    loss = ((y - target) ** 2).mean()
    loss.backward()
    return {
        'inputs': {name: {'dims': dims, 'scale': scale, 'shift': shift} for name, (dims, scale, shift) in inputs.items()},
        'loss': loss.item(),
        'gradients': {
            name: [float(f'{value:.7g}') for value in tensor.grad.flatten().tolist()] for name, tensor in tensors.items()
        },
    }


if __name__ == '__main__':
    result = {name: run(*case) for name, case in CASES.items()}
    path = Path(__file__).resolve().parent / 'gradients.json'
    path.write_text(json.dumps(result) + '\n')
