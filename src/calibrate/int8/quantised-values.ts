// The quantised tensors of a model: activations between QuantizeLinear and DequantizeLinear, and stored integers.

import { OnnxMishError } from '../../base/error.js';
import { integer } from '../../base/plural.js';
import { constantTensor } from '../../mish/constants.js';
import {
  integersOf,
  isDequantizer,
  isQuantizer,
  isSameQuantization,
  type Quantization,
  quantizationOf,
} from '../../mish/quantization.js';
import { MOVES } from '../../mish/use-moves.js';
import {
  attribute,
  type Node,
  type OnnxDocument,
  rewriteObstacle,
  type Scope,
  type StoredTensor,
} from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';
import { roundEven, roundTo } from '../../onnx/scalar.js';
import { decodeTensor } from '../../onnx/tensor-data.js';
import { DataType, type FloatType, floatType } from '../../onnx/types.js';
import { floatsIn, SIZES } from '../../onnx/weights.js';
import { elementCount } from '../../providers/tensor.js';

/** A tensor of the main graph between a QuantizeLinear node and the DequantizeLinear nodes that alone read its integers. */
export interface QuantisedValue {
  readonly node: Node;
  readonly scope: Scope;
  readonly quantization: Quantization;
  readonly dequantizers: ReadonlySet<Node>;
}

/** Integers that a model stores, or floats that it stores and quantises, with the DequantizeLinear node that reads them. */
export interface StoredIntegers {
  readonly node: Node;
  /** The QuantizeLinear node of stored floats, as tools for quantisation-aware training write; undefined for stored integers. */
  readonly quantizer: Node | undefined;
  /** The tensor that is stored. */
  readonly stored: StoredTensor;
  /** Type of the integers. */
  readonly elemType: number;
  readonly dims: readonly number[];
  readonly scale: StoredTensor;
  readonly zeroPoint: StoredTensor | undefined;
  readonly values: ArrayLike<number>;
  readonly scales: readonly number[];
  /** One for each scale. */
  readonly zeroPoints: readonly number[];
  /** Type of the scales. */
  readonly type: FloatType;
  /** Returns the place of an element's scale. */
  readonly channelOf: (index: number) => number;
}

/** Finds the quantised activations of the main graph, in its order, with one scale for the whole tensor. */
export function quantisedValues({ graph }: OnnxDocument, index: GraphIndex): QuantisedValue[] {
  return graph.nodes.flatMap((node) => {
    if (!isQuantizer(node) || rewriteObstacle(node)) return [];
    if (constantTensor(index, graph, node.inputs[0] ?? '') !== undefined) return [];
    const quantization = quantizationOf(index, graph, node);
    const dequantizers = quantization && dequantizersOf(node, quantization);
    return dequantizers ? [{ node, scope: graph, quantization, dequantizers }] : [];
  });

  /** Returns the nodes that turn the integers to floats; undefined if others read them. */
  function dequantizersOf(node: Node, quantization: Quantization): ReadonlySet<Node> | undefined {
    const found = new Set<Node>();
    const names = [node.outputs[0] ?? ''];
    for (const name of names)
      for (const use of index.uses(graph, name)) {
        if (use.kind === 'output' || use.slot !== 0 || use.scope !== graph) return undefined;
        const { node: reader } = use;
        if (MOVES.has(reader.opType) && reader.domain === '')
          for (const output of reader.outputs) names.push(output);
        else if (!isDequantizer(reader) || rewriteObstacle(reader)) return undefined;
        else if (
          isSameQuantization(quantization, quantizationOf(index, graph, reader, quantization.elemType))
        )
          found.add(reader);
        else return undefined;
      }
    return found.size === 0 ? undefined : found;
  }
}

/** Element types of stored integers: bytes of an element, and how to read it. */
const READERS: Readonly<
  Record<number, readonly [bytes: number, get: (view: DataView, at: number) => number]>
> = {
  [DataType.INT8]: [1, (view, at) => view.getInt8(at)],
  [DataType.UINT8]: [1, (view, at) => view.getUint8(at)],
  [DataType.INT16]: [2, (view, at) => view.getInt16(at, true)],
  [DataType.UINT16]: [2, (view, at) => view.getUint16(at, true)],
  [DataType.INT32]: [4, (view, at) => view.getInt32(at, true)],
};

/** Reads the data of a stored tensor of integers or floats. Throws `external-data`, `malformed`. */
async function readAll(
  { source }: OnnxDocument,
  tensor: StoredTensor,
): Promise<ArrayLike<number> | undefined> {
  const { frame, dims, elemType, name, scalar } = tensor;
  const type = floatType(elemType);
  // A Constant node with value_float has its number in an attribute, not in a tensor.
  if (frame === undefined && dims.length === 0 && scalar !== undefined) return [scalar];
  const reader = READERS[elemType];
  if (frame === undefined || (type === undefined && reader === undefined)) return undefined;
  if (tensor.external !== undefined) {
    throw new OnnxMishError('external-data', `the tensor '${name}' is in another file`, {
      where: source.name,
      fix: 'Write the model into one file',
    });
  }
  const count = elementCount(dims);
  const { data } = decodeTensor(await source.read(frame.start, frame.end - frame.start), name);
  const [size, get] = reader ?? [type === undefined ? 0 : SIZES[type], undefined];
  if (!(data instanceof Uint8Array) || data.length !== count * size) {
    throw new OnnxMishError(
      'malformed',
      `the tensor '${name}' [${dims}] holds ${integer(data.length)} bytes`,
      {
        where: source.name,
        fix: 'Its data does not fit its shape; export the model again',
      },
    );
  }
  if (get === undefined || reader === undefined) return floatsIn(data, type ?? 'f32');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Int32Array.from({ length: count }, (_, at) => get(view, at * size));
}

