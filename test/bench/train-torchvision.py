"""PyTorch's side of train-torchvision.js: exports a classifier of torchvision with new weights, and takes training steps.

The argument is a JSON object: {"name", "act", "batch", "side", "path"}. The first line of output counts what ReLU was exchanged in, and the
batch normalisations; then each line of input is a number of steps, answered by the CPU milliseconds of each.
"""

import json
import resource
import sys

import torch
import torch.nn.functional as F
import torchvision


def cpu_ms():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e3


def with_mish(module):
    """Exchanges ReLU modules for Mish and returns how many."""
    count = 0
    for name, child in module.named_children():
        if type(child) is torch.nn.ReLU:
            setattr(module, name, torch.nn.Mish())
            count += 1
        else:
            count += with_mish(child)
    return count


def with_own_vectors(net):
    """Gives each layer its own biases, scales and statistics: the exporter stores equal ones of a new net once."""
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.dim() == 1 and value.is_floating_point():
                noise = 1 + 0.01 * torch.rand_like(value)
                value.mul_(noise) if name.endswith(('weight', 'running_var')) else value.add_(noise - 1)
    return net


def main():
    request = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = torchvision.models.get_model(request['name'], weights=None, num_classes=10)
    net = with_own_vectors(net).eval()
    side, batch = request['side'], request['batch']
    x, y = torch.randn(batch, 3, side, side), torch.arange(batch) % 10
    torch.onnx.export(
        net,
        x,
        request['path'],
        input_names=['input'],
        output_names=['output'],
        dynamic_axes={'input': {0: 'N'}, 'output': {0: 'N'}},
        dynamo=False,
        opset_version=17,
        do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE,
    )
    sites = with_mish(net) if request['act'] == 'mish' else 0
    norms = sum(isinstance(one, torch.nn.BatchNorm2d) for one in net.modules())
    print(json.dumps({'sites': sites, 'norms': norms}), flush=True)
    net.train()
    for one in net.modules():
        if isinstance(one, (torch.nn.Dropout, torchvision.ops.StochasticDepth)):
            one.eval()
    optimizer = torch.optim.RMSprop(net.parameters(), 1e-5, foreach=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = cpu_ms()
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            times.append(cpu_ms() - begin)
        print(json.dumps(times), flush=True)


if __name__ == '__main__':
    main()
