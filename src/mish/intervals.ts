import { attribute, type Node } from '../onnx/document.js';
import { kindOf } from './activation-kinds.js';
import { elementwise, type Numbers, numbersOf } from './elementwise.js';
import { wordSet } from './use-moves.js';

// Interval arithmetic: the intervals of a node's operands give an interval that holds all its results.

/** An interval of numbers with both ends. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

const { NEGATIVE_INFINITY, POSITIVE_INFINITY } = Number;
export const ALL: Interval = { low: NEGATIVE_INFINITY, high: POSITIVE_INFINITY };
export const ZERO: Interval = { low: 0, high: 0 };
const UNIT: Interval = { low: -1, high: 1 };
export const NON_NEGATIVE: Interval = { low: 0, high: POSITIVE_INFINITY };

export const isAll = ({ low, high }: Interval) => low === NEGATIVE_INFINITY && high === POSITIVE_INFINITY;
export const isEqual = (a: Interval, b: Interval) => a.low === b.low && a.high === b.high;

/** Creates an interval; an end that is not a number becomes infinite. */
function interval(low: number, high: number): Interval {
  return {
    low: Number.isNaN(low) ? NEGATIVE_INFINITY : low,
    high: Number.isNaN(high) ? POSITIVE_INFINITY : high,
  };
}

// Not by spreading: a node may have more operands than a call may have arguments.
const least = (ends: readonly number[]) => ends.reduce((a, b) => Math.min(a, b), POSITIVE_INFINITY);
const greatest = (ends: readonly number[]) => ends.reduce((a, b) => Math.max(a, b), NEGATIVE_INFINITY);

/** Returns the smallest interval that holds all intervals. */
export function hull(intervals: readonly Interval[]): Interval {
  return interval(least(intervals.map(({ low }) => low)), greatest(intervals.map(({ high }) => high)));
}

/** Returns the common part of two intervals that hold the same values. */
export function common(a: Interval, b: Interval): Interval {
  return interval(Math.max(a.low, b.low), Math.min(a.high, b.high));
}

const negated = ({ low, high }: Interval) => interval(-high, -low);
const plus = (a: Interval, b: Interval) => interval(a.low + b.low, a.high + b.high);
/** Multiplies ends. An infinite end is a limit, so that 0 times it is 0. */
const product = (a: number, b: number) => (a === 0 || b === 0 ? 0 : a * b);
const times = (a: Interval, b: Interval) => {
  const [first, ...others] = [a.low, a.high].flatMap((end) => [product(end, b.low), product(end, b.high)]);
  return interval(Math.min(first ?? 0, ...others), Math.max(first ?? 0, ...others));
};
const absolute = (x: Interval) => {
  if (x.low >= 0) return x;
  return x.high <= 0 ? negated(x) : interval(0, Math.max(-x.low, x.high));
};

/** Returns the interval of 1 / x. A divisor of both signs gives any number. */
function inverse({ low, high }: Interval): Interval {
  if ((low < 0 && high > 0) || (low === 0 && high === 0)) return ALL;
  return high <= 0 && low < 0
    ? negated(inverse(interval(-high, -low)))
    : interval(1 / high, 1 / Math.abs(low));
}

/** Returns the interval of x to a constant power. */
function power(x: Interval, exponent: number): Interval {
  if (exponent < 0) return inverse(power(x, -exponent));
  if (exponent === 0) return interval(1, 1);
  const base = exponent % 2 === 0 ? absolute(x) : Number.isInteger(exponent) ? x : positive(x);
  return interval(base.low ** exponent, base.high ** exponent);
}

/** Returns the interval of a positive constant to the power x. */
function exponential(base: number, x: Interval): Interval {
  if (!(base > 0)) return ALL;
  return base < 1 ? interval(base ** x.high, base ** x.low) : interval(base ** x.low, base ** x.high);
}

/** Returns the part that is not negative. */
const positive = ({ low, high }: Interval) => interval(Math.max(low, 0), Math.max(high, 0));

