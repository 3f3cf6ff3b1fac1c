import { attribute, type Node, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { constantTensor } from './constants.js';
import {
  isDequantizer,
  QUANTIZED_LAYERS,
  quantizationOf,
  quantizedConstant,
  type Range,
  rangeOf,
} from './quantization.js';
import { MOVES, wordSet } from './use-moves.js';

/** Operators whose results are never negative. */
const POSITIVE = wordSet(
  `Relu Sigmoid HardSigmoid Softmax Softplus Exp Abs Sqrt ReduceL1 ReduceL2 ReduceSumSquare`,
);
/** Operators whose results are positive and negative. */
export const SIGNED: ReadonlySet<string> = new Set(
  [...QUANTIZED_LAYERS]
    .filter((name) => name !== 'Add' && name !== 'Sum')
    .concat('LayerNormalization InstanceNormalization GroupNormalization Sub'.split(' ')),
);
/** Operators whose results have the sign of their operands. */
const IF_ALL = wordSet('Add Sum Mul Div Concat Min Mean');
/** Operators whose results have the sign of their first operand. */
const IF_FIRST = new Set([
  ...MOVES,
  ...wordSet('AveragePool GlobalAveragePool ReduceMean ReduceMax ReduceMin ReduceSum Upsample Cast'),
]);
/** Operators with results from 0 to 1. */
const SHARES = wordSet('Sigmoid HardSigmoid Softmax');
/** Maximum number of values that one question examines. */
const MAX_VALUES = 256;

/** Returns the numbers that a value can hold by its scale, its operator or its constant; undefined if unknown. */
export function heldRange(index: GraphIndex, scope: Scope, name: string): Range | undefined {
  const node = index.producer(scope, name);
  if (node?.domain === '' && SHARES.has(node.opType)) return { least: 0, most: 1 };
  if (isDequantizer(node)) {
    const quantization = quantizationOf(index, scope, node);
    return quantization && rangeOf(quantization);
  }
  const scalar = constantTensor(index, scope, name)?.scalar;
  return scalar === undefined ? undefined : { least: scalar, most: scalar };
}

/**
 * Returns whether a value is never negative by its scale, its operator and its constants: false if it can be negative, undefined
 * if they do not tell.
 */
export function isNonNegative(index: GraphIndex, scope: Scope, name: string): boolean | undefined {
  let left = MAX_VALUES;

  /** Returns a quantised constant. Its range tells nothing: weights have a symmetric one whatever their sign. */
  const constantOf = (value: string) => quantizedConstant(index, scope, value);

  function signOf(value: string): boolean | undefined {
    if (--left < 0) return undefined;
    const stored = constantOf(value);
    if (stored !== undefined) return stored.number === undefined ? undefined : stored.number >= 0;
    const range = heldRange(index, scope, value);
    if (range !== undefined) return range.least >= 0;
    const node = index.producer(scope, value);
    // Further outputs are statistics, masks and states.
    if (node?.domain !== '' || (node.outputs[0] !== value && node.opType !== 'Split')) return undefined;
    return byOperator(node);
  }

  function signOfPad({ inputs, attributes }: Node): boolean | undefined {
    const sign = signOf(inputs[0] ?? '');
    const added = inputs[2]
      ? signOf(inputs[2])
      : (attributes.find(({ name }) => name === 'value')?.f ?? 0) >= 0;
    return sign === true && added !== true ? undefined : sign;
  }

  function byOperator(node: Node): boolean | undefined {
    const { opType, inputs } = node;
    const [first = '', second] = inputs;
    if (POSITIVE.has(opType) || (opType === 'Mul' && first === second)) return true;
    if (SIGNED.has(opType)) return false;
    if (IF_FIRST.has(opType)) return signOf(first);
    if (opType === 'Pad') return signOfPad(node);
    if (opType === 'Resize') return attribute(node, 'mode')?.s === 'cubic' ? undefined : signOf(first);
    if (!IF_ALL.has(opType) && opType !== 'Max') return undefined;
    const signs = inputs.map(signOf);
    if (opType === 'Max') return signs.includes(true) || (signs.includes(undefined) ? undefined : false);
    if (signs.every((sign) => sign === true)) return true;
    // A summand of unknown sign is mostly a bias, which can be negative; a constant factor is a normalisation's.
    const isMostlySigned =
      opType === 'Add' || opType === 'Sum' || (opType === 'Mul' && inputs.some((name) => constantOf(name)));
    return signs.includes(false) || isMostlySigned ? false : undefined;
  }

  return signOf(name);
}
