// The channels that an element of a weight belongs to: one of the node's output, and one of its input.
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';

/** Channels along an axis of a weight. */
export interface ChannelPlaces {
  readonly size: number;
  /** Returns the channel of an element, by its place in row-major order. */
  of(place: number): number;
}

/** Channels of a weight: `up` those of the node's output, `down` those of its input. */
export interface WeightPlaces {
  readonly up?: ChannelPlaces;
  readonly down?: ChannelPlaces;
}

/** Returns the channels of a weight at a slot of a node; undefined if it cannot take a factor for each channel. */
export function placesIn(node: Node, slot: number, dims: readonly number[]): WeightPlaces | undefined {
  const [first = 0, second = 0] = dims;
  const inner = elementCount(dims.slice(2));
  const groups = attribute(node, 'group')?.i ?? 1;
  const vector = alongOneAxis(dims);
  switch (node.opType) {
    case 'Conv':
      if (slot === 2) return vector && { up: vector };
      if (slot !== 1 || dims.length < 3) return undefined;
      return { up: along(first, second * inner), down: inGroups(first, second, inner, groups) };
    case 'ConvTranspose':
      if (slot === 2) return vector && { up: vector };
      if (slot !== 1 || dims.length < 3) return undefined;
      return { up: inGroups(first, second, inner, groups), down: along(first, second * inner) };
    case 'Gemm': {
      if ((attribute(node, 'transA')?.i ?? 0) !== 0) return undefined;
      if (slot === 2) return vector && { up: vector };
      if (slot !== 1 || dims.length !== 2) return undefined;
      const [rows, columns] = [along(first, second), along(second, 1)];
      return (attribute(node, 'transB')?.i ?? 0) === 0
        ? { up: columns, down: rows }
        : { up: rows, down: columns };
    }
    case 'MatMul':
      if (slot !== 1 || dims.length !== 2) return undefined;
      return { up: along(second, 1), down: along(first, second) };
    case 'BatchNormalization':
      return (
        vector &&
        ([undefined, { up: vector, down: vector }, { up: vector }, { up: vector }, {}] as const)[slot]
      );
    case 'Add':
    case 'Sub':
      return vector && { up: vector };
    case 'Mul':
      return vector && { up: vector, down: vector };
    default:
      return undefined;
  }
}

/** Returns the channels along an axis of `size`, each step of which has `inner` elements. */
function along(size: number, inner: number): ChannelPlaces {
  return { size, of: (place) => Math.floor(place / inner) % size };
}

/** Returns the channels along the second axis, whose counting goes on in the next group of the first axis. */
function inGroups(first: number, second: number, inner: number, groups: number): ChannelPlaces {
  const ofGroup = first / groups;
  return {
    size: second * groups,
    of(place) {
      const [row, column] = [Math.floor(place / (second * inner)), Math.floor(place / inner) % second];
      return Math.floor(row / ofGroup) * second + column;
    },
  };
}

/** Returns the channels of a tensor with one axis that is longer than 1. */
function alongOneAxis(dims: readonly number[]): ChannelPlaces | undefined {
  const long = dims.filter((dim) => dim > 1);
  return long.length === 1 ? along(long[0] ?? 0, 1) : undefined;
}
