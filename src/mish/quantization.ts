import type { onnx } from '../../proto/onnx.js';
import { attribute, type Node, nodeLabel, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { roundTo } from '../onnx/scalar.js';
import { DataType, type FloatType, floatType, typeName } from '../onnx/types.js';
import { constantTensor } from './constants.js';
import { isFilled } from './uniform.js';
import { MOVES, wordSet } from './use-moves.js';

/** A scale and a zero point for a whole tensor. */
export interface Quantization {
  readonly scale: number;
  readonly zeroPoint: number;
  /** Type of the integers. */
  readonly elemType: number;
  /** Type of the scale. */
  readonly type: FloatType;
}

/** The numbers that a quantised tensor can hold. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** Operators of layers that run on integers between quantised tensors. */
export const QUANTIZED_LAYERS = wordSet('Conv ConvTranspose Gemm MatMul Add Sum BatchNormalization');

/** Domains with the same QuantizeLinear and DequantizeLinear: ONNX, and ONNX Runtime, whose quantiser writes 16 bits so before opset 21. */
const DOMAINS: readonly string[] = ['', 'com.microsoft'];

export const isQuantizer = (node: Node | undefined): node is Node =>
  node?.opType === 'QuantizeLinear' && DOMAINS.includes(node.domain);

export const isDequantizer = (node: Node | undefined): node is Node =>
  node?.opType === 'DequantizeLinear' && DOMAINS.includes(node.domain);

/** The least and the greatest integer by element type. */
const INTEGERS: Readonly<Record<number, readonly [number, number]>> = {
  [DataType.UINT8]: [0, 255],
  [DataType.INT8]: [-128, 127],
  [DataType.UINT16]: [0, 65535],
  [DataType.INT16]: [-32768, 32767],
};

/** Returns the least and the greatest integer of a quantised type. */
export const integersOf = (elemType: number): readonly [number, number] => INTEGERS[elemType] ?? [0, 0];

export const isEightBit = (elemType: number): boolean =>
  elemType === DataType.UINT8 || elemType === DataType.INT8;

/** Maximum number of nodes that move integers before a DequantizeLinear node. */
const MAX_MOVES = 8;

/** Returns the type of a node's integers without a zero point: that of the QuantizeLinear node or the constant before it. */
function typeBefore(index: GraphIndex, scope: Scope, node: Node): number {
  let [name = ''] = node.inputs;
  if (isQuantizer(node)) [name = ''] = node.outputs;
  let from = index.producer(scope, name);
  for (let left = MAX_MOVES; from && MOVES.has(from.opType) && left > 0; left--) {
    name = from.inputs[0] ?? '';
    from = index.producer(scope, name);
  }
  const type = isQuantizer(from)
    ? (constantTensor(index, scope, from.inputs[2] ?? '')?.elemType ?? attribute(from, 'output_dtype')?.i)
    : constantTensor(index, scope, name)?.elemType;
  return type || DataType.UINT8; // 0 stands for an absent attribute
}

/**
 * Returns the quantisation of a QuantizeLinear or DequantizeLinear node; undefined if it is not constant, differs between
 * channels, or has another type. `elemType` is the type without a zero point.
 */
export function quantizationOf(
  index: GraphIndex,
  scope: Scope,
  node: Node,
  elemType = typeBefore(index, scope, node),
): Quantization | undefined {
  const [, scaleName = '', zeroName = ''] = node.inputs;
  const scale = constantTensor(index, scope, scaleName);
  const type = floatType(scale?.elemType);
  if (scale?.scalar === undefined || type === undefined || !(scale.scalar > 0)) return undefined;
  const zero = zeroName === '' ? { scalar: 0, elemType } : constantTensor(index, scope, zeroName);
  if (zero?.scalar === undefined || !Object.hasOwn(INTEGERS, zero.elemType)) return undefined;
  return { scale: scale.scalar, zeroPoint: zero.scalar, elemType: zero.elemType, type };
}

/** A constant that a DequantizeLinear node reads, as integers or behind a QuantizeLinear node. */
interface QuantizedConstant {
  /** The number of all its elements; undefined if they differ, or if that is unknown. */
  readonly number: number | undefined;
}

/** Returns the constant that a DequantizeLinear node gives; undefined for a value of another node, or of the model's inputs. */
export function quantizedConstant(
  index: GraphIndex,
  scope: Scope,
  output: string,
): QuantizedConstant | undefined {
  const node = index.producer(scope, output);
  if (!isDequantizer(node)) return undefined;
  const [stored = ''] = node.inputs;
  const from = index.producer(scope, stored);
  const name = isQuantizer(from) ? (from.inputs[0] ?? '') : stored;
  const maker = index.producer(scope, name);
  const filled = isFilled(maker) ? maker : undefined;
  const tensor = filled ? attribute(filled, 'value')?.tensor : constantTensor(index, scope, name);
  if (tensor === undefined && filled === undefined) return undefined;
  const quantization = quantizationOf(index, scope, node);
  const scalar = filled ? (tensor?.scalar ?? 0) : tensor?.scalar;
  // ONNX Runtime's quantiser gives tensors of zeros the scale 1.
  if (scalar === undefined)
    return { number: quantization?.scale === 1 && quantization.zeroPoint === 0 ? 0 : undefined };
  if (isQuantizer(from)) return { number: scalar };
  return { number: quantization && (scalar - quantization.zeroPoint) * quantization.scale };
}

/** Returns why a QuantizeLinear or DequantizeLinear node has no quantisation that `quantizationOf` returns. */
export function quantizationObstacle(index: GraphIndex, scope: Scope, node: Node): string {
  const [, scaleName = '', zeroName = ''] = node.inputs;
  const elemType = constantTensor(index, scope, zeroName)?.elemType ?? attribute(node, 'output_dtype')?.i;
  const label = nodeLabel(node);
  if (elemType && !Object.hasOwn(INTEGERS, elemType))
    return `${label} has ${typeName(elemType)}, and int8 takes integers of 8 and 16 bits`;
  const scale = constantTensor(index, scope, scaleName);
  if (scale?.dims.some((dim) => dim > 1)) return `${label} has a scale for each channel or block`;
  return `${label} has no constant scale for the whole tensor`;
}

export const isSameQuantization = (a: Quantization, b: Quantization | undefined): boolean =>
  a.scale === b?.scale && a.zeroPoint === b.zeroPoint && a.elemType === b.elemType;

export function rangeOf({ scale, zeroPoint, elemType }: Quantization): Range {
  const [low, high] = integersOf(elemType);
  return { least: (low - zeroPoint) * scale, most: (high - zeroPoint) * scale };
}

/** Returns the quantisation with this range; undefined if its scale is not a positive number of the type. */
export function quantizationFor(
  { least, most }: Range,
  { elemType, type }: Pick<Quantization, 'elemType' | 'type'>,
): Quantization | undefined {
  const [low, high] = integersOf(elemType);
  const scale = roundTo((most - least) / (high - low), type);
  if (!(scale > 0 && Number.isFinite(scale))) return undefined;
  return { scale, zeroPoint: Math.min(high, Math.max(low, Math.round(low - least / scale))), elemType, type };
}

/** Builds a tensor of integers of 8, 16 or 32 bits. */
export function integerTensor(
  values: readonly number[],
  elemType: number,
  dims: readonly number[] = [],
): onnx.ITensorProto {
  const bytes = isEightBit(elemType) ? 1 : elemType === DataType.INT32 ? 4 : 2;
  const rawData = new Uint8Array(values.length * bytes);
  const view = new DataView(rawData.buffer);
  values.forEach((value, at) => {
    if (bytes === 1) view.setUint8(at, value & 0xff);
    else if (bytes === 2) view.setUint16(2 * at, value & 0xffff, true);
    else view.setInt32(4 * at, value, true);
  });
  return { dataType: elemType, dims: [...dims], rawData };
}
