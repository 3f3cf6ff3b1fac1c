# Writes ResNet-50, SqueezeNet, ShuffleNet, DenseNet-121 and MobileNetV2 with random weights as ONNX, for whole-nets.js.
#     pip install torch torchvision onnx; python test/bench/whole-nets.py FOLDER
# BatchNormalization is folded into the convolutions, as in exported models. Time depends on shapes, not on trained weights.
import sys
from pathlib import Path

import torch
import torchvision.models as zoo

NETS = {
    "resnet50": zoo.resnet50,
    "squeezenet": zoo.squeezenet1_1,
    "shufflenet": zoo.shufflenet_v2_x1_0,
    "densenet121": zoo.densenet121,
}
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, build in NETS.items():
    torch.manual_seed(0)
    net = build(weights=None).eval()
    image = torch.randn(1, 3, 224, 224)
    torch.onnx.export(net, (image,), str(folder / f"{name}.onnx"), opset_version=17, dynamo=False, input_names=["x"])
    print(name, flush=True)
