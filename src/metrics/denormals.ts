/** The smallest normal number of a float type; smaller ones are denormals. */
const SMALLEST_NORMAL: Readonly<Record<string, number>> = {
  f16: 2 ** -14,
  bf16: 2 ** -126,
  f32: 2 ** -126,
  f64: 2 ** -1022,
};

/**
 * The smallest difference of two tensors that counts: GPUs may put 0 in the place of a denormal (GLSL ES 3.00, 4.5.1;
 * WGSL, 14.6.1), so that smaller differences say nothing of a kernel. 0 for types that have no denormals.
 */
export function smallestDifference(elemType: string): number {
  return SMALLEST_NORMAL[elemType] ?? 0;
}

/** The elements with 0 for each denormal of their type; the same array where there is none. */
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
