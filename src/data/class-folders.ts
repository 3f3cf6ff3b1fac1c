const isWhole = (name: string) => /^\d+$/.test(name);

const codePoints = (name: string) => Array.from(name, (character) => character.codePointAt(0) ?? 0);

/** Compares names by code points, as Python does. JavaScript puts what is beyond U+FFFF, such as an emoji, before U+E000. */
export function byCodePoint(a: string, b: string): number {
  const [one, other] = [codePoints(a), codePoints(b)];
  const at = one.findIndex((point, index) => point !== other[index]);
  return at < 0 ? one.length - other.length : (one[at] ?? 0) - (other[at] ?? -1);
}

/**
 * Returns the number of each class from the names of the classes' folders: the position in the order of names (by code
 * points, as in torchvision's ImageFolder). If all names are whole numbers, they are the numbers of the classes. `known` are the names
 * that count, if they are those of other images; the result lacks a name that has no number among them.
 */
export function classNumbers(
  names: Iterable<string>,
  known: Iterable<string> = names,
): ReadonlyMap<string, number> {
  const sorted = [...new Set(known)].sort(byCodePoint);
  const areNumbers = sorted.every(isWhole);
  const positions = new Map(sorted.map((name, index) => [name, index]));
  const numbers = new Map<string, number>();
  for (const name of [...new Set(names)].sort(byCodePoint)) {
    const number = areNumbers && isWhole(name) ? Number(name) : positions.get(name);
    if (number !== undefined) numbers.set(name, number);
  }
  return numbers;
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
