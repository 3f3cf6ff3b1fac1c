// Imports nothing from Node: a page crops its images with the same code.

/**
 * Returns the size before the crop, from the size of the image: the smallest that covers the crop, or that whose shorter side is
 * `resize`. Rounds the longer side down.
 */
export function sizeBefore(
  from: { width: number; height: number },
  { width, height, resize }: { width: number; height: number; resize?: number | undefined },
): { width: number; height: number } {
  const wide = resize === undefined ? from.width * height >= from.height * width : from.width >= from.height;
  return wide
    ? { width: Math.floor(((resize ?? height) * from.width) / from.height), height: resize ?? height }
    : { width: resize ?? width, height: Math.floor(((resize ?? width) * from.height) / from.width) };
}

/** Returns half of the pixels that a crop removes, rounded half to even like Python's `round` in torchvision. */
export function middle(over: number): number {
  const half = Math.floor(over / 2);
  return over % 2 === 0 ? half : half + (half % 2);
}
