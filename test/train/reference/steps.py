"""Writes steps.json: what PyTorch's losses, optimisers, schedules and training steps give, for the tests of src/train.

    python test/train/reference/steps.py

Run by hand, with torch and onnx. The numbers were made with torch 2.15.0 on a CPU.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

HERE = Path(__file__).resolve().parent
MODELS = HERE.parents[2] / 'models'


def wave(count, pace, scale=1.0):
    """Numbers that JavaScript can make as well."""
    return torch.tensor(np.sin(np.arange(1, count + 1) * pace) * scale, dtype=torch.float64)


OPTIMIZERS = {
    'sgd': (torch.optim.SGD, {}),
    'sgd, momentum': (torch.optim.SGD, {'momentum': 0.9, 'weight_decay': 0.01}),
    'sgd, nesterov': (torch.optim.SGD, {'momentum': 0.9, 'nesterov': True, 'weight_decay': 0.01}),
    'rmsprop': (torch.optim.RMSprop, {}),
    'rmsprop, momentum': (torch.optim.RMSprop, {'momentum': 0.9, 'alpha': 0.9, 'weight_decay': 0.01}),
    'adam': (torch.optim.Adam, {}),
    'adam, weight decay': (torch.optim.Adam, {'betas': (0.8, 0.99), 'weight_decay': 0.1}),
    'adamw': (torch.optim.AdamW, {'weight_decay': 0.1}),
}


def optimizers():
    """Values after each of six steps with these gradients."""
    found = {}
    for name, (make, options) in OPTIMIZERS.items():
        for clip in (None, 0.5):
            parameter = nn.Parameter(wave(5, 0.7))
            optimizer = make([parameter], lr=0.05, **options)
            values = []
            for step in range(1, 7):
                parameter.grad = wave(5, 0.3 * step)
                if clip is not None:
                    nn.utils.clip_grad_norm_([parameter], clip)
                optimizer.step()
                values.append(parameter.tolist())
            found[name if clip is None else f'{name}, clipped'] = values
    return found


def schedules():
    """Twenty rates, before each step."""
    schedule = torch.optim.lr_scheduler
    makers = {
        'constant': lambda o: schedule.ConstantLR(o, 1),
        'cosine': lambda o: schedule.CosineAnnealingLR(o, 20),
        'step': lambda o: schedule.StepLR(o, 7, 0.1),
        'cosine, warm-up': lambda o: schedule.SequentialLR(
            o, [schedule.LinearLR(o, 1 / 4, total_iters=3), schedule.CosineAnnealingLR(o, 16)], [4]
        ),
        'step, warm-up': lambda o: schedule.SequentialLR(
            o, [schedule.LinearLR(o, 1 / 4, total_iters=3), schedule.StepLR(o, 7, 0.1)], [4]
        ),
    }
    found = {}
    for name, make in makers.items():
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
        scheduler = make(optimizer)
        rates = []
        for _ in range(20):
            rates.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            scheduler.step()
        found[name] = rates
    return found


def losses():
    """The loss and its gradient, for 4 samples of 5 scores."""
    found = {}
    soft = torch.softmax(wave(20, 1.3, 2).reshape(4, 5), 1)
    labels = torch.tensor([0, 3, 1, 4])
    ignored = torch.tensor([0, -100, 1, 4])
    binary = (wave(20, 2.1) > 0).double().reshape(4, 5)
    cases = {
        'cross-entropy': lambda x: F.cross_entropy(x, labels),
        'cross-entropy, smoothing': lambda x: F.cross_entropy(x, labels, label_smoothing=0.1),
        'cross-entropy, soft': lambda x: F.cross_entropy(x, soft),
        'cross-entropy, ignored': lambda x: F.cross_entropy(x, ignored),
        'cross-entropy, ignored, smoothing': lambda x: F.cross_entropy(x, ignored, label_smoothing=0.1),
        'mse': lambda x: F.mse_loss(x, soft),
        'bce': lambda x: F.binary_cross_entropy_with_logits(x, binary),
    }
    for name, loss_of in cases.items():
        x = (wave(20, 0.9, 3)).reshape(4, 5).requires_grad_()
        loss = loss_of(x)
        loss.backward()
        found[name] = {'loss': loss.item(), 'gradient': x.grad.flatten().tolist()}
    return found


def places():
    """The loss, its gradient and the right answers, for 2 samples of 3 scores at each of 2 x 2 places."""
    found = {}
    labels = torch.tensor([0, 2, 1, 1, 2, 0, 0, 1]).reshape(2, 2, 2)
    soft = torch.softmax(wave(24, 1.3, 2).reshape(2, 3, 2, 2), 1)
    ignored = torch.tensor([0, 255, 1, 1, 255, 0, 255, 255]).reshape(2, 2, 2)
    cases = {
        'ignored': lambda x: F.cross_entropy(x, ignored, ignore_index=255),
        'ignored, smoothing': lambda x: F.cross_entropy(x, ignored, ignore_index=255, label_smoothing=0.1),
        'labels': lambda x: F.cross_entropy(x, labels),
        'labels, smoothing': lambda x: F.cross_entropy(x, labels, label_smoothing=0.1),
        'soft': lambda x: F.cross_entropy(x, soft),
    }
    for name, loss_of in cases.items():
        x = (wave(24, 0.9, 3)).reshape(2, 3, 2, 2).requires_grad_()
        loss = loss_of(x)
        loss.backward()
        wanted = soft.argmax(1) if name == 'soft' else ignored if name.startswith('ignored') else labels
        right = (x.argmax(1) == wanted).sum().item()
        found[name] = {'loss': loss.item(), 'gradient': x.grad.flatten().tolist(), 'correct': right}
    return found


def nets():
    """Losses of the first steps of training nets of models/, from their weights, on one batch."""
    spec = importlib.util.spec_from_file_location('train', MODELS / 'train.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    x = ((wave(8 * 784, 0.7391) + 1) / 2).reshape(8, 1, 28, 28)
    labels = torch.arange(8) % 10
    found = {}
    for name, mode, act in NETS:
        net = getattr(module, name)()
        load(net, MODELS / f'{name}.onnx')
        if act == 'mish':
            module.F.relu = F.mish
            replace(net)
        net = net.double()
        net.train(mode == 'train')
        optimizer = torch.optim.RMSprop(net.parameters(), lr=1e-4)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        module.F.relu = RELU
        found[f'{name}, {mode}, {act}'] = losses
    return found


# Not ResNet-20 with ReLU in training mode: there PyTorch's own float32 is 6e-4 away from its float64 after one step, since
# RMSProp's first steps have the size of the rate however small a gradient is.
NETS = [
    *(('mlp', 'frozen', 'relu'), ('mlp', 'frozen', 'mish')),
    *(('lenet5', 'frozen', 'relu'), ('lenet5', 'frozen', 'mish')),
    *(('resnet20', 'frozen', 'relu'), ('resnet20', 'train', 'mish')),
]
RELU = F.relu


def replace(net):
    for name, child in net.named_children():
        if isinstance(child, nn.ReLU):
            setattr(net, name, nn.Mish())
        else:
            replace(child)


def load(net, path):
    """Gives a net the weights of its export, also those that the exporter wrote once for two of them."""
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == 'Identity' and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]]
    state = net.state_dict()
    for name in state:
        if name.endswith('num_batches_tracked'):
            continue
        state[name] = torch.from_numpy(np.array(tensors[name]))
    net.load_state_dict(state)


if __name__ == '__main__':
    result = {
        'optimizers': optimizers(),
        'schedules': schedules(),
        'losses': losses(),
        'places': places(),
        'nets': nets(),
    }
    (HERE / 'steps.json').write_text(json.dumps(result, indent=1) + '\n')
    sys.exit(0)
