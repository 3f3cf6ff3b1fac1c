/**
 * Returns the number of each class from the names of the classes' folders: the position in the order of names (by code
 * units, as in torchvision's ImageFolder). If all names are whole numbers, they are the numbers of the classes.
 */
export function classNumbers(names: Iterable<string>): ReadonlyMap<string, number> {
  const sorted = [...new Set(names)].sort();
  const numbered = sorted.every((name) => /^\d+$/.test(name));
  return new Map(sorted.map((name, index) => [name, numbered ? Number(name) : index]));
}

/** Returns whether a name in a path, of a file or a folder, starts with a dot. */
const isHidden = (path: string) => /(^|[\\/])\./.test(path);

const EXTENSIONS = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

const FOREIGN = /\.(bmp|dib|p[bgnp]m|jp2|j2k|jxl|heic|heif|tga)$/i;

/** Returns whether a path names an image in a format that other tools read. */
export function isForeignImage(path: string): boolean {
  return FOREIGN.test(path) && !isHidden(path);
}

/** Returns whether a path names an image. Names that start with a dot, of a file or a folder, do not count. */
export function isImage(path: string): boolean {
  return EXTENSIONS.test(path) && !isHidden(path);
}
