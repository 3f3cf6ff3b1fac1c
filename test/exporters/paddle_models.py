"""Exports small nets with Paddle2ONNX. Run by hand; the files it makes are beside it.

    pip install paddlepaddle paddle2onnx
    python test/exporters/paddle_models.py
"""

import tempfile
from pathlib import Path

import paddle
from paddle import nn

HERE = Path(__file__).resolve().parent
paddle.seed(7)

cnn = nn.Sequential(
    nn.Conv2D(3, 8, 3, padding=1, bias_attr=False),
    nn.BatchNorm2D(8),
    nn.ReLU(),
    nn.Conv2D(8, 8, 3, stride=2, padding=1, groups=8),
    nn.LeakyReLU(0.1),
    nn.MaxPool2D(2),
    nn.Conv2D(8, 8, 1),
    nn.ReLU6(),
    nn.AdaptiveAvgPool2D(1),
    nn.Flatten(),
    nn.Linear(8, 12),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(12, 3),
    nn.Softmax(),
)
mlp = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.LayerNorm(12), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1))

for name, net, shape in [('cnn', cnn, [None, 3, 12, 12]), ('mlp', mlp, [None, 6])]:
    net.eval()
    spec = [paddle.static.InputSpec(shape, 'float32', 'x')]
    with tempfile.TemporaryDirectory() as folder:
        paddle.onnx.export(net, f'{folder}/{name}', input_spec=spec, opset_version=13)
        (HERE / f'paddle-{name}.onnx').write_bytes(Path(f'{folder}/{name}.onnx').read_bytes())