/** The constants of a DequantizeLinear node, and the QuantizeLinear node before it if that reads a constant. */
interface Constants {
  readonly quantizer: Node | undefined;
  readonly stored: StoredTensor;
  readonly scale: StoredTensor;
  readonly zeroPoint: StoredTensor | undefined;
}

function constantsOf({ graph }: OnnxDocument, index: GraphIndex, node: Node): Constants | undefined {
  const constant = (name = '') => (name === '' ? undefined : constantTensor(index, graph, name));
  const [input = '', ...parameters] = node.inputs;
  const source = index.producer(graph, input);
  const isPair =
    isQuantizer(source) &&
    !rewriteObstacle(source) &&
    index.uses(graph, input).length === 1 &&
    parameters.join() === source.inputs.slice(1).join() &&
    attribute(node, 'axis')?.i === attribute(source, 'axis')?.i;
  const quantizer = isPair ? source : undefined;
  const stored = constant(quantizer ? quantizer.inputs[0] : input);
  const scale = constant(parameters[0]);
  const zeroPoint = constant(parameters[1]);
  const isWhole = stored !== undefined && scale !== undefined && (zeroPoint !== undefined || !parameters[1]);
  return isWhole ? { quantizer, stored, scale, zeroPoint } : undefined;
}

/** Rounds numbers to integers of given scales: those below 32 bits as QuantizeLinear does, from float32 and ties to even. */
export function toIntegers(
  numbers: ArrayLike<number>,
  { elemType, channelOf }: Pick<StoredIntegers, 'elemType' | 'channelOf'>,
  { scales, zeroPoints }: Pick<StoredIntegers, 'scales' | 'zeroPoints'>,
): number[] {
  const isWide = elemType === DataType.INT32;
  const [low, high] = isWide ? [-(2 ** 31), 2 ** 31 - 1] : integersOf(elemType);
  return Array.from(numbers, (value, at) => {
    const channel = channelOf(at);
    const quotient = value / (scales[channel] ?? 1);
    const steps = roundEven(isWide ? quotient : Math.fround(quotient)) + (zeroPoints[channel] ?? 0);
    return Math.min(high, Math.max(low, steps));
  });
}

/**
 * Reads the numbers, scales and zero points that a DequantizeLinear node of the main graph reads; undefined unless all are
 * stored, with one scale for the tensor or for each channel. Throws `external-data`, `malformed`.
 */
export async function storedIntegersOf(
  document: OnnxDocument,
  index: GraphIndex,
  node: Node,
): Promise<StoredIntegers | undefined> {
  if (!isDequantizer(node) || rewriteObstacle(node)) return undefined;
  const constants = constantsOf(document, index, node);
  const { quantizer, stored, scale, zeroPoint } = constants ?? {};
  const type = floatType(scale?.elemType);
  if (stored === undefined || scale === undefined || type === undefined || type === 'f64') return undefined;
  if ((attribute(node, 'block_size')?.i ?? 0) !== 0) return undefined;
  const [numbers, scales, zeros] = [
    await readAll(document, stored),
    await readAll(document, scale),
    zeroPoint && (await readAll(document, zeroPoint)),
  ];
  if (numbers === undefined || scales === undefined || (zeroPoint && zeros === undefined)) return undefined;
  const { dims } = stored;
  const given = attribute(node, 'axis')?.i ?? 1;
  const axis = given < 0 ? given + dims.length : given;
  const isWhole = scales.length === 1 && scale.dims.length <= 1;
  if (!isWhole && (scale.dims.length !== 1 || dims[axis] !== scales.length)) return undefined;
  const inner = elementCount(dims.slice(axis + 1));
  const isFloat = floatType(stored.elemType) !== undefined;
  if (isFloat !== (quantizer !== undefined)) return undefined;
  const written = quantizer && attribute(quantizer, 'output_dtype')?.i;
  const elemType = isFloat ? (zeroPoint?.elemType ?? (written || DataType.UINT8)) : stored.elemType;
  // Without a zero point, output_dtype may be a type of 4 bits or of 8-bit floats.
  if (!Object.hasOwn(READERS, elemType)) return undefined;
  const parameters = {
    scales: Array.from(scales),
    zeroPoints: Array.from(scales, (_, at) => zeros?.[at] ?? 0),
    channelOf: isWhole ? () => 0 : (at: number) => Math.floor(at / inner) % scales.length,
  };
  const values = isFloat ? toIntegers(numbers, { ...parameters, elemType }, parameters) : numbers;
  return { node, quantizer, stored, elemType, dims, scale, zeroPoint, values, type, ...parameters };
}

/** Returns the numbers that stored integers stand for, rounded to the type of the scales as DequantizeLinear does. */
export function dequantised({ values, scales, zeroPoints, channelOf, type }: StoredIntegers): Float64Array {
  return Float64Array.from({ length: values.length }, (_, at) => {
    const channel = channelOf(at);
    return roundTo(((values[at] ?? 0) - (zeroPoints[channel] ?? 0)) * (scales[channel] ?? 0), type);
  });
}

/** Returns whether the integers of a type lie evenly around a zero point. */
export function isSymmetric(elemType: number, zeroPoint: number): boolean {
  const [low, high] = integersOf(elemType);
  return zeroPoint === Math.floor((low + high + 1) / 2);
}