/** Returns the interval of a sum of one or more elements. */
const sum = ({ low, high }: Interval) =>
  interval(low < 0 ? NEGATIVE_INFINITY : low, high > 0 ? POSITIVE_INFINITY : high);

/** Returns the interval of an activation that is at most `depth` below zero, and between 0 and x where x is positive. */
export function activationInterval({ low, high }: Interval, depth: number): Interval {
  return interval(low >= 0 ? 0 : -depth, Math.max(high, 0));
}

/** Rounds to the nearest integer, and halves to the even one. */
export const roundToEven = (x: number) =>
  x % 1 === 0.5 || x % 1 === -0.5 ? 2 * Math.round(x / 2) : Math.round(x);

/** Increasing operators of one operand that are not in `elementwise`. */
const INCREASING: Readonly<Record<string, (x: number) => number>> = {
  Acosh: Math.acosh,
  Asin: Math.asin,
  Asinh: Math.asinh,
  Atan: Math.atan,
  Atanh: Math.atanh,
  Ceil: Math.ceil,
  Floor: Math.floor,
  Round: roundToEven,
  Sinh: Math.sinh,
};
/** Increasing operators of one operand that are in `elementwise`, if their attributes are not negative. */
const ELEMENTWISE =
  'Celu Elu Erf Exp HardSigmoid LeakyRelu Log Relu Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu';
const NUMBERS = ['alpha', 'gamma'];

function increasing(x: Interval, node: Node, call: Node | undefined): Interval {
  const own = Object.hasOwn(INCREASING, node.opType) ? INCREASING[node.opType] : undefined;
  if (own !== undefined) return interval(own(x.low), own(x.high));
  const number = numbersOf(node, call);
  const op = elementwise(node);
  if (op === undefined || NUMBERS.some((name) => number(name, 1) < 0)) return ALL;
  const at = (value: number) => op(value, Number.NaN, Number.NaN, number, node);
  // At infinity some formulas give ∞ · 0; the limits are those of a large number.
  const end = (value: number) => (Number.isNaN(at(value)) ? at(Math.sign(value) * 1e30) : at(value));
  return interval(end(x.low), end(x.high));
}

type Rule = (operands: readonly Interval[], node: Node, call: Node | undefined) => Interval;
type Unary = (x: Interval, node: Node, call: Node | undefined) => Interval;
const unary =
  (rule: Unary): Rule =>
  ([x = ALL], node, call) =>
    rule(x, node, call);
const binary =
  (rule: (a: Interval, b: Interval, areSame: boolean) => Interval): Rule =>
  ([a = ALL, b = ALL], { inputs }) =>
    rule(a, b, inputs[0] === inputs[1]);
const each = (names: string, rule: Rule) =>
  Object.fromEntries([...wordSet(names)].map((name) => [name, rule]));

const keep: Unary = (x) => x;
/** Returns the interval with 0, which padding and empty sums add. */
const withZero: Unary = (x) => hull([x, ZERO]);
/** Returns the interval with 0 of an operator that interpolates linearly, or takes elements; cubic weights are negative, too. */
const interpolated: Unary = (x, node, call) =>
  attribute(node, 'mode')?.s?.includes('cubic') ? ALL : withZero(x, node, call);

const QUARTER = Math.PI / 2;
const isQuarter = ({ low, high }: Interval) => low > -QUARTER && high < QUARTER;
const sine = (x: Interval): Interval => {
  if (isQuarter(x)) return interval(Math.sin(x.low), Math.sin(x.high));
  return x.low >= 0 && x.high <= Math.PI ? interval(0, 1) : UNIT;
};

/** Returns the interval of Shrink: 0 within ±lambd, and closer to 0 by the bias outside. */
function shrunk(x: Interval, node: Node, call: Node | undefined): Interval {
  const number = numbersOf(node, call);
  const [end, bias] = [number('lambd', 0.5), number('bias', 0)];
  if (!(end >= 0) || Number.isNaN(bias)) return ALL;
  const parts: Interval[] = [];
  if (x.low < -end) parts.push(interval(x.low + bias, Math.min(x.high, -end) + bias));
  if (x.high > end) parts.push(interval(Math.max(x.low, end) - bias, x.high - bias));
  if (x.low <= end && x.high >= -end) parts.push(ZERO);
  return hull(parts);
}

