import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument, Scope } from '../onnx/document.js';
import { floatType } from '../onnx/types.js';
import { constantTensor } from './constants.js';
import { mishOnIntegers, type QlinearMish, qlinearAt, SEARCH } from './qlinear.js';
import { integersOf, isEightBit, type Quantization, rangeOf } from './quantization.js';

/** A Mish that QLinearSigmoid and QLinearMul compute on 8-bit integers. */
export interface QuantizedMish {
  readonly scope: Scope;
  /** The QLinearMul node. */
  readonly node: Node;
  readonly beta: number;
  /** Type of the integers. */
  readonly elemType: number;
  /** Largest difference from Mish over all integers within the output's range, its rounding included. */
  readonly bound: number;
}

const DOMAIN = 'com.microsoft';
/** Largest difference of x · σ(ax + b) from Mish, for β = 1 and without rounding. */
const MAX_DIFFERENCE = 0.05;
/** Number of sharpnesses that are tried. */
const TRIED = 60;

/** Finds each x · σ(ax + b) on integers that is near Mish. */
export function findQuantizedMish(
  { scopes }: Pick<OnnxDocument, 'scopes'>,
  { index }: Pick<Analysis, 'index'>,
): QuantizedMish[] {
  return scopes.flatMap((scope) =>
    scope.nodes.flatMap((node) => {
      const parts = partsOf(node, scope, index);
      return parts === undefined ? [] : identified(node, scope, parts);
    }),
  );
}

/** Returns the quantisations of a QLinearMul of a value and its sigmoid; undefined for another node. */
function partsOf(node: Node, scope: Scope, index: Analysis['index']): QlinearMish | undefined {
  if (node.opType !== 'QLinearMul' || node.domain !== DOMAIN) return undefined;
  const [first = '', xScale, xZero, second = '', gateScale, gateZero, yScale, yZero] = node.inputs;
  const before = index.producer(scope, second);
  if (before?.opType !== 'QLinearSigmoid' || before.domain !== DOMAIN || before.inputs[0] !== first)
    return undefined;
  const quantization = (scale = '', zero = ''): Quantization | undefined => {
    const found = constantTensor(index, scope, scale);
    const type = floatType(found?.elemType);
    const { scalar: zeroPoint, elemType = 0 } = constantTensor(index, scope, zero) ?? {};
    const isUsable = found?.scalar !== undefined && found.scalar > 0 && isEightBit(elemType);
    if (!isUsable || type === undefined || zeroPoint === undefined) return undefined;
    return { scale: found.scalar ?? 0, zeroPoint, elemType, type };
  };
  const x = quantization(xScale, xZero);
  const y = quantization(yScale, yZero);
  const gate = quantization(gateScale, gateZero);
  const shifted = quantization(before.inputs[1], before.inputs[2]);
  return x && y && gate && shifted && { x, y, gate, shifted };
}

function identified(node: Node, scope: Scope, parts: QlinearMish): QuantizedMish[] {
  const { x, y, shifted } = parts;
  const shift = (x.zeroPoint - shifted.zeroPoint) * shifted.scale;
  if (Math.abs(shift - SEARCH.shift) > (SEARCH.shiftsTried + 0.5) * shifted.scale) return []; // Swish has none
  const [low, high] = integersOf(x.elemType);
  const results = Float64Array.from({ length: high - low + 1 }, (_, at) => qlinearAt(low + at, parts));
  const difference = (beta: number) =>
    mishOnIntegers(x, y, beta).reduce(
      (worst, wanted, at) => Math.max(worst, Math.abs((results[at] ?? 0) - wanted)),
      0,
    );
  const [from, to] = [shifted.scale / x.scale / SEARCH.most, shifted.scale / x.scale / SEARCH.least];
  const tried = Array.from({ length: TRIED + 1 }, (_, at) => from * (to / from) ** (at / TRIED));
  const best = tried.reduce((a, b) => (difference(b) < difference(a) ? b : a));
  // The roundings hide small changes of the sharpness: the simplest number is reported.
  const limit = difference(best) + y.scale;
  const simple = [1, ...[1, 2, 3].map((digits) => Number(best.toPrecision(digits)))];
  const beta = simple.find((value) => difference(value) <= limit) ?? best;
  const bound = difference(beta);
  const rounding = y.scale + rangeOf(x).most * parts.gate.scale;
  if (!(bound <= MAX_DIFFERENCE / beta + rounding)) return [];
  return [{ scope, node, beta, elemType: x.elemType, bound: Number(bound.toPrecision(3)) }];
}
