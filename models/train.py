"""Trains the six nets of this folder on Fashion-MNIST and exports them to ONNX.

    python models/train.py            all of them
    python models/train.py mlp unet   some of them

Run by hand, never by the tests: the files it makes are kept beside it. They were made with Python 3.11.7,
torch 2.15.0 (on a CPU), onnxscript 0.7.2, onnx 1.23.2, onnxruntime 1.32.0 and numpy 2.4.6. The data is Debian's
package dataset-fashion-mnist.
"""

import gzip
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import nn

DATA = Path('/usr/share/datasets/fashion-mnist')
HERE = Path(__file__).resolve().parent
BATCH = 128
NOISE = 0.1


def read(split):
    with gzip.open(DATA / f'{split}-images-idx3-ubyte.gz') as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(DATA / f'{split}-labels-idx1-ubyte.gz') as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


def conv_bn(inputs, outputs, kernel=3, stride=1, groups=1):
    """No bias: that of the batch normalization does the same."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


def mlp():
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 256), nn.ReLU()),
        *(nn.Linear(256, 128), nn.ReLU()),
        nn.Linear(128, 10),
    )


def lenet5():
    """LeCun's layer sizes; padding makes up for images of 28 pixels instead of 32."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(400, 120), nn.ReLU()),
        *(nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, 10),
    )


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.body = nn.Sequential(
            *conv_bn(inputs, outputs, stride=stride), nn.ReLU(), *conv_bn(outputs, outputs)
        )
        # Option B: a projection where the shape changes.
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv_bn(inputs, outputs, 1, stride))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def resnet20():
    layers = [*conv_bn(1, 16), nn.ReLU()]
    width = 16
    for outputs, first in ((16, 1), (32, 2), (64, 2)):
        for stride in (first, 1, 1):
            layers.append(BasicBlock(width, outputs, stride))
            width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def mobilenet():
    layers = [*conv_bn(1, 16), nn.ReLU()]
    width = 16
    for outputs, stride in ((32, 2), (64, 1), (128, 2), (128, 1), (256, 1)):
        layers += [*conv_bn(width, width, stride=stride, groups=width), nn.ReLU()]
        layers += [*conv_bn(width, outputs, 1), nn.ReLU()]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def vgg_leaky():
    layers = []
    width = 1
    for outputs in (32, 64, 96):
        for inputs in (width, outputs):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.1)]
        layers.append(nn.MaxPool2d(2))
        width = outputs
    head = (nn.Linear(96 * 3 * 3, 128), nn.LeakyReLU(0.1), nn.Dropout(0.3), nn.Linear(128, 10))
    net = nn.Sequential(*layers, nn.Flatten(), *head)
    # Without batch normalization the depth needs He's initialization.
    for layer in net:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, 0.1)
            nn.init.zeros_(layer.bias)
    return net


class UNet(nn.Module):
    def __init__(self):
        super().__init__()

        def stage(inputs, outputs):
            return nn.Sequential(
                *(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()),
                *(nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU()),
            )

        self.down1, self.down2, self.bottom = stage(1, 16), stage(16, 32), stage(32, 64)
        self.up2, self.up1 = nn.ConvTranspose2d(64, 32, 2, 2), nn.ConvTranspose2d(32, 16, 2, 2)
        self.merge2, self.merge1 = stage(64, 32), stage(32, 16)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, images):
        a = self.down1(images)
        b = self.down2(F.max_pool2d(a, 2))
        x = self.up2(self.bottom(F.max_pool2d(b, 2)))
        x = self.up1(self.merge2(torch.cat((x, b), 1)))
        return self.out(self.merge1(torch.cat((x, a), 1)))


# file: net, epochs, highest learning rate, new exporter, opset, weights in a file of their own
MODELS = {
    'mlp': (mlp, 12, 1e-3, False, 13, False),
    'lenet5': (lenet5, 12, 3e-3, False, 13, False),
    'mobilenet': (mobilenet, 6, 5e-3, True, 18, False),
    'unet': (UNet, 3, 3e-3, True, 18, False),
    'vgg-leaky': (vgg_leaky, 5, 1e-3, True, 18, True),
    'resnet20': (resnet20, 5, 5e-3, False, 13, False),
}

# Trained in bfloat16, which takes about half the time where full convolutions are most of the work. The weights
# and what is exported are float32 all the same.
FASTER = ('unet', 'vgg-leaky', 'resnet20')