/** Returns the interval of a local response normalisation, whose divisor is at least 1 with these attributes. */
function responses(x: Interval, node: Node, call: Node | undefined): Interval {
  const number = numbersOf(node, call);
  const isDivided = number('bias', 1) >= 1 && number('alpha', 1e-4) >= 0 && number('beta', 0.75) >= 0;
  return isDivided ? withZero(x, node, call) : ALL;
}

/** Returns the interval of a batch normalisation with these statistics, over all channels. */
const normalised: Rule = ([x = ALL, scale = ALL, shift = ALL, mean = ALL, variance = ALL], node, call) => {
  const epsilon = numbersOf(node, call)('epsilon', 1e-5);
  if (node.outputs.length > 1 || attribute(node, 'training_mode')?.i || !(variance.low + epsilon > 0))
    return ALL;
  const deviation = power(plus(variance, interval(epsilon, epsilon)), 0.5);
  return plus(times(times(plus(x, negated(mean)), inverse(deviation)), scale), shift);
};

/** Attributes with which an operator reads values outside its operand. */
const READS_OUTSIDE = ['count_include_pad', 'extrapolation_value'];

const pow = ([x = ALL, e = ALL]: readonly Interval[]): Interval => {
  if (e.low === e.high) return power(x, e.low);
  if (x.low === x.high) return exponential(x.low, e);
  return x.low >= 0 ? NON_NEGATIVE : ALL;
};
/** Returns the interval of a Clip, whose bounds are attributes or operands. */
const clip = ([x = ALL, least, most]: readonly (Interval | undefined)[], number: Numbers): Interval => {
  const bound = (name: string, otherwise: number) =>
    interval(number(name, otherwise), number(name, otherwise));
  const [from, to] = [least ?? bound('min', NEGATIVE_INFINITY), most ?? bound('max', POSITIVE_INFINITY)];
  const end = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
  return interval(end(x.low, from.low, to.low), end(x.high, from.high, to.high));
};

/** Rules of operators whose result may have an interval even where their operands have none. */
const BOUNDED: Readonly<Record<string, Rule>> = {
  ...each(ELEMENTWISE, unary(increasing)),
  ...each('Acosh Asin Atan Atanh', unary(increasing)),
  ...each(
    'Gelu HardSwish Mish Swish',
    unary((x, node) => activationInterval(x, kindOf(node)?.depth ?? POSITIVE_INFINITY)),
  ),
  Cos: () => UNIT,
  Sin: unary(sine),
  Abs: unary(absolute),
  Clip: () => ALL, // `intervalOf` has its rule, which takes absent operands
  Max: (all) => interval(greatest(all.map(({ low }) => low)), greatest(all.map(({ high }) => high))),
  Min: (all) => interval(least(all.map(({ low }) => low)), least(all.map(({ high }) => high))),
  Mul: binary((a, b, areSame) => (areSame ? power(a, 2) : times(a, b))),
  Pow: pow,
  ...each(
    'ReduceL1 ReduceL2',
    unary((x) => sum(absolute(x))),
  ),
  ReduceSumSquare: unary((x) => sum(power(x, 2))),
  ...each('GlobalLpPool LpPool', () => NON_NEGATIVE),
  ...each('Hardmax Softmax', () => interval(0, 1)),
  // The result has norm 1, or is 0.
  LpNormalization: unary(({ low }) => (low >= 0 ? interval(0, 1) : UNIT)),
};

