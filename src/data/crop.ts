// Nothing of Node in it: a page crops its images alike.

/** Returns the size before the crop: the shorter side as asked for, the longer one cut to whole pixels. */
export function sizeBefore(
  from: { width: number; height: number },
  { width, height, resize }: { width: number; height: number; resize?: number | undefined },
): { width: number; height: number } {
  const wide = resize === undefined ? from.width * height >= from.height * width : from.width >= from.height;
  return wide
    ? { width: Math.floor(((resize ?? height) * from.width) / from.height), height: resize ?? height }
    : { width: resize ?? width, height: Math.floor(((resize ?? width) * from.height) / from.width) };
}

/**
 * Returns half of the pixels that a crop leaves over; Python's `round`, which torchvision uses, takes a half to the
 * even.
 */
export function middle(over: number): number {
  const half = Math.floor(over / 2);
  return over % 2 === 0 ? half : half + (half % 2);
}
