/** Smallest normal number of each float type; smaller numbers are denormals. */
const SMALLEST_NORMAL: Readonly<Record<string, number>> = {
  f16: 2 ** -14,
  bf16: 2 ** -126,
  f32: 2 ** -126,
  f64: 2 ** -1022,
};

/**
 * Returns the smallest significant difference between two elements; 0 for types without denormals. GPUs may
 * replace denormals by 0 (GLSL ES 3.00, 4.5.1; WGSL, 14.6.1), so that smaller differences say nothing about a kernel.
 */
export function smallestDifference(elemType: string): number {
  return SMALLEST_NORMAL[elemType] ?? 0;
}

/** Returns the elements with denormals of their type replaced by 0; the same array if it has no denormals. */
export function flushDenormals(values: ArrayLike<number>, elemType: string): ArrayLike<number> {
  const least = smallestDifference(elemType);
  const isDenormal = (value: number) => value !== 0 && value < least && value > -least;
  let flushed: number[] | undefined;
  for (let index = 0; index < values.length; index++) {
    if (!isDenormal(values[index] ?? 0)) continue;
    flushed ??= Array.from(values);
    flushed[index] = 0;
  }
  return flushed ?? values;
}
