// Gradients of sampling at places that the model computes.
import { attribute, type Node } from '../../onnx/document.js';
import { DataType } from '../../onnx/types.js';
import { elementCount } from '../../providers/tensor.js';
import { zeros } from './gradients-select.js';
import { type Gradient, type Gradients, minus, NO_GRADIENT, plus, scaled, times, zero } from './rule.js';
import type { Tape } from './tape.js';

/** Places along an axis of an image, each tensor [samples, 1, places]. */
interface Axis {
  /** The coordinate, in elements, and its derivative by the grid. */
  readonly place: string;
  readonly slope: string | number;
  readonly size: number;
}

/** An element near each place along an axis: its index, its weight (0 outside the image), and the derivative of that. */
interface Neighbour {
  readonly index: string;
  readonly weight: string;
  readonly steep: string;
}

/** Reads a coordinate of the grid: 0 for x, which runs along the last axis, 1 for y. */
function axisAt(tape: Tape, node: Node, grid: string, coordinate: number, size: number): Axis {
  const [samples = 1, height = 1, width = 1] = tape.dims(grid);
  const given = tape.slice(grid, [coordinate], [coordinate + 1], [3]);
  const aligned = (attribute(node, 'align_corners')?.i ?? 0) !== 0;
  const slope = (aligned ? size - 1 : size) / 2;
  const place = plus(
    tape,
    scaled(tape, tape.reshape(given, [samples, 1, height * width]), slope),
    tape.floats([(size - 1) / 2]),
  );
  if (attribute(node, 'padding_mode')?.s !== 'border') return { place, slope, size };
  const [low, high] = [zero(tape), tape.floats([size - 1])];
  const inside = times(tape, tape.mask('Greater', place, low), tape.mask('Less', place, high));
  return { place: tape.node('Clip', [place, low, high]), slope: scaled(tape, inside, slope), size };
}

/** Adds an element near each place: `at` is its coordinate, `weight` its weight inside the image. */
function neighbour(tape: Tape, { size }: Axis, at: string, weight: string, steep: string): Neighbour {
  const [low, high] = [zero(tape), tape.floats([size - 1])];
  const held = tape.node('Clip', [at, low, high]);
  const inside = tape.mask('Equal', at, held);
  return {
    index: tape.node('Cast', [held], { to: DataType.INT64 }),
    weight: times(tape, weight, inside),
    steep: times(tape, steep, inside),
  };
}

/** Adds the elements that each place reads along an axis: the two around it, or the nearest. */
function neighboursOf(tape: Tape, axis: Axis, isNearest: boolean): Neighbour[] {
  const one = tape.floats([1]);
  if (isNearest) return [neighbour(tape, axis, tape.node('Round', [axis.place]), one, zero(tape))];
  const lower = tape.node('Floor', [axis.place]);
  const share = minus(tape, axis.place, lower);
  return [
    neighbour(tape, axis, lower, minus(tape, one, share), tape.floats([-1])),
    neighbour(tape, axis, plus(tape, lower, one), share, one),
  ];
}

const NEAREST = 'nearest';
const LINEAR = new Set([undefined, 'bilinear', 'linear']);
const PADDED = new Set([undefined, 'zeros', 'border']);

const gridSample: Gradient = (tape, node, g) => {
  const [x = '', grid = ''] = node.inputs;
  const [samples = 1, channels = 1, height = 1, width = 1, ...deeper] = tape.dims(x);
  const [mode, padding] = ['mode', 'padding_mode'].map((name) => attribute(node, name)?.s);
  const isNearest = mode === NEAREST;
  if (deeper.length > 0 || !(isNearest || LINEAR.has(mode)) || !PADDED.has(padding)) return [];
  const places = elementCount(tape.dims(grid).slice(1, 3));
  const wide = [samples, channels, places];
  const output = tape.reshape(g, wide);
  const image = tape.reshape(x, [samples, channels, height * width]);
  const [across, down] = [axisAt(tape, node, grid, 0, width), axisAt(tape, node, grid, 1, height)];
  let sums = zeros(tape, [samples, channels, height * width]);
  const slopes: [x: string, y: string][] = [];
  for (const row of neighboursOf(tape, down, isNearest)) {
    for (const column of neighboursOf(tape, across, isNearest)) {
      const flat = plus(tape, times(tape, row.index, tape.ints([width])), column.index);
      const index = tape.node('Expand', [flat, tape.ints(wide)]);
      const part = times(tape, output, times(tape, row.weight, column.weight));
      sums = tape.node('ScatterElements', [sums, index, part], { axis: 2, reduction: 'add' });
      const read = times(tape, tape.node('GatherElements', [image, index], { axis: 2 }), output);
      const total = tape.sum(read, [1]);
      slopes.push([
        times(tape, total, times(tape, column.steep, row.weight)),
        times(tape, total, times(tape, row.steep, column.weight)),
      ]);
    }
  }
  const ofImage = tape.reshape(sums, tape.dims(x));
  if (isNearest) return [ofImage, NO_GRADIENT];
  const along = ({ slope }: Axis, coordinate: 0 | 1) => {
    const total = tape.total(slopes.map((parts) => parts[coordinate]));
    const whole = typeof slope === 'number' ? scaled(tape, total, slope) : times(tape, total, slope);
    return tape.reshape(whole, [...tape.dims(grid).slice(0, 3), 1]);
  };
  return [ofImage, tape.node('Concat', [along(across, 0), along(down, 1)], { axis: 3 })];
};

/** The grid is a product of the matrices with constant coordinates, (x, y, 1) or (x, y, z, 1). */
const affineGrid: Gradient = (tape, node, g) => {
  const [theta = ''] = node.inputs;
  const [samples = 1, axes = 2] = tape.dims(theta);
  const sizes = tape.dims(node.outputs[0] ?? '').slice(1, 1 + axes);
  const aligned = (attribute(node, 'align_corners')?.i ?? 0) !== 0;
  const count = elementCount(sizes);
  const base = new Float32Array(count * (axes + 1)).fill(1);
  for (let place = 0; place < count; place++) {
    let rest = place;
    for (let axis = axes - 1; axis >= 0; axis--) {
      const size = sizes[axis] ?? 1;
      const at = rest % size;
      rest = Math.floor(rest / size);
      const coordinate = aligned ? (size > 1 ? (2 * at) / (size - 1) - 1 : 0) : (2 * at + 1) / size - 1;
      base[place * (axes + 1) + axes - 1 - axis] = coordinate;
    }
  }
  const flat = tape.node('Transpose', [tape.reshape(g, [samples, count, axes])], { perm: [0, 2, 1] });
  return [tape.node('MatMul', [flat, tape.floats(base, [count, axes + 1])]), NO_GRADIENT];
};

/** The gradients of operators that sample images at computed places. */
export const SAMPLING: Gradients = { GridSample: gridSample, AffineGrid: affineGrid };
