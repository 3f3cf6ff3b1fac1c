import { attribute, type Node } from '../../onnx/document.js';
import { resizeTaps } from '../../onnx/resize-weights.js';
import { bySparseRows, type SparseRow } from './along-axis.js';
import { zeros } from './gradients-select.js';
import { axisOf, type Gradient, type Gradients, unbroadcast } from './rule.js';
import type { Tape } from './tape.js';

/** Rule of an operator that only reshapes: reshapes the gradient to the input's shape. */
const reshaped: Gradient = (tape, node, g) => [tape.reshape(g, tape.dims(node.inputs[0] ?? ''))];

const transpose: Gradient = (tape, node, g) => {
  const rank = tape.dims(node.inputs[0] ?? '').length;
  const perm = attribute(node, 'perm')?.ints ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return [tape.node('Transpose', [g], { perm: perm.map((_, axis) => perm.indexOf(axis)) })];
};

const concat: Gradient = (tape, node, g) => {
  const axis = axisOf(node, tape.dims(node.outputs[0] ?? '').length, 1);
  let at = 0;
  return node.inputs.map((name) => {
    const from = at;
    at += tape.dims(name)[axis] ?? 0;
    return tape.slice(g, [from], [at], [axis]);
  });
};

const split: Gradient = (tape, node, _, outputs) => {
  const axis = axisOf(node, tape.dims(node.inputs[0] ?? '').length, 0);
  const parts = node.outputs.map((name, slot) => outputs[slot] ?? zeros(tape, tape.dims(name)));
  return [tape.node('Concat', parts, { axis })];
};

/**
 * Returns what each of `size` elements of an axis gives to its `out` results, each with its weight. `taps` returns the elements that a
 * result reads; those outside of the axis do not count.
 */
function adjointRows(size: number, out: number, taps: (at: number) => SparseRow): SparseRow[] {
  const rows = Array.from({ length: size }, (): SparseRow[number][] => []);
  for (let at = 0; at < out; at++) for (const [from, weight] of taps(at)) rows[from]?.push([at, weight]);
  return rows;
}

/** Adds the gradient of an input [...dims] whose elements are copied along axes to [...out]; `sources` gives the index that each is from. */
function copied(
  tape: Tape,
  g: string,
  dims: readonly number[],
  out: readonly number[],
  sources: (axis: number, at: number) => number,
): string {
  let result = { name: g, dims: out };
  for (const [axis, size] of dims.entries()) {
    const from = Array.from({ length: out[axis] ?? 0 }, (_, at) => sources(axis, at));
    if (from.length === size && from.every((source, at) => source === at)) continue;
    const rows = adjointRows(size, from.length, (at) => [[from[at] ?? -1, 1]]);
    result = bySparseRows(tape, result.name, result.dims, axis, rows);
  }
  return result.name;
}

/** Returns whether one of these inputs differs between batches. */
const isVarying = (tape: Tape, { inputs }: Node, slots: readonly number[]) =>
  slots.some((slot) => {
    const name = inputs[slot] ?? '';
    return name !== '' && tape.constant(name) === undefined;
  });

/** Reads integers from an attribute or, in other opsets, an input; undefined if they are absent or not constant. */
function settings(tape: Tape, node: Node, name: string, slot: number): readonly number[] | undefined {
  const input = node.inputs[slot] ?? '';
  return attribute(node, name)?.ints ?? (input === '' ? undefined : tape.constant(input));
}

/** Adds the part of a tensor that begins at `begins`, with zeros where it lies outside. */
function window(
  tape: Tape,
  x: string,
  from: readonly number[],
  begins: readonly number[],
  to: readonly number[],
): string {
  const beyond = begins.map((begin, axis) => begin + (to[axis] ?? 0) - (from[axis] ?? 0));
  const isCut = (axis: number) => (begins[axis] ?? 0) > 0 || (beyond[axis] ?? 0) < 0;
  const axes = from.flatMap((_, axis) => (isCut(axis) ? [axis] : []));
  const starts = axes.map((axis) => Math.max(0, begins[axis] ?? 0));
  const ends = axes.map((axis) => (from[axis] ?? 0) + Math.min(0, beyond[axis] ?? 0));
  const inner = axes.length === 0 ? x : tape.slice(x, starts, ends, axes);
  const positive = (pads: readonly number[]) => pads.map((pad) => Math.max(0, pad));
  return tape.pad(inner, [...positive(begins.map((begin) => -begin)), ...positive(beyond)]);
}

