"""Exports models of torchvision and timm with random weights, for kept-sites.js; the data of large weights is left out.

python kept-sites.py FOLDER legacy|dynamo [NAME...]     all of torchvision's without a name; timm:NAME for one of timm's
Needs torch, torchvision, timm, onnx, onnxscript.
"""
import gc
import io
import os
import sys
import warnings

import onnx
import torch
import torchvision

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
folder, exporter, *names = sys.argv[1:]
LARGE = {"vit_h_14", "regnet_y_128gf", "vit_l_16", "vit_l_32"}


def strip(tensor):
    if len(tensor.raw_data) > 1024:
        tensor.ClearField("raw_data")
    if len(tensor.float_data) > 256:
        tensor.ClearField("float_data")


def strip_graph(graph):
    for tensor in graph.initializer:
        strip(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                strip(attribute.t)
            if attribute.HasField("g"):
                strip_graph(attribute.g)


def make(name):
    if name.startswith("timm:"):
        import timm

        model = timm.create_model(name[5:], pretrained=False)
        return model, (torch.rand(1, *model.default_cfg.get("input_size", (3, 224, 224))),)
    try:
        model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
    except (TypeError, ValueError):
        model = torchvision.models.get_model(name, weights=None)
    module = type(model).__module__
    if ".detection" in module:
        return model, ([torch.rand(3, 320, 320)],)
    if ".video" in module:
        size = 224 if name.startswith(("mvit", "swin3d")) else 112
        return model, (torch.rand(1, 3, 16, size, size),)
    if ".optical_flow" in module:
        return model, (torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128))
    size = 299 if name == "inception_v3" else 224
    return model, (torch.rand(1, 3, size, size),)


for name in names or [name for name in torchvision.models.list_models() if name not in LARGE]:
    path = f"{folder}/{name.replace(':', '_').replace('/', '_')}.{exporter}.onnx"
    if os.path.exists(path):
        continue
    try:
        model, feeds = make(name)
        model.eval()
        with torch.no_grad():
            if exporter == "legacy":
                made = io.BytesIO()
                torch.onnx.export(model, feeds, made, opset_version=17, dynamo=False)
                proto = onnx.load_from_string(made.getvalue())
            else:
                proto = torch.onnx.export(model, feeds, dynamo=True, opset_version=18).model_proto
        strip_graph(proto.graph)
        for function in proto.functions:
            for node in function.node:
                for attribute in node.attribute:
                    if attribute.HasField("t"):
                        strip(attribute.t)
        with open(path, "wb") as file:
            file.write(proto.SerializeToString())
        print("ok", name, flush=True)
    except Exception as error:  # the next model may do better
        print("FAILED", name, type(error).__name__, str(error).splitlines()[:1], flush=True)
    model = feeds = None
    gc.collect()
