"""Exports small nets with PyTorch's two exporters. Run by hand; the files it makes are beside it.

    pip install torch onnxscript onnx numpy
    python test/exporters/torch_models.py

Made with Python 3.11.7, torch 2.15.0 (CPU), onnxscript 0.7.2 and onnx 1.23.2. The weights are random, from a fixed
seed. The exporters note stack traces with paths; the script removes them.
"""

from pathlib import Path

import onnx
import torch
from torch import nn

HERE = Path(__file__).resolve().parent


class Cnn(nn.Module):
    """Residual CNN with batch norm, LeakyReLU, pooling and a head for three classes."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(16, 3))

    def forward(self, images):
        x = self.pool(self.stem(images))
        x = torch.relu(x + self.block(x))
        return self.head(x.mean((2, 3)))


class Recurrent(nn.Module):
    """Embedding, LSTM, and a ReLU layer; the input is a sequence of token numbers."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.lstm = nn.LSTM(6, 8, batch_first=True)
        self.head = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 2))

    def forward(self, tokens):
        hidden, _ = self.lstm(self.embed(tokens))
        return self.head(hidden[:, -1]).softmax(-1)


class TwoInputs(nn.Module):
    """A small transformer block with ReLU and a mask, and a second input that is a vector."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation='relu', batch_first=True)
        self.side = nn.Sequential(nn.Linear(4, 8), nn.ReLU())

    def forward(self, sequence, extra):
        return self.layer(sequence).mean(1) * self.side(extra)


NETS = {
    'cnn': (Cnn, (torch.zeros(1, 3, 12, 12),), ['images'], {}),
    'lstm': (Recurrent, (torch.zeros(1, 5, dtype=torch.int64),), ['tokens'], {}),
    'attention': (TwoInputs, (torch.zeros(2, 5, 8), torch.zeros(2, 4)), ['sequence', 'extra'], {}),
}


def plain(path):
    """Removes stack traces, paths and docs."""
    model = onnx.load(path, load_external_data=False)
    del model.metadata_props[:]
    for graph in [model.graph, *model.functions]:
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ''
            del node.metadata_props[:]
        for value in [*getattr(graph, 'input', []), *getattr(graph, 'output', []), *graph.value_info]:
            if not isinstance(value, str):
                del value.metadata_props[:]
        for tensor in getattr(graph, 'initializer', []):
            tensor.doc_string = ''
            del tensor.metadata_props[:]
    path.write_bytes(model.SerializeToString())


for name, (net, inputs, names, extra) in NETS.items():
    torch.manual_seed(7)
    model = net()
    if name == 'cnn':
        model.train()
        with torch.no_grad():
            for _ in range(20):
                model(torch.rand(16, 3, 12, 12))  # running statistics
    model.eval()
    old = HERE / f'torchscript-{name}.onnx'
    torch.onnx.export(
        model, inputs, old, dynamo=False, input_names=names, output_names=['scores'], opset_version=17,
        dynamic_axes={one: {0: 'batch'} for one in [*names, 'scores']},
    )
    plain(old)
    new = HERE / f'dynamo-{name}.onnx'
    torch.onnx.export(model, inputs, new, dynamo=True)  # every default: fixed shapes, weights in a data file
    plain(new)
