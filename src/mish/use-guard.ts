import type { Node, Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { ConstantRanges } from './constant-ranges.js';
import { hasRule, type Interval, intervalOf } from './intervals.js';
import { boundsOfClip, isEven, type Operands } from './operands.js';
import { movesValues, wordSet } from './use-moves.js';
import type { InputUse, Question } from './value-flow.js';

// ReLU gives no negative values; Mish gives values down to -0.309. The state of a value is how far below zero it may be after
// the swap. Functions that accept any operand end the search: an even power, |x|, exp, a layer.

/** Operators that do not move a minimum further below zero. */
const MEANS = wordSet('AveragePool GlobalAveragePool ReduceMean LeakyRelu Resize Upsample');
const SUMS = wordSet('ReduceSum CumSum');

const root = (of: string, least = 'negative') => `it keeps the operand of ${of} from being ${least}`;
const DIVISOR = 'it keeps a divisor from being zero or negative';

/**
 * Asks whether a result guards the domain of a root, a logarithm, a power or a division, if its new values are up to `depth`
 * below zero. A `lenient` question also follows values that may have any sign, and finds doubts. `constants` has the ranges of
 * constants of several elements. Not split because the rules share its arguments.
 */
export function guardQuestion(
  index: GraphIndex,
  operands: Operands,
  depth: number,
  lenient = false,
  constants?: ConstantRanges,
): Question {
  const lost = lenient ? Number.POSITIVE_INFINITY : undefined;

  function rangeOf(scope: Scope, name: string): Interval | undefined {
    const value = operands.constant(scope, name)?.value;
    return value === undefined ? constants?.(scope, name) : { low: value, high: value };
  }

  function power({ node, slot, scope }: InputUse, depth: number): string | number | undefined {
    if (slot !== 0) return undefined;
    const name = node.inputs[1] ?? '';
    const { low: value, high } = rangeOf(scope, name) ?? {};
    // A single exponent in external data may be 2.
    if (value === undefined)
      return operands.constant(scope, name)?.single && !lenient ? undefined : root('Pow');
    if (value !== high) return root('Pow');
    if (!Number.isInteger(value)) return root('Pow');
    if (value < 0) return DIVISOR;
    return value === 0 || isEven(value) ? undefined : depth ** value;
  }

  /** Acosh is the only operator whose domain starts above zero, at 1; models add a constant before it. */
  const feedsAcosh = (node: Node, scope: Scope): boolean =>
    index
      .uses(scope, node.outputs[0] ?? '')
      .some((use) => use.kind === 'input' && use.node.domain === '' && use.node.opType === 'Acosh');

  /** Follows a value through an operator with two operands. */
  function joint({ node, slot, scope }: InputUse, depth: number): string | number | undefined {
    const { opType, inputs } = node;
    const other = inputs[1 - slot] ?? '';
    if (inputs[0] === other && inputs[1] === other) return opType === 'Add' ? 2 * depth : undefined;
    const range = rangeOf(scope, other);
    const isSingle = range === undefined && operands.constant(scope, other)?.single;
    switch (opType) {
      case 'Add':
      case 'Sub': {
        if (opType === 'Sub' && slot === 1) return lost;
        if (range === undefined) {
          if (isSingle) return depth;
          return opType === 'Add' && operands.isNonNegative(scope, other) ? 2 * depth : lost;
        }
        const shift = opType === 'Add' ? range.low : -range.high;
        if (shift >= 1 && shift < 1 + depth && feedsAcosh(node, scope)) return root('Acosh', 'less than 1');
        return shift >= 0 ? deeper(depth - shift) : lost;
      }
      default: {
        if (opType === 'Div' && slot === 1) return DIVISOR;
        if (range === undefined) {
          if (isSingle) return depth;
          return operands.isNonNegative(scope, other) ? Number.POSITIVE_INFINITY : lost;
        }
        if (range.low < 0 || (range.low === 0 && (opType === 'Div' || range.high === 0))) return lost;
        return opType === 'Mul' ? depth * range.high : depth / range.low;
      }
    }
  }

  /** Follows a value through an operator with several operands. */
  function several({ node, slot, scope }: InputUse, depth: number): number | undefined {
    const others = node.inputs.filter((_, at) => at !== slot);
    const isMin = node.opType === 'Min';
    if (others.length > MAX_OPERANDS) return lost;
    let result = depth;
    for (const other of others) {
      const low = rangeOf(scope, other)?.low ?? Number.NEGATIVE_INFINITY;
      if (node.opType === 'Max') result = Math.min(result, -low);
      else if (low < 0 && !operands.isNonNegative(scope, other)) return lost;
      else if (!isMin) result += depth;
    }
    return deeper(result);
  }

  return {
    start: depth,
    at(use, depth) {
      const { node, slot, scope } = use;
      const { opType } = node;
      if (node.domain !== '') return undefined;
      if (movesValues(use)) return depth;
      if (slot === 0 && MEANS.has(opType)) return depth;
      if (slot === 0 && SUMS.has(opType)) return Number.POSITIVE_INFINITY;
      switch (opType) {
        case 'Sqrt':
        case 'Log':
        case 'ReduceLogSum':
          return root(opType);
        case 'Reciprocal':
          return DIVISOR;
        case 'Pow':
          return power(use, depth);
        case 'Add':
        case 'Sub':
        case 'Mul':
        case 'Div':
          return joint(use, depth);
        case 'Max':
        case 'Min':
        case 'Sum':
        case 'Mean':
          return several(use, depth);
        case 'Clip': {
          const { least } = boundsOfClip(node, scope, operands);
          return slot !== 0 ? undefined : deeper(Math.min(depth, -(least ?? Number.NEGATIVE_INFINITY)));
        }
        case 'Floor':
          return Math.ceil(depth);
        case 'MatMul':
        case 'Einsum': {
          const other = node.inputs[1 - slot] ?? '';
          if (node.inputs.length !== 2 || operands.constant(scope, other) !== undefined) return undefined;
          return operands.isNonNegative(scope, other) ? Number.POSITIVE_INFINITY : lost;
        }
        case 'Neg':
          return lost;
        default:
          return slot === 0 && hasRule(node) ? alone(node, depth) : undefined;
      }
    },
  };
}

/** Follows a value through an operator of which only this operand counts, if it gives nothing negative for what is not negative. */
function alone(node: Node, depth: number): number | undefined {
  const lowOf = (low: number) => intervalOf(node, [{ low, high: Number.POSITIVE_INFINITY }]).low;
  return lowOf(0) < 0 ? undefined : deeper(-lowOf(-depth));
}

const MAX_OPERANDS = 8;

/** Returns a depth if the value can still be below zero. NaN stands for an unknown bound. */
function deeper(depth: number): number | undefined {
  return depth > 0 ? depth : undefined;
}