/** Rules of operators whose result has an interval only where an operand has one. */
const OTHERS: Readonly<Record<string, Rule>> = {
  ...each('Asinh Ceil Floor Round Sinh', unary(increasing)),
  ...each('GlobalAveragePool ReduceMean', unary(keep)),
  ...each(
    'AveragePool Resize Upsample',
    unary((x, node, call) => {
      if (attribute(node, 'mode')?.s === 'cubic') return ALL;
      const readsOutside = READS_OUTSIDE.some((name) => attribute(node, name) !== undefined);
      return readsOutside ? withZero(x, node, call) : x;
    }),
  ),
  ReduceSum: unary(sum),
  CumSum: unary((x, node, call) => sum(withZero(x, node, call))),
  ReduceLogSum: unary((x) => interval(Math.log(Math.max(x.low, 0)), POSITIVE_INFINITY)),
  // At least as large as the largest element.
  ReduceLogSumExp: unary(({ low }) => interval(low, POSITIVE_INFINITY)),
  ReduceProd: unary((x) => (x.low < 0 ? ALL : interval(x.low < 1 ? 0 : x.low, POSITIVE_INFINITY))),
  Neg: unary(negated),
  Reciprocal: unary(inverse),
  Acos: unary((x) => interval(Math.acos(x.high), Math.acos(x.low))),
  Add: binary(plus),
  Sub: binary((a, b, areSame) => (areSame ? ZERO : plus(a, negated(b)))),
  Div: binary((a, b) => times(a, inverse(b))),
  Sum: (all) => all.reduce(plus),
  Mean: (all) => times(all.reduce(plus), interval(1 / all.length, 1 / all.length)),
  ...each('GridSample MaxRoiPool MaxUnpool RoiAlign', unary(interpolated)),
  CenterCropPad: unary(withZero),
  Col2Im: unary((x, node, call) => sum(withZero(x, node, call))),
  Tan: unary((x) => (isQuarter(x) ? interval(Math.tan(x.low), Math.tan(x.high)) : ALL)),
  Shrink: unary(shrunk),
  LRN: unary(responses),
  BatchNormalization: normalised,
  RMSNormalization: ([x = ALL, scale = ALL]) => (x.low >= 0 && scale.low >= 0 ? NON_NEGATIVE : ALL),
  // Means of the values, with weights; without a key that counts, 0.
  Attention: ([, , values = ALL, , , past], node, call) =>
    withZero(past === undefined ? values : hull([values, past]), node, call),
  // The remainder of floats has the sign of the dividend.
  Mod: ([x = ALL], node, call) => (attribute(node, 'fmod')?.i ? withZero(x, node, call) : ALL),
  PRelu: ([x = ALL]) => (x.low >= 0 ? x : ALL),
  MatMul: (all) => (all.every(({ low }) => low >= 0) ? NON_NEGATIVE : ALL),
  Einsum: (all) => (all.every(({ low }) => low >= 0) ? NON_NEGATIVE : ALL),
};

const ML = 'ai.onnx.ml';
/** Rules of operators of ONNX's domain for classical models. What an Imputer puts in place of missing values does not change. */
const CLASSICAL: Readonly<Record<string, Rule>> = {
  ...each('ArrayFeatureExtractor Imputer', unary(keep)),
  FeatureVectorizer: hull,
  Binarizer: () => interval(0, 1),
  // Divided by their largest number, their sum or their norm, values keep their signs where all are not negative.
  Normalizer: unary(({ low }) => (low >= 0 ? interval(0, 1) : ALL)),
};

/** Returns whether a node's result can have an interval although none of its operands has one. */
export const isBounded = ({ domain, opType }: Node) => domain === '' && Object.hasOwn(BOUNDED, opType);

function ruleOf({ domain, opType }: Node): Rule | undefined {
  const table = domain === ML ? CLASSICAL : Object.hasOwn(BOUNDED, opType) ? BOUNDED : OTHERS;
  return (domain === '' || domain === ML) && Object.hasOwn(table, opType) ? table[opType] : undefined;
}

/** Returns whether the interval of a node's result is computed from the intervals of its operands. */
export const hasRule = (node: Node) => ruleOf(node) !== undefined;

/** Returns an interval that holds all results of a node. `call` gives attributes of a function. */
export function intervalOf(node: Node, operands: readonly (Interval | undefined)[], call?: Node): Interval {
  const rule = operands.length === 0 ? undefined : ruleOf(node);
  if (rule === undefined) return ALL;
  if (node.opType === 'Clip') return clip(operands, numbersOf(node, call));
  return rule(
    operands.map((operand) => operand ?? ALL),
    node,
    call,
  );
}
