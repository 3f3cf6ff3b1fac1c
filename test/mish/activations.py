"""Makes activations.json: PyTorch's float64 values of the activations that `swap --to` writes. Run by hand:

    pip install torch
    python test/mish/activations.py
"""
import json
import pathlib
import torch
import torch.nn.functional as F

points = [-100.0, -40.0, -20.0, -8.0, -5.0, -3.0, -2.5, -2.0, -1.5, -1.1924, -1.0, -0.5, -0.1, -0.001, 0.0,
          0.001, 0.1, 0.5, 1.0, 2.0, 2.999, 3.0, 3.001, 5.0, 8.0, 20.0, 45.0, 100.0]
x = torch.tensor(points, dtype=torch.float64)
values = {
    "mish": F.mish(x),
    "relu": F.relu(x),
    "leakyrelu": F.leaky_relu(x, 0.01),
    "leakyrelu 0.2": F.leaky_relu(x, 0.2),
    "leakyrelu -0.5": F.leaky_relu(x, -0.5),
    "swish": F.silu(x),
    "swish 2": x * torch.sigmoid(2 * x),
    "gelu": F.gelu(x),
    "hardswish": F.hardswish(x),
    "elu": F.elu(x),
}
table = {"torch": torch.__version__, "points": points, "values": {name: one.tolist() for name, one in values.items()}}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(table, indent=1) + "\n")
