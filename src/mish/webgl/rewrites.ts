// Nodes that compute what WebGL's operator refuses by operators that WebGL has.
import { onnx } from '../../../proto/onnx.js';
import { OnnxMishError } from '../../base/error.js';
import {
  attribute,
  type Node,
  nodeLabel,
  type OnnxDocument,
  opsetOf,
  type StoredTensor,
} from '../../onnx/document.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import { readNumbers } from '../../onnx/small-tensor.js';
import { DataType, type FloatType, floatType } from '../../onnx/types.js';
import type { Loaded } from './loaded.js';

/** Returns a name that the model does not have yet. */
export type Fresh = (wanted: string) => string;

const { INT, INTS, TENSOR } = onnx.AttributeProto.AttributeType;

/** Decodes a node, or the field that replaces it, with all of its attributes, which a scan does not look into. Throws `malformed`. */
export async function decodedNode(
  { source }: OnnxDocument,
  node: Node,
  replacement?: Uint8Array | undefined,
): Promise<onnx.INodeProto | undefined> {
  const { start, end } = node.span;
  const bytes = replacement ?? (await source.read(start, end - start));
  try {
    // An encoded graph with a single node equals that node as a field of a graph.
    return onnx.GraphProto.decode(bytes).node[0];
  } catch (cause) {
    throw new OnnxMishError('malformed', 'the node cannot be decoded', { where: nodeLabel(node), cause });
  }
}

/** Builds a Constant node for a tensor. */
export function constantOf(name: string, t: onnx.ITensorProto): onnx.INodeProto & { name: string } {
  return { opType: 'Constant', name, output: [name], attribute: [{ name: 'value', type: TENSOR, t }] };
}

/** Returns the float type of a value of the main graph; f32 if it is unknown. */
export const floatTypeOf = (
  { graph, analysis }: Pick<Loaded, 'graph' | 'analysis'>,
  name: string,
): FloatType => floatType(analysis.types(graph, name)) ?? 'f32';

/** Builds a Constant node for a one-dimensional tensor of integers. */
export const integers = (name: string, ...int64Data: number[]) =>
  constantOf(name, { dataType: DataType.INT64, dims: [int64Data.length], int64Data });

/** Returns the tensor with the lengths of Split's parts, or their common length. */
export function partsOf(node: Node, { dims, constant }: Loaded): StoredTensor | number | undefined {
  const [x = '', split = ''] = node.inputs;
  const axis = attribute(node, 'axis')?.i ?? 0;
  if (split !== '') {
    const tensor = constant(split);
    return tensor?.frame === undefined || tensor.external !== undefined ? undefined : tensor;
  }
  const length = dims(x)?.at(axis);
  const part = typeof length === 'number' ? length / node.outputs.length : Number.NaN;
  return Number.isInteger(part) ? part : undefined;
}

/** Builds a Slice for each part of a Split; undefined if the lengths are not stored as integers. */
export async function slicesOfSplit(
  { name, input, output, attribute }: onnx.INodeProto,
  node: Node,
  loaded: Loaded,
  document: OnnxDocument,
  fresh: Fresh,
): Promise<onnx.INodeProto[] | undefined> {
  const parts = partsOf(node, loaded);
  const isEven = parts === undefined || typeof parts === 'number';
  const lengths = isEven ? node.outputs.map(() => parts ?? 0) : await readNumbers(document, parts);
  if (lengths === undefined) return undefined;
  const axis = Number(attribute?.find((one) => one.name === 'axis')?.i ?? 0);
  let at = 0;
  return (output ?? []).flatMap((y, place) => {
    const from = at;
    at += lengths[place] ?? 0;
    if (y === '') return [];
    const numbers = Object.entries({ from, to: at, axis }).map(([what, value]) =>
      integers(fresh(`${y}/webgl/${what}`), value),
    );
    return [
      ...numbers,
      {
        opType: 'Slice',
        name: place === 0 ? (name ?? '') : fresh(`${y}/webgl/slice`),
        input: [...(input ?? []).slice(0, 1), ...numbers.map((one) => one.name)],
        output: [y],
      },
    ];
  });
}

/** Operators whose axes became an input, and the opset from which. */
const REDUCES: Readonly<Record<string, number>> = { ReduceSum: 13, ReduceMean: 18, ReduceMax: 18 };

/** Returns whether a node reduces along axes that are an input, which WebGL does not read. */
export const hasAxesInput = ({ opType, inputs }: Node, { graph }: Pick<Loaded, 'graph'>) =>
  Object.hasOwn(REDUCES, opType) && opsetOf(graph) >= (REDUCES[opType] ?? 0) && (inputs[1] ?? '') !== '';

/**
 * Builds a reduction along the last two axes, or one of them: global pooling of images, or products with a matrix of one column or
 * one row. Undefined for other axes, or if a length is not known.
 */
