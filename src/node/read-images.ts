import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, OnnxMishError } from '../base/error.js';
import { classNumbers, isImage } from '../data/class-folders.js';
import { middle, sizeBefore } from '../data/crop.js';
import { onFile } from '../files/file-error.js';
import { readRegular } from '../files/model-file.js';
import { importPeer } from '../providers/node/packages.js';

/** Folder with a subfolder for each class. */
export interface ImageFolder {
  /** Sorted names of the subfolders. */
  readonly classes: readonly string[];
  /** Images, sorted by class and name; `label` is the number of the class. */
  readonly images: readonly { readonly path: string; readonly label: number }[];
}

/** Maximum pixels of an image (768 MiB in memory). An image file of a few kB can decode to far more. */
const MOST_PIXELS = 2 ** 28;

/**
 * Lists the images in `folder/<class>/`, at any depth. The number of a class is the position of its folder, empty folders
 * included, in the order of names (by code units, as in torchvision's ImageFolder). If all names are whole numbers, they
 * are the numbers of the classes: use these names for a subset of the classes. Names that start with a dot, and files
 * without an image's extension, are left out. Throws `io` or `bad-data`.
 *
 * @example
 * import { listImages } from 'onnx-mish/node';
 *
 * const { classes, images } = await listImages('validation');
 * console.log(classes.length, images[0]?.path, images[0]?.label);
 */
export async function listImages(folder: string): Promise<ImageFolder> {
  const found = await readFolder(folder);
  if (found.images.length > 0) return found;
  throw noImages(folder);
}

/** Lists the images in the subfolders of a folder. */
async function readFolder(folder: string): Promise<ImageFolder> {
  const classes: string[] = [];
  for (const name of (await onFile(folder, () => readdir(folder))).sort()) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    if ((await onFile(path, () => stat(path))).isDirectory()) classes.push(name);
  }
  const numbers = classNumbers(classes);
  const images: { path: string; label: number }[] = [];
  for (const name of classes) {
    const path = join(folder, name);
    const files = await onFile(path, () => readdir(path, { recursive: true }));
    const label = numbers.get(name) ?? 0;
    images.push(
      ...files
        .filter(isImage)
        .sort()
        .map((file) => ({ path: join(path, file), label })),
    );
  }
  return { classes, images };
}

function noImages(folder: string): OnnxMishError {
  return new OnnxMishError('bad-data', 'its subfolders contain no images', {
    where: folder,
    fix: 'Put those of each class in a subfolder: cat/1.jpg, dog/2.png',
  });
}

/** Lists the images of a folder as `listImages` does; without images in subfolders, those in the folder, without labels. */
export async function listSamples(
  folder: string,
): Promise<readonly { readonly path: string; readonly label?: number }[]> {
  const { images } = await readFolder(folder);
  if (images.length > 0) return images;
  const names = await onFile(folder, () => readdir(folder));
  const plain = names.filter(isImage).sort();
  if (plain.length === 0) throw noImages(folder);
  return plain.map((name) => ({ path: join(folder, name) }));
}

/** Image as bytes: red, green and blue of each pixel, row by row. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Decodes an image, resizes it and crops the centre to `width` x `height`. With `resize`, the shorter side gets this
 * length, but at least covers the crop; without `resize`, the image just covers the crop. The filter is a triangle, scaled
 * with the image. The EXIF orientation is applied, colours become sRGB with 8 bits, gray becomes three equal channels,
 * transparency becomes black, and an animation is reduced to its first frame.
 *
 * `{ width: 224, height: 224, resize: 256 }` equals torchvision's Resize(256) and CenterCrop(224) of a PIL image in sizes,
 * crop and filter. Rounding differs by up to 2 of 255, or 6 for enlarged images (test/node/read-images.py). PIL drops
 * transparency instead of blending with black. Without `resize` the crop contains the whole shorter side, while
 * torchvision's two steps cut off an eighth of it. Throws `io`, `missing-package` without
 * sharp, and `bad-data` for a file that is not a valid image.
 *
 * @example
 * import { decodeImage } from 'onnx-mish/node';
 *
 * const { data } = await decodeImage('cat.jpg', { width: 224, height: 224, resize: 256 });
 * console.log(data.length); // 224 · 224 · 3 bytes, RGB
 */
export async function decodeImage(
  path: string,
  { width, height, resize }: { width: number; height: number; resize?: number | undefined },
): Promise<RgbImage> {
  const { default: sharp } = await importPeer('sharp', () => import('sharp')); // 20 MB of native code
  const bytes = await readRegular(path);
  try {
    const image = sharp(bytes, { autoOrient: true, limitInputPixels: MOST_PIXELS });
    const { autoOrient: found } = await image.metadata();
    const fitted = sizeBefore(found, { width, height, resize });
    const { data, info } = await image
      .flatten()
      .toColourspace('srgb')
      // Shrinking while a JPEG is decoded is faster, but differs too much from the resizing in training.
      .resize({ ...fitted, fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false })
      .extract({
        left: middle(fitted.width - width),
        top: middle(fitted.height - height),
        width,
        height,
      })
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width, height, data: info.channels === 3 ? data : spread(data) };
  } catch (cause) {
    const [said] = messageOf(cause).split('\n');
    throw new OnnxMishError('bad-data', `this image cannot be used: ${said}`, {
      where: path,
      fix: 'Repair it or take it out of the folder',
      cause,
    });
  }
}

/** Copies a gray channel to three channels. */
function spread(gray: Uint8Array): Uint8Array {
  const data = new Uint8Array(gray.length * 3);
  for (const [index, value] of gray.entries()) data.fill(value, index * 3, index * 3 + 3);
  return data;
}
