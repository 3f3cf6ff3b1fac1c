"""Writes read-images.json: what torchvision's Resize(size) and CenterCrop(crop) make of a pattern.

torchvision computes both with Pillow; the sizes and the crop here follow its _compute_resized_output_size and
center_crop. Run with Pillow 13.0.0 and numpy: python read-images.py > read-images.json
"""

import base64
import json

import numpy
from PIL import Image

CASES = [(101, 67, 32, 28), (67, 101, 32, 28), (64, 64, 33, 28), (21, 17, 32, 28)]


def pattern(width, height):
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    return abs((x * 9 + y * 5 + c * 40) % 510 - 255).astype("uint8")


def reference(width, height, size, crop):
    image = Image.fromarray(pattern(width, height))
    short, long = sorted((width, height))
    longer = int(size * long / short)
    new = (size, longer) if width <= height else (longer, size)
    image = image.resize(new, Image.BILINEAR)
    left, top = (int(round((side - crop) / 2.0)) for side in new)
    pixels = numpy.asarray(image.crop((left, top, left + crop, top + crop)))
    return base64.b64encode(pixels.tobytes()).decode()


rows = [
    {"width": w, "height": h, "size": s, "crop": c, "pixels": reference(w, h, s, c)} for w, h, s, c in CASES
]
print(json.dumps(rows, indent=2))