const slice: Gradient = (tape, node, g) => {
  const [dims, out] = [tape.dims(node.inputs[0] ?? ''), tape.dims(node.outputs[0] ?? '')];
  const rank = dims.length;
  const starts = settings(tape, node, 'starts', 1);
  if (starts === undefined || isVarying(tape, node, [3, 4])) return [];
  const axes = settings(tape, node, 'axes', 3) ?? starts.map((_, axis) => axis);
  const steps = settings(tape, node, 'steps', 4) ?? starts.map(() => 1);
  const [from, by] = [dims.map(() => 0), dims.map(() => 1)];
  for (const [place, axis] of axes.entries()) {
    const [at, size, start] = [(axis + rank) % rank, dims[(axis + rank) % rank] ?? 0, starts[place] ?? 0];
    const step = steps[place] ?? 1;
    const last = step < 0 ? size - 1 : size;
    from[at] = Math.min(last, Math.max(0, start < 0 ? start + size : start));
    by[at] = step;
  }
  if (by.every((step) => step === 1))
    return [
      window(
        tape,
        g,
        out,
        from.map((begin) => -begin),
        dims,
      ),
    ];
  return [copied(tape, g, dims, out, (axis, at) => (from[axis] ?? 0) + at * (by[axis] ?? 1))];
};

const pad: Gradient = (tape, node, g) => {
  const [dims, out] = [tape.dims(node.inputs[0] ?? ''), tape.dims(node.outputs[0] ?? '')];
  const rank = dims.length;
  const pads = settings(tape, node, 'pads', 1);
  const axes = settings(tape, node, 'axes', 3) ?? dims.map((_, axis) => axis);
  if (pads === undefined || isVarying(tape, node, [3])) return [];
  const begins = dims.map(() => 0);
  for (const [place, axis] of axes.entries()) begins[(axis + rank) % rank] = pads[place] ?? 0;
  const mode = attribute(node, 'mode')?.s ?? 'constant';
  if (mode === 'constant') return [window(tape, g, out, begins, dims)];
  return [
    copied(tape, g, dims, out, (axis, at) => {
      const [whole, begin] = [dims[axis] ?? 1, begins[axis] ?? 0];
      const end = (out[axis] ?? 1) - whole - begin;
      // Negative pads cut the input, before the others copy what is left.
      const [cut, size] = [Math.max(0, -begin), whole + Math.min(0, begin) + Math.min(0, end)];
      return cut + paddedFrom(mode, at - Math.max(0, begin), size);
    }),
  ];
};

/** Returns the index that Pad copies to a place, which may lie before the first of `size` elements or behind the last. */
function paddedFrom(mode: string, place: number, size: number): number {
  if (mode === 'edge') return Math.min(size - 1, Math.max(0, place));
  if (mode === 'wrap') return ((place % size) + size) % size;
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const turned = ((place % period) + period) % period;
  return turned < size ? turned : period - turned;
}

/** Returns the rule of an operator that scatters updates into a copy of its data, from the operator that gathers them. */
const scatter = (gathers: 'GatherElements' | 'GatherND'): Gradient => {
  return (tape, node, g) => {
    const [, indices = '', updates = ''] = node.inputs;
    const reduction = attribute(node, 'reduction')?.s ?? 'none';
    if (reduction !== 'none' && reduction !== 'add') return [];
    const axis = attribute(node, 'axis')?.i;
    const attributes = axis === undefined ? {} : { axis };
    const gathered = tape.node(gathers, [g, indices], attributes);
    if (reduction === 'add') return [g, undefined, gathered];
    const none = zeros(tape, tape.dims(updates));
    return [tape.node(node.opType, [g, indices, none], attributes), undefined, gathered];
  };
};

const centerCropPad: Gradient = (tape, node, g) => {
  const [dims, out] = [tape.dims(node.inputs[0] ?? ''), tape.dims(node.outputs[0] ?? '')];
  const begins = dims.map((size, axis) => -Math.trunc((size - (out[axis] ?? 0)) / 2));
  return [window(tape, g, out, begins, dims)];
};

