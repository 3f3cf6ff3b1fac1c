import { attribute, type Node } from '../onnx/document.js';
import type { FloatType } from '../onnx/types.js';
import { common, type Interval, isEqual } from './intervals.js';

// The operands that an operator takes: with any other its result is not a number, or infinite.

const { NEGATIVE_INFINITY, POSITIVE_INFINITY } = Number;

/** Logarithms of the largest numbers of the float types. */
const MAX_EXPONENTS: Readonly<Record<FloatType, number>> = { f16: 11.08, bf16: 88.7, f32: 88.72, f64: 709.7 };

/** The input slot of the variance of a batch normalisation. */
const VARIANCE = 4;

interface Domain {
  readonly low: number;
  readonly high: number;
  /** Whether the result is infinite at the ends. */
  readonly isOpen?: boolean;
  /** Description of an operand that the operator does not take, such as “negative”. */
  readonly outside: string;
}

const FROM_ZERO: Domain = { low: 0, high: POSITIVE_INFINITY, outside: 'negative' };
const ABOVE_ZERO: Domain = { ...FROM_ZERO, isOpen: true, outside: 'negative or zero' };
const BELOW_ZERO: Domain = { low: NEGATIVE_INFINITY, high: 0, isOpen: true, outside: 'positive or zero' };
const UNIT: Domain = { low: -1, high: 1, outside: 'outside -1 to 1' };
/** Returns the variances that a batch normalisation takes the root of; undefined where it computes its own. */
function domainOfVariance(node: Node): Domain | undefined {
  if (node.outputs.length > 1 || attribute(node, 'training_mode')?.i) return undefined;
  return { ...FROM_ZERO, low: -(attribute(node, 'epsilon')?.f ?? 1e-5), isOpen: true };
}
const DOMAINS: Readonly<Record<string, Domain>> = {
  Sqrt: FROM_ZERO,
  Log: ABOVE_ZERO,
  ReduceLogSum: ABOVE_ZERO,
  Acosh: { low: 1, high: POSITIVE_INFINITY, outside: 'less than 1' },
  Asin: UNIT,
  Acos: UNIT,
  Atanh: { ...UNIT, isOpen: true },
};

/** Returns whether all values of `was` are in the domain, and some values of `is` are not. */
function leaves(was: Interval, is: Interval, { low, high, isOpen = false }: Domain): boolean {
  if (was.low < low || was.high > high) return false;
  if (is.low < low || is.high > high) return true;
  return isOpen && ((is.low === low && was.low > low) || (is.high === high && was.high < high));
}

/** Returns the domain of a power's base for a constant exponent. */
function domainOfBase(exponent: number): readonly Domain[] {
  if (Number.isInteger(exponent)) return exponent < 0 ? [ABOVE_ZERO, BELOW_ZERO] : [];
  return exponent < 0 ? [ABOVE_ZERO] : [FROM_ZERO];
}

/** Returns the domains of an operand: its values have to lie in one of them. Empty if the operator takes any value. */
function domainsOf(
  node: Node,
  slot: number,
  operands: readonly Interval[],
  type: FloatType,
): readonly Domain[] {
  const { opType } = node;
  const most = MAX_EXPONENTS[type];
  if (opType === 'Exp') return [{ low: NEGATIVE_INFINITY, high: most, outside: 'too large' }];
  if (opType === 'Reciprocal' || ((opType === 'Div' || opType === 'Mod') && slot === 1))
    return [ABOVE_ZERO, BELOW_ZERO];
  if (opType === 'Pow') {
    const [base, exponent] = operands;
    if (base === undefined || exponent === undefined) return [];
    if (slot === 0) return isConstant(exponent) ? domainOfBase(exponent.low) : [FROM_ZERO];
    if (!isConstant(base) || base.low <= 0 || base.low === 1) return [];
    const end = most / Math.log(base.low);
    return base.low > 1
      ? [{ low: NEGATIVE_INFINITY, high: end, outside: 'too large' }]
      : [{ low: end, high: POSITIVE_INFINITY, outside: 'too small' }];
  }
  if (opType === 'BatchNormalization' && slot === VARIANCE) {
    const domain = domainOfVariance(node);
    return domain ? [domain] : [];
  }
  const domain = Object.hasOwn(DOMAINS, opType) ? DOMAINS[opType] : undefined;
  return domain && slot === 0 ? [domain] : [];
}

const isConstant = ({ low, high }: Interval) => low === high;

/**
 * Says what the operand at a slot may be that it was not: `was` has the ranges of a node's operands in the original, and `is`
 * those after a swap. Undefined where the node takes all of them, or took not even those of the original.
 */
export function leavesDomain(
  node: Node,
  slot: number,
  was: readonly Interval[],
  is: readonly Interval[],
  type: FloatType,
): string | undefined {
  const [before, after] = [was[slot], is[slot]];
  if (before === undefined || after === undefined || isEqual(before, after)) return undefined;
  // Only what the swap adds can be its fault.
  if (isEqual(common(before, after), after)) return undefined;
  return domainsOf(node, slot, is, type).find((domain) => leaves(before, after, domain))?.outside;
}