def train(name, net, epochs, rate, images, labels):
    steps = math.ceil(len(images) / BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs=epochs, steps_per_epoch=steps)
    # Convolutions on a CPU are a third faster with the channels last.
    net.to(memory_format=torch.channels_last).train()
    for epoch in range(epochs):
        started, total = time.time(), 0.0
        for batch in torch.randperm(len(images)).split(BATCH):
            x = images[batch]
            flipped = torch.rand(len(x), 1, 1, 1) < 0.5
            x = torch.where(flipped, x.flip(3), x).contiguous(memory_format=torch.channels_last)
            noisy = x + NOISE * torch.randn_like(x) if name == 'unet' else x
            with torch.autocast('cpu', torch.bfloat16, enabled=name in FASTER):
                outputs = net(noisy)
            # The loss needs float32.
            outputs = outputs.float()
            loss = F.mse_loss(outputs, x) if name == 'unet' else F.cross_entropy(outputs, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f'{name} epoch {epoch + 1}: loss {total / steps:.4f}, {time.time() - started:.0f} s', flush=True)
    net.to(memory_format=torch.contiguous_format).eval()


def strip(message):
    """Removes what the exporters note of the machine that ran them, stack traces above all."""
    for field, value in message.ListFields():
        if field.name in ('metadata_props', 'doc_string'):
            message.ClearField(field.name)
        elif field.message_type:
            for part in [value] if hasattr(value, 'ListFields') else value:
                strip(part)


def export(net, path, dynamo, opset, external, output):
    names = {'input_names': ['images'], 'output_names': [output], 'opset_version': opset}
    example = (torch.rand(2, 1, 28, 28),)
    if dynamo:
        shapes = ({0: torch.export.Dim('N')},)
        torch.onnx.export(
            net, example, path, dynamo=True, dynamic_shapes=shapes, external_data=external, verbose=False, **names
        )
    else:
        axes = {'images': {0: 'N'}, output: {0: 'N'}}
        # PRESERVE keeps the net in its mode, which is eval; EVAL would fold batch normalization into Conv.
        mode = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(net, example, path, dynamo=False, dynamic_axes=axes, training=mode, **names)
    model = onnx.load(path, load_external_data=False)
    strip(model)
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)
    return model


def measure(net, path, images, labels):
    """What onnxruntime makes of the exported file, which must be what PyTorch makes of the net."""
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    denoising = session.get_outputs()[0].name == 'restored'
    inputs = images
    if denoising:
        inputs = images + NOISE * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))

    def run(x):
        parts = [session.run(None, {'images': part.numpy()})[0] for part in x.split(500)]
        return torch.from_numpy(np.concatenate(parts))

    outputs = run(inputs)
    with torch.no_grad():
        expected = torch.cat([net(part) for part in inputs.split(500)])
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-4)
    if not denoising:
        return f'top-1 {(outputs.argmax(1) == labels).float().mean() * 100:.2f} %'

    def error(x):
        mse = F.mse_loss(x, images).item()
        return f'MSE {mse:.6f}, PSNR {-10 * math.log10(mse):.2f} dB'

    return f'{error(outputs)} (its noisy input: {error(inputs)}; for images without noise: {error(run(images))})'


def main(names):
    torch.set_num_threads(2)
    train_set, test_set = read('train'), read('t10k')
    for name in names or MODELS:
        make, epochs, rate, dynamo, opset, external = MODELS[name]
        torch.manual_seed(0)
        net = make()
        started = time.time()
        train(name, net, epochs, rate, *train_set)
        seconds = time.time() - started
        # Whoever reads the model meanwhile must not find half of it.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f'{name}.onnx')
            output = 'restored' if name == 'unet' else 'scores'
            model = export(net, str(path), dynamo, opset, external, output)
            result = measure(net, str(path), *test_set)
            files = sorted(Path(folder).iterdir())
            sizes = ' + '.join(str(file.stat().st_size) for file in files)
            for file in files:
                shutil.move(file, HERE / file.name)
        operators = [node.op_type for node in model.graph.node if node.domain == '']
        counts = ', '.join(f'{operators.count(kind)} {kind}' for kind in sorted(set(operators)))
        opsets = ', '.join(f'{entry.domain or "ai.onnx"} {entry.version}' for entry in model.opset_import)
        print(f'{name}.onnx: {opsets}; {sizes} bytes; {result}; {seconds:.0f} s; {counts}', flush=True)


if __name__ == '__main__':
    main(sys.argv[1:])