export async function reduction(
  node: Node,
  loaded: Loaded,
  document: OnnxDocument,
  fresh: Fresh,
): Promise<onnx.INodeProto[] | undefined> {
  const [x = '', axesInput = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const dims = loaded.dims(x);
  const given = await readNumbers(document, loaded.constant(axesInput));
  if (dims === undefined || given === undefined || given.length === 0) return undefined;
  const rank = dims.length;
  const axes = given.map((axis) => (axis < 0 ? axis + rank : axis)).toSorted((a, b) => a - b);
  if (axes.length !== new Set(axes).size || axes.some((axis) => axis < rank - 2 || axis >= rank))
    return undefined;
  const keeps = (attribute(node, 'keepdims')?.i ?? 1) !== 0;
  const kept = keeps ? y : fresh(`${y}/webgl/kept`);
  const squeeze = (): onnx.INodeProto[] => {
    if (keeps) return [];
    const numbers = integers(fresh(`${y}/webgl/axes`), ...axes);
    return [
      numbers,
      { opType: 'Squeeze', name: fresh(`${y}/webgl/squeeze`), input: [kept, numbers.name], output: [y] },
    ];
  };
  const isImage = rank === 4 && axes.length === 2;
  if (isImage && node.opType !== 'ReduceSum') {
    const opType = node.opType === 'ReduceMean' ? 'GlobalAveragePool' : 'GlobalMaxPool';
    return [{ opType, name: node.name, input: [x], output: [kept] }, ...squeeze()];
  }
  const lengths = axes.map((axis) => dims[axis]);
  if (node.opType === 'ReduceMax' || rank < 2 || !lengths.every((length) => typeof length === 'number'))
    return undefined;
  const nodes: onnx.INodeProto[] = [];
  let from = x;
  for (const [place, axis] of axes.entries()) {
    const length = lengths[place] ?? 0;
    const isLast = axis === rank - 1;
    const weights = fresh(`${y}/webgl/weights`);
    const to = place === axes.length - 1 ? kept : fresh(`${y}/webgl/sum`);
    const value = node.opType === 'ReduceMean' ? 1 / length : 1;
    nodes.push(
      constantOf(
        weights,
        floatTensor(
          new Array<number>(length).fill(value),
          floatTypeOf(loaded, x),
          isLast ? [length, 1] : [1, length],
        ),
      ),
      {
        opType: 'MatMul',
        name: place === 0 ? node.name : fresh(`${y}/webgl/product`),
        input: isLast ? [from, weights] : [weights, from],
        output: [to],
      },
    );
    from = to;
  }
  return [...nodes, ...squeeze()];
}

/** Returns whether a Slice has a step other than 1. */
export const hasStep = (
  { opType, inputs }: Node,
  { graph, constant }: Pick<Loaded, 'graph' | 'constant'>,
) => {
  const step = opType === 'Slice' && opsetOf(graph) >= 10 ? constant(inputs[4] ?? '') : undefined;
  return step !== undefined && step.scalar !== 1;
};

/** Builds a Gather for each axis of a Slice; undefined if an axis's length is not known. */
export async function gathers(
  node: Node,
  loaded: Loaded,
  document: OnnxDocument,
  fresh: Fresh,
): Promise<onnx.INodeProto[] | undefined> {
  const [x = '', ...operands] = node.inputs;
  const dims = loaded.dims(x);
  const read = (slot: number) => readNumbers(document, loaded.constant(operands[slot] ?? ''));
  const [starts, ends, steps] = [await read(0), await read(1), await read(3)];
  const axes = (operands[2] ?? '') === '' ? starts?.map((_, axis) => axis) : await read(2);
  if (dims === undefined || !starts || !ends || !steps || !axes || axes.length === 0) return undefined;
  const takes: AxisPlaces[] = [];
  for (const [place, given] of axes.entries()) {
    const axis = given < 0 ? given + dims.length : given;
    const length = dims[axis];
    const [start, end, step] = [starts[place], ends[place], steps[place]];
    if (typeof length !== 'number' || start === undefined || end === undefined || !step) return undefined;
    takes.push({ axis, places: placesOf(length, start, end, step) });
  }
  return gathersOf(node, takes, fresh);
}

/** Builds a Gather for each axis, one after the other, in the place of a node. */
function gathersOf(
  { name, inputs: [x = ''], outputs: [y = ''] }: Node,
  takes: readonly AxisPlaces[],
  fresh: Fresh,
): onnx.INodeProto[] | undefined {
  if (takes.some(({ places }) => places.length === 0)) return undefined; // WebGL has no empty tensors
  let from = x;
  return takes.flatMap(({ axis, places }, at) => {
    const to = at === takes.length - 1 ? y : fresh(`${y}/webgl/part`);
    const gather = { name: at === 0 ? name : fresh(`${y}/webgl/gather`), from, to, axis, places };
    from = to;
    return gatherNodes(gather, fresh);
  });
}

/** Returns whether a Pad reflects a tensor of which an axis has, or may have, length 1: WebGL divides by that less 1. */
export const reflectsSingle = (node: Node, { dims }: Pick<Loaded, 'dims'>) =>
  node.opType === 'Pad' &&
  attribute(node, 'mode')?.s === 'reflect' &&
  (dims(node.inputs[0] ?? '')?.some((length) => length === 1 || typeof length !== 'number') ?? true);

/** Builds a Gather for each axis that a Pad reflects; undefined if its length or the pads are not known. */
export async function reflections(
  node: Node,
  loaded: Loaded,
  document: OnnxDocument,
  fresh: Fresh,
): Promise<onnx.INodeProto[] | undefined> {
  const [x = '', amounts = '', , axes = ''] = node.inputs;
  const dims = loaded.dims(x);
  const pads =
    amounts === '' ? attribute(node, 'pads')?.ints : await readNumbers(document, loaded.constant(amounts));
  const rank = dims?.length ?? 0;
  if (dims === undefined || axes !== '' || pads?.length !== 2 * rank) return undefined;
  const takes: AxisPlaces[] = [];
  for (const [axis, length] of dims.entries()) {
    const [before, after] = [Number(pads[axis]), Number(pads[axis + rank])];
    if (before === 0 && after === 0) continue;
    if (typeof length !== 'number' || length < 2) return undefined;
    const places = Array.from({ length: Math.max(0, before + length + after) }, (_, at) => {
      const place = Math.abs(at - before) % (2 * (length - 1));
      return Math.min(place, 2 * (length - 1) - place);
    });
    takes.push({ axis, places });
  }
  return takes.length === 0 ? undefined : gathersOf(node, takes, fresh);
}

/** Places that a Gather along an axis takes. */
interface AxisPlaces {
  readonly axis: number;
  readonly places: readonly number[];
}

/** A Gather along an axis, and the tensors that it reads and writes. */
export interface Gathering extends AxisPlaces {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export function gatherNodes({ name, from, to, axis, places }: Gathering, fresh: Fresh): onnx.INodeProto[] {
  const indices = integers(fresh(`${to}/webgl/places`), ...places);
  const attribute = [{ name: 'axis', type: INT, i: axis }];
  return [indices, { opType: 'Gather', name, input: [from, indices.name], output: [to], attribute }];
}

/** Returns whether an LRN reads beyond the channels on WebGL: always, unless channels around them were added before. */
export function readsBeyond(node: Node, { graph, analysis, readers }: Loaded): boolean {
  if (node.opType !== 'LRN' || (attribute(node, 'size')?.i ?? 1) <= 1) return false;
  const [[x = ''], [y = '']] = [node.inputs, node.outputs];
  const isPadded = analysis.index.producer(graph, x)?.opType === 'Pad';
  return !(isPadded && readers(y).every(({ opType }) => opType === 'Slice'));
}

/**
 * Builds an LRN over more channels, of zeros, on both sides: WebGL reads beyond the first and the last channel. They are cut off
 * afterwards.
 */
export function paddedLrn(
  proto: onnx.INodeProto,
  node: Node,
  opset: number,
  fresh: Fresh,
): onnx.INodeProto[] {
  const [[x = ''], [y = '']] = [node.inputs, node.outputs];
  const size = attribute(node, 'size')?.i ?? 1;
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const pads = [0, before, 0, 0, 0, after, 0, 0];
  const [padded, wide] = [fresh(`${y}/webgl/padded`), fresh(`${y}/webgl/wide`)];
  const numbers = (what: string, ...values: number[]) => integers(fresh(`${y}/webgl/${what}`), ...values);
  const [amounts, starts, ends, axes] = [
    numbers('pads', ...pads),
    numbers('from', before),
    numbers('to', -after),
    numbers('axis', 1),
  ];
  const pad: onnx.INodeProto = { opType: 'Pad', name: padded, output: [padded] };
  const slice: onnx.INodeProto = { opType: 'Slice', name: fresh(`${y}/webgl/cut`), output: [y] };
  const isOldPad = opset < 11;
  const isOldSlice = opset < 10;
  const ints = (name: string, ...ints: number[]) => ({ name, type: INTS, ints });
  return [
    ...(isOldPad ? [] : [amounts]),
    isOldPad
      ? { ...pad, input: [x], attribute: [ints('pads', ...pads)] }
      : { ...pad, input: [x, amounts.name] },
    { ...proto, input: [padded], output: [wide] },
    ...(isOldSlice ? [] : [starts, ends, axes]),
    isOldSlice
      ? {
          ...slice,
          input: [wide],
          attribute: [ints('starts', before), ints('ends', -after), ints('axes', 1)],
        }
      : { ...slice, input: [wide, starts.name, ends.name, axes.name] },
  ];
}

/** Returns the places that a slice of an axis takes, as Slice defines them (ONNX operator Slice, version 13). */
function placesOf(length: number, start: number, end: number, step: number): number[] {
  const clamp = (at: number, least: number, most: number) =>
    Math.min(most, Math.max(least, at < 0 ? at + length : at));
  const first = step > 0 ? clamp(start, 0, length) : clamp(start, 0, length - 1);
  const last = step > 0 ? clamp(end, 0, length) : clamp(end, -1, length - 1);
  const places: number[] = [];
  for (let at = first; step > 0 ? at < last : at > last; at += step) places.push(at);
  return places;
}
