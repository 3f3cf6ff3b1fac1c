// Resize as a matrix per axis, from input elements to output elements.
import { attribute, type Node } from './document.js';

/** Sizes and scale of a resized axis. */
export interface ResizedAxis {
  readonly size: number;
  readonly out: number;
  /** The node's scale, before `out` is rounded to an integer. */
  readonly scale: number;
}

/** An input element of a resized axis that an output element reads, and its weight. */
type Tap = readonly [at: number, weight: number];

/** Returns a function from an output element to the input elements that it reads; undefined for an unsupported mode. */
export function resizeTaps(
  node: Node,
  opset: number,
  axis: ResizedAxis,
): ((column: number) => readonly Tap[]) | undefined {
  const text = (name: string, otherwise: string) => attribute(node, name)?.s ?? otherwise;
  const mode = text('mode', 'nearest');
  // Upsample, and Resize before opset 11, use asymmetric coordinates.
  const old = opset < 11 || node.opType === 'Upsample';
  const coordinates = old ? 'asymmetric' : text('coordinate_transformation_mode', 'half_pixel');
  const place = placeOf(coordinates, axis);
  if (place === undefined || (attribute(node, 'antialias')?.i ?? 0) !== 0) return undefined;
  // Where an axis gets shorter, ONNX Runtime rounds up in opset 10, which does not say how to round.
  const rounding = axis.scale < 1 ? 'ceil' : 'floor';
  const taps = tapsOf(mode, old ? rounding : text('nearest_mode', 'round_prefer_floor'), node);
  if (taps === undefined) return undefined;
  const excludes = mode === 'cubic' && (attribute(node, 'exclude_outside')?.i ?? 0) !== 0;
  const { size } = axis;
  return (column) => {
    const all = taps(place(column), size);
    const kept = excludes ? all.filter(([at]) => at >= 0 && at < size) : all;
    const total = excludes ? kept.reduce((sum, [, weight]) => sum + weight, 0) : 1;
    return kept.map(([at, weight]) => [Math.min(size - 1, Math.max(0, at)), weight / total]);
  };
}

/** Computes the weights of an axis, [size, out] in row-major order; undefined for an unsupported mode. */
export function resizeWeights(node: Node, opset: number, axis: ResizedAxis): Float32Array | undefined {
  const taps = resizeTaps(node, opset, axis);
  if (taps === undefined) return undefined;
  const { size, out } = axis;
  const weights = new Float32Array(size * out);
  for (let column = 0; column < out; column++) {
    for (const [at, weight] of taps(column)) {
      const index = at * out + column;
      weights[index] = (weights[index] ?? 0) + weight;
    }
  }
  return weights;
}

/**
 * Returns a function from output index to input coordinate. It rounds to float32 as ONNX Runtime does: else a coordinate near the middle of
 * two elements would be nearest to another one.
 */
function placeOf(
  mode: string,
  { size, out, scale: given }: ResizedAxis,
): ((at: number) => number) | undefined {
  const scale = Math.fround(given);
  const halfPixel = (at: number) => Math.fround(Math.fround((at + 0.5) / scale) - 0.5);
  switch (mode) {
    case 'half_pixel':
      return halfPixel;
    case 'pytorch_half_pixel':
      return (at) => (out > 1 ? halfPixel(at) : 0);
    case 'half_pixel_symmetric': {
      const ratio = Math.fround(out / Math.fround(scale * size));
      const offset = Math.fround((size / 2) * Math.fround(1 - ratio));
      return (at) => Math.fround(Math.fround(offset + Math.fround((at + 0.5) / scale)) - 0.5);
    }
    case 'asymmetric':
      return (at) => Math.fround(at / scale);
    case 'align_corners':
      return (at) => (out > 1 ? Math.fround((at * (size - 1)) / (out - 1)) : 0);
    default:
      return undefined;
  }
}

type Taps = (place: number, size: number) => readonly Tap[];

function tapsOf(mode: string, nearest: string, node: Node): Taps | undefined {
  if (mode === 'nearest') return (place) => [[nearestTo(place, nearest), 1]];
  if (mode === 'linear') {
    return (place, size) => {
      const inside = Math.min(size - 1, Math.max(0, place));
      const low = Math.floor(inside);
      return [
        [low, 1 - (inside - low)],
        [low + 1, inside - low],
      ];
    };
  }
  if (mode !== 'cubic') return undefined;
  const a = attribute(node, 'cubic_coeff_a')?.f ?? -0.75;
  return (place) => {
    const low = Math.floor(place);
    return [-1, 0, 1, 2].map((step) => [low + step, cubic(Math.abs(place - low - step), a)] as const);
  };
}

/** Evaluates Keys' cubic kernel at a distance. */
function cubic(x: number, a: number): number {
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a;
}

function nearestTo(place: number, mode: string): number {
  switch (mode) {
    case 'floor':
      return Math.floor(place);
    case 'ceil':
      return Math.ceil(place);
    case 'round_prefer_ceil':
      return Math.floor(place + 0.5);
    default:
      return Math.ceil(place - 0.5);
  }
}
