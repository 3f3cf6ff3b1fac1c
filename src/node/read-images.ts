import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, OnnxMishError } from '../base/error.js';
import { byCodePoint, classNumbers, isForeignImage, isImage } from '../data/class-folders.js';
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
 * included, in the order of names (by code points, as in torchvision's ImageFolder). If all names are whole numbers, they
 * are the numbers of the classes: use these names for a subset of the classes. Names that start with a dot, and files
 * without an image's extension, are left out; links are followed. Throws `io`, and `bad-data` for a folder without images and for
 * an image in a format that cannot be read, such as BMP.
 *
 * `classes` are the names of the classes if those of other images count, so that both folders have the same numbers. Then a
 * folder may lack some of them, and one with images and another name throws `bad-data`.
 *
 * @example
 * import { listImages } from 'onnx-mish/node';
 *
 * const { classes, images } = await listImages('validation');
 * console.log(classes.length, images[0]?.path, images[0]?.label);
 */
export async function listImages(
  folder: string,
  { classes }: { readonly classes?: readonly string[] | undefined } = {},
): Promise<ImageFolder> {
  const found = await readFolder(folder, classes);
  if (found.images.length > 0) return found;
  throw new OnnxMishError('bad-data', 'its subfolders contain no images', {
    where: folder,
    fix: 'Put those of each class in a subfolder: cat/1.jpg, dog/2.png',
  });
}

/** Lists the subfolders of a folder, which name the classes, in the order of names. Throws `io`. */
export async function listClasses(folder: string): Promise<string[]> {
  const classes: string[] = [];
  for (const name of (await onFile(folder, () => readdir(folder))).sort(byCodePoint)) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    if ((await onFile(path, () => stat(path))).isDirectory()) classes.push(name);
  }
  return classes;
}

/** Lists the images in the subfolders of a folder, whose names are numbered as those in `known`. */
async function readFolder(folder: string, known?: readonly string[]): Promise<ImageFolder> {
  const classes = await listClasses(folder);
  const numbers = classNumbers(classes, known);
  const images: { path: string; label: number }[] = [];
  for (const name of classes) {
    const path = join(folder, name);
    const files = imagesAmong(await filesIn(path));
    const label = numbers.get(name);
    if (label === undefined && files.length > 0) throw unknownClass(path, name);
    for (const file of files) images.push({ path: file, label: label ?? 0 });
  }
  return { classes, images };
}

const unknownClass = (where: string, name: string) =>
  new OnnxMishError('bad-data', `'${name}' is no class of the other images`, {
    where,
    fix: 'Give the subfolders the same names in both folders',
  });

/** Returns the paths of all files in a folder at any depth. A link to a folder around it ends there. */
async function filesIn(folder: string, around: readonly string[] = []): Promise<string[]> {
  const real = await onFile(folder, () => realpath(folder));
  if (around.includes(real)) return [];
  const inside: string[][] = [];
  for (const entry of await onFile(folder, () => readdir(folder, { withFileTypes: true }))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && (await isFolderAt(path)));
    inside.push(isFolder ? await filesIn(path, [...around, real]) : [path]);
  }
  return inside.flat();
}

const isFolderAt = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Returns the sorted images among paths. Throws `bad-data` for an image that cannot be read. */
function imagesAmong(paths: readonly string[]): string[] {
  // A hidden folder around the folder of images does not hide them.
  const foreign = paths.find((path) => isForeignImage(basename(path)));
  if (foreign === undefined) return paths.filter((path) => isImage(basename(path))).sort();
  throw new OnnxMishError('bad-data', 'images in this format cannot be read', {
    where: foreign,
    fix: 'Convert the images to PNG, or take them out of the folder',
  });
}

/**
 * Lists the images of a folder as `listImages` does; without images in subfolders, those in the folder, without labels. `onLeftOut`
 * receives the number of images in the folder that are left out because subfolders have images.
 */
export async function listSamples(
  folder: string,
  onLeftOut: (count: number) => void = () => {},
): Promise<readonly { readonly path: string; readonly label?: number }[]> {
  const { images } = await readFolder(folder);
  const entries = await onFile(folder, () => readdir(folder, { withFileTypes: true }));
  const files = entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'));
  if (images.length > 0) {
    const beside = files.filter(({ name }) => isImage(name)).length;
    if (beside > 0) onLeftOut(beside);
    return images;
  }
  const plain = imagesAmong(files.map(({ name }) => join(folder, name)));
  if (plain.length > 0) return plain.map((path) => ({ path }));
  throw new OnnxMishError('bad-data', 'the folder contains no images', {
    where: folder,
    fix: 'Name a folder with images, or one with a subfolder of images for each class',
  });
}

/** Image as bytes: red, green and blue of each pixel, row by row. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface DecodeOptions {
  readonly width: number;
  readonly height: number;
  /** Length of the shorter side before the crop. */
  readonly resize?: number | undefined;
  /** Receives the path of an image with transparent pixels, which become black. Looking for them takes another pass over the image. */
  readonly onTransparent?: ((path: string) => void) | undefined;
}

/**
 * Decodes an image, resizes it and crops the centre to `width` x `height`. With `resize`, the shorter side gets this
 * length, which must not be below the longer side of the crop; without `resize`, the image just covers the crop. The filter is a
 * triangle, scaled with the image. The EXIF orientation is applied, colours become sRGB with 8 bits, gray becomes three equal channels,
 * transparency becomes black, and an animation is reduced to its first frame. Of 16 bits the upper 8 are kept. CMYK is converted
 * by its colour profile or a usual one.
 *
 * `{ width: 224, height: 224, resize: 256 }` equals torchvision's Resize(256) and CenterCrop(224) of a PIL image in sizes,
 * crop and filter. Rounding differs by up to 2 of 255, or 6 for enlarged images (test/node/read-images.py). PIL drops
 * transparency instead of blending with black, and converts CMYK without a profile, which gives other colours. Without `resize` the
 * crop contains the whole shorter side, while torchvision's two steps cut off an eighth of it. Throws `io`, `missing-package` without
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
  { width, height, resize, onTransparent }: DecodeOptions,
): Promise<RgbImage> {
  const { default: sharp } = await importPeer('sharp', () => import('sharp')); // 20 MB of native code
  const bytes = await readRegular(path);
  if (bytes.length === 0) {
    throw new OnnxMishError('bad-data', 'the file is empty', {
      where: path,
      fix: 'Repair it or take it out of the folder',
    });
  }
  try {
    const image = sharp(bytes, { autoOrient: true, limitInputPixels: MOST_PIXELS });
    const { autoOrient: found, hasAlpha } = await image.metadata();
    if (hasAlpha && onTransparent !== undefined && !(await image.stats()).isOpaque) onTransparent(path);
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
    const [said = ''] = messageOf(cause).split('\n');
    throw new OnnxMishError('bad-data', `this image cannot be used: ${said.replace(/:\s*$/, '')}`, {
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
