import type { Dims } from './loaded.js';

/** Maximum width and height of a texture in pixels, on various devices. */
const SIDES = [4096, 8192, 16384, 32768];

/** Returns whether textures of these dimensions can differ in width or height on a device; true for unknown dimensions. */
export function mayDiffer(a: Dims | undefined, b: Dims | undefined): boolean {
  if (!isKnown(a) || !isKnown(b)) return true;
  return SIDES.some((most) => {
    const [[width, height], [otherWidth, otherHeight]] = [textureSize(a, most), textureSize(b, most)];
    return width !== otherWidth || height !== otherHeight;
  });
}

export function isKnown(dims: Dims | undefined): dims is readonly number[] {
  return dims?.every((size) => typeof size === 'number' && size > 0) ?? false;
}

const size = (dims: readonly number[]) => dims.reduce((product, length) => product * length, 1);

/** Computes width and height as onnxruntime-web's `PreferLogicalStrategy` does (backends/webgl/texture-layout-strategy.ts). */
export function textureSize(dims: readonly number[], most: number): readonly [width: number, height: number] {
  const [a = 1, b = 1, c = 1, d = 1, ...more] =
    dims.length === 2 ? dims : dims.filter((length) => length !== 1);
  const rank = dims.length === 2 ? 2 : dims.filter((length) => length !== 1).length;
  const fits = (width: number, height: number) => width <= most && height <= most;
  if (rank <= 1 && a <= most) return [1, a];
  if (rank === 2 && fits(a, b)) return [a, b];
  if (rank === 3 && fits(a * b, c)) return [a * b, c];
  if (rank === 3 && fits(a, b * c)) return [a, b * c];
  if (rank === 4 && fits(a * b * c, d)) return [a * b * c, d];
  if (rank === 4 && fits(a, b * c * d)) return [a, b * c * d];
  const all = a * b * c * d * size(more);
  const width = Math.ceil(Math.sqrt(all));
  return [width, Math.ceil(all / width)];
}