const expand: Gradient = (tape, node, g) => {
  return [unbroadcast(tape, g, tape.dims(node.outputs[0] ?? ''), tape.dims(node.inputs[0] ?? ''))];
};

const tile: Gradient = (tape, node, g) => {
  const [dims, out] = [tape.dims(node.inputs[0] ?? ''), tape.dims(node.outputs[0] ?? '')];
  const turns = dims.flatMap((dim, axis) => [(out[axis] ?? 0) / Math.max(1, dim), dim]);
  const axes = dims.map((_, axis) => 2 * axis);
  return [tape.reshape(tape.sum(tape.reshape(g, turns), axes), dims)];
};

const resize: Gradient = (tape, node, g) => {
  const [dims, out] = [tape.dims(node.inputs[0] ?? ''), tape.dims(node.outputs[0] ?? '')];
  const slot = node.opType === 'Upsample' || tape.opset < 11 ? 1 : 2;
  const given = tape.constant(node.inputs[slot] ?? '') ?? [];
  const axes = attribute(node, 'axes')?.ints?.map((axis) => (axis + dims.length) % dims.length);
  const listed = axes ?? dims.map((_, axis) => axis);
  const policy = attribute(node, 'keep_aspect_ratio_policy')?.s ?? 'stretch';
  const isKept = policy !== 'stretch' && given.length === 0;
  const sizes = isKept ? tape.constant(node.inputs[3] ?? '') : undefined;
  if (isKept && sizes === undefined) return [];
  // One scale for all axes, the least or the largest that the wanted sizes have.
  const scales = listed.map((axis, place) => (sizes?.[place] ?? 1) / (dims[axis] ?? 1));
  const common = policy === 'not_larger' ? Math.min(...scales) : Math.max(...scales);
  const scaleOf = (axis: number) => {
    const place = listed.indexOf(axis);
    if (isKept && place >= 0) return common;
    return given[place] ?? (out[axis] ?? 1) / (dims[axis] ?? 1);
  };
  let result = { name: g, dims: out };
  for (const [axis, size] of dims.entries()) {
    const to = out[axis] ?? 1;
    const scale = scaleOf(axis);
    if (to === size && scale === 1) continue;
    const taps = resizeTaps(node, tape.opset, { size, out: to, scale });
    if (taps === undefined) return [];
    const rows = adjointRows(size, to, taps);
    result = bySparseRows(tape, result.name, result.dims, axis, rows);
  }
  return [result.name];
};

const depthToSpace: Gradient = (tape, node, g) => {
  const blocksize = attribute(node, 'blocksize')?.i ?? 1;
  if (attribute(node, 'mode')?.s !== 'CRD') return [tape.node('SpaceToDepth', [g], { blocksize })];
  const dims = tape.dims(node.inputs[0] ?? '');
  const [n = 1, c = 1, h = 1, w = 1] = dims;
  const blocks = tape.reshape(g, [n, c / blocksize ** 2, h, blocksize, w, blocksize]);
  return [tape.reshape(tape.node('Transpose', [blocks], { perm: [0, 1, 3, 5, 2, 4] }), dims)];
};

const spaceToDepth: Gradient = (tape, node, g) => {
  return [tape.node('DepthToSpace', [g], { blocksize: attribute(node, 'blocksize')?.i ?? 1 })];
};

const cumSum: Gradient = (tape, node, g) => {
  const exclusive = attribute(node, 'exclusive')?.i ?? 0;
  const reverse = (attribute(node, 'reverse')?.i ?? 0) === 0 ? 1 : 0;
  return [tape.node('CumSum', [g, node.inputs[1] ?? ''], { exclusive, reverse })];
};

const trilu: Gradient = (tape, node, g) => {
  return [tape.node('Trilu', [g, ...node.inputs.slice(1)], { upper: attribute(node, 'upper')?.i ?? 1 })];
};

/** The gradients of operators that move, copy or select elements. */
export const SHAPES: Gradients = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  ScatterElements: scatter('GatherElements'),
  ScatterND: scatter('GatherND'),
  Expand: expand,
  Tile: tile,
  Resize: resize,
  Upsample: resize,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  CenterCropPad: centerCropPad,
  CumSum: cumSum,
  Trilu: trilu,
};
