import { approximations } from './approximations.js';
import { gelu, hardSwish, SELU, tanhGelu } from './elementwise.js';
import { type FormName, MAX_SLOPE } from './forms.js';
import { MAX_CLAMP_BOUND } from './operands.js';
import { leakyRelu, mixture, sigmoid, softplus } from './reference.js';

export type ActivationName = Curve | Bend;
type Curve = 'mish' | 'swish' | 'softplus' | 'gelu' | 'tanh-gelu' | 'hardswish' | 'selu' | 'elu';
type Bend =
  | 'relu'
  | 'relu6'
  | 'leakyrelu'
  | 'prelu'
  | 'abs'
  | 'max'
  | 'min'
  | 'clamp'
  | 'hardsigmoid'
  | 'dynamic-prelu'
  | 'softshrink'
  | 'tent'
  | 'cross-entropy';

/** Name and parameters of an identified function. */
export interface Identity {
  readonly name: ActivationName;
  /** Sharpness of Mish, Swish or softplus. */
  readonly beta?: number | undefined;
  /** The approximate form of Mish; absent for the exact function. */
  readonly form?: FormName | undefined;
  /** Slope below 0, α of ELU, or the slope of a mixture with Mish. */
  readonly alpha?: number | undefined;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** The largest difference from the exact function: absolute up to 1, relative beyond. */
  readonly difference: number;
}

/** Evaluates the function at points. */
export type Evaluate = (points: readonly number[]) => readonly number[];

const EPSILON = 1e-4;
/** Points for estimating parameters. A function that fits no family at these points is rejected early. */
const PROBES = [-60, -3.3, -1, -EPSILON, 0, EPSILON, 0.5, 1, 2.7, 60];

/** Points of the final comparison: from -60 to 60, dense from -8 to 8, densest around 0. */
const POINTS = ((): readonly number[] => {
  const points = [19.999, 20.001, 60];
  for (let step = 0; step <= 256; step++) points.push((step + 0.37) / 32);
  for (let step = 1; step <= 12; step++) points.push(2 ** -step);
  for (let x = 8.25; x < 60; x *= 1.06) points.push(x);
  return [0, ...points, ...points.map((x) => -x)];
})();

/** Points where functions without bounds are compared as well: a bound below them, on x or on the result, is part of the function. */
const FAR = [-MAX_CLAMP_BOUND, MAX_CLAMP_BOUND];

type Candidate = Omit<Identity, 'difference' | 'name'> & {
  readonly name?: ActivationName;
  readonly f: (x: number) => number;
};
/** Yields the members of a family that fit the function's values at the probes. */
type Family = (at: (x: number) => number, choices: Choices, tolerance: number) => Iterable<Candidate>;
/** Lists the candidates for a parameter: exact values near its estimate, then the estimate. */
type Choices = (estimate: number, ...simple: number[]) => readonly number[];

const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** The soft shrinkage function: moves x towards 0 by the threshold. */
const softShrink = (x: number, threshold: number) => Math.sign(x) * Math.max(Math.abs(x) - threshold, 0);

/** Returns the number with the fewest digits within a relative tolerance; six digits if there is none. */
function simplest(value: number, tolerance: number): number {
  for (let digits = 1; digits < 6; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.abs(rounded - value) <= tolerance * Math.abs(value)) return rounded;
  }
  return Number(value.toPrecision(6));
}

/** With a smaller sharpness a curve cannot be told from a line. */
const LEAST_SHARPNESS = 1e-3;

const FAMILIES: Readonly<Partial<Record<ActivationName, Family>>> = {
  *mish(at, choices, tolerance) {
    // x · (α + (1 - α) · g(βx)), where g(0) = 0.6 and g = tanh(softplus)
    const gate = (x: number) => at(x) / x;
    for (const alpha of choices((gate(EPSILON) + gate(-EPSILON) - 1.2) / 0.8, 0)) {
      if (alpha === 1 || Math.abs(alpha) > MAX_SLOPE) continue;
      const sharp = -Math.log(Math.expm1(Math.atanh((gate(-1) - alpha) / (1 - alpha))));
      for (const beta of choices(sharp, 1))
        if (beta > LEAST_SHARPNESS)
          yield { beta, alpha: alpha || undefined, f: (x) => mixture(x, beta, alpha) };
    }
    // x · (α + (1 - α) · g(βx)) with the gate g of an approximate form
    for (const { form, middle, slope, f } of approximations()) {
      for (const alpha of choices(((gate(EPSILON) + gate(-EPSILON)) / 2 - middle) / (1 - middle), 0)) {
        if (alpha === 1 || Math.abs(alpha) > MAX_SLOPE) continue;
        const sharp = (gate(EPSILON) - gate(-EPSILON)) / (2 * EPSILON * (1 - alpha) * slope);
        for (const beta of choices(sharp, 1, simplest(sharp, tolerance)))
          if (beta > LEAST_SHARPNESS)
            yield {
              form,
              beta,
              alpha: alpha || undefined,
              f: (x) => alpha * x + ((1 - alpha) * f(beta * x)) / beta,
            };
      }
    }
  },
  *swish(at, choices) {
    for (const beta of choices(Math.log(-1 / at(-1) - 1), 1))
      if (beta > LEAST_SHARPNESS) yield { beta, f: (x) => x * sigmoid(beta * x) };
  },
  *softplus(at, choices) {
    for (const beta of choices(Math.LN2 / at(0), 1)) yield { beta, f: (x) => softplus(beta * x) / beta };
  },
  gelu: () => [{ f: gelu }],
  'tanh-gelu': () => [{ f: tanhGelu }],
  hardswish: () => [{ f: hardSwish }],
  selu: () => [{ f: (x) => SELU.gamma * (x > 0 ? x : SELU.alpha * Math.expm1(x)) }],
  *elu(at, choices) {
    for (const alpha of choices(-at(-60), 1))
      if (Math.abs(alpha) > 0.01) yield { alpha, f: (x) => (x > 0 ? x : alpha * Math.expm1(x)) };
  },
  *leakyrelu(at, choices) {
    for (const alpha of choices(-at(-1), 0, -1)) {
      const name = alpha === 0 ? 'relu' : alpha === -1 ? 'abs' : 'leakyrelu';
      if (Math.abs(alpha - 1) > 1e-3) yield { name, alpha, f: (x) => leakyRelu(x, alpha) };
    }
  },
  *clamp(at, choices) {
    for (const low of choices(at(-60)))
      for (const high of choices(at(60), 6)) {
        if ((low < -59 && high > 59) || high - low < 0.01) continue;
        const name = low === 0 && high === 6 ? 'relu6' : high > 59 ? 'max' : low < -59 ? 'min' : 'clamp';
        yield { name, low, high, f: (x) => clamp(x, low, high) };
      }
  },
  *softshrink(at) {
    const threshold = 60 - at(60); // a larger threshold would leave 0 everywhere
    if (threshold > 0.01 && threshold < 59) yield { f: (x) => softShrink(x, threshold) };
  },
  *tent(at) {
    const top = at(0);
    const slope = (top - at(EPSILON)) / EPSILON;
    if (top > 0.01 && slope > 0.01) yield { f: (x) => Math.max(0, top - slope * Math.abs(x)) };
  },
  *hardsigmoid(at) {
    const slope = (at(EPSILON) - at(-EPSILON)) / (2 * EPSILON);
    const middle = at(0);
    if (slope > 0.01) yield { f: (x) => clamp(slope * x + middle, 0, 1) };
  },
};

/** The families whose members are bounded, or known by their bounds. */
const BOUNDED: ReadonlySet<string> = new Set(['clamp', 'softshrink', 'tent', 'hardsigmoid']);
/** The families with members other than 0 at 0. Most functions of a model belong to none of the others. */
const OFFSET: ReadonlySet<string> = new Set([...BOUNDED, 'softplus']);

/**
 * Identifies the activation that a function of one variable computes. Values agree within `tolerance`: absolute up to 1,
 * relative beyond. A parameter near one of `constants`, or near a number derived from it, is rounded to that number.
 */
export function identify(
  evaluate: Evaluate,
  constants: readonly number[],
  tolerance: number,
): Identity | undefined {
  const probed = evaluate(PROBES);
  if (!probed.every(Number.isFinite)) return undefined;
  const at = (x: number) => probed[PROBES.indexOf(x)] ?? Number.NaN;
  const direct = [...constants, ...constants.map((c) => c / 2)];
  const derived = constants.flatMap((c) => [1 / c, 1 - c, -c]);
  /** Source of a parameter: 0 a constant of the model, 1 derived from a constant, 2 an estimate. */
  const ranks = new Map<number, number>();
  const choices: Choices = (estimate, ...simple) => {
    const reach = Math.max(5e-3, 0.01 * Math.abs(estimate));
    const chosen: number[] = [];
    const add = (value: number, rank: number) => {
      if (value !== estimate && !(Math.abs(value - estimate) <= reach)) return;
      if (rank < (ranks.get(value) ?? Infinity)) ranks.set(value, rank);
      if (!chosen.includes(value)) chosen.push(value);
    };
    for (const value of simple) add(value, 0);
    for (const value of direct) add(value, 0);
    for (const value of derived) add(value, 1);
    add(estimate, 2);
    return chosen;
  };
  const of = (f: (x: number) => number, points: readonly number[]) => (index: number) =>
    f(points[index] ?? 0);
  let values: readonly number[] | undefined;
  let far: readonly number[] | undefined;
  let best: Identity | undefined;
  for (const [family, members] of Object.entries(FAMILIES)) {
    if (Math.abs(at(0)) > tolerance && !OFFSET.has(family)) continue;
    let nearest: (Identity & { readonly rank: number }) | undefined;
    for (const { f, name = family as ActivationName, ...parameters } of members(at, choices, tolerance)) {
      if (differenceOf(probed, of(f, PROBES), tolerance) > tolerance) continue;
      far ??= evaluate(FAR);
      if (!BOUNDED.has(family) && isOtherFar(far, of(f, FAR), tolerance)) continue;
      values ??= evaluate(POINTS);
      const difference = differenceOf(values, of(f, POINTS), tolerance);
      const rank = Math.max(
        0,
        ...[parameters.beta, parameters.alpha].map((value) => (value !== undefined && ranks.get(value)) || 0),
      );
      if (difference > tolerance || (nearest && rank > nearest.rank)) continue;
      // In a coarse element type an approximate form may not differ from the exact function.
      if (nearest && parameters.form !== nearest.form) continue;
      if (!nearest || rank < nearest.rank || difference < nearest.difference)
        nearest = { name, ...parameters, difference, rank };
    }
    if (nearest === undefined || nearest.difference >= (best?.difference ?? Infinity)) continue;
    const { rank: _, ...identity } = nearest;
    best = identity;
  }
  return best;
}

/** Returns whether a function is another at points far from 0. What overflows on the way there, as e^x does, tells nothing. */
function isOtherFar(far: readonly number[], wanted: (index: number) => number, tolerance: number): boolean {
  const known = far.map((value, index) => (Number.isFinite(value) ? value : wanted(index)));
  return differenceOf(known, wanted, tolerance) > tolerance;
}

/** Returns the largest difference between actual and wanted values; Infinity where it exceeds the limit or is NaN. */
function differenceOf(values: readonly number[], wanted: (index: number) => number, limit: number): number {
  let largest = 0;
  for (const [index, value] of values.entries()) {
    const want = wanted(index);
    const difference = Math.abs(value - want) / Math.max(1, Math.abs(want));
    if (!(difference <= limit)) return Infinity;
    if (difference > largest) largest = difference;
  }
  return largest;
}

/** Second operands of a function of two variables. */
const SECOND = [-1.7, -0.3, 0.4, 2.2];
type Pairs = readonly (readonly [x: number, p: number])[];
const pairsOf = (points: readonly number[]): Pairs =>
  SECOND.flatMap((p) => points.map((x) => [x, p] as const));
const FEW_PAIRS = pairsOf(PROBES);
const FAR_PAIRS = pairsOf(FAR);
const PAIRS = pairsOf(POINTS.filter((_, index) => index % 8 === 0));

/** Identifies a function of two variables. The slope of a PReLU may be any function of the second. */
export function identifyPair(
  evaluate: (pairs: Pairs) => readonly number[],
  tolerance: number,
): Identity | undefined {
  const slopes = evaluate(SECOND.map((p) => [-1, p])).map((value) => -value);
  const functions: readonly [ActivationName, (x: number, p: number) => number][] = [
    ['max', Math.max],
    ['min', Math.min],
    ['abs', (x, p) => Math.abs(x - p)],
    ['prelu', (x, p) => (x < 0 ? (slopes[SECOND.indexOf(p)] ?? 0) : 1) * x],
    ['clamp', (x, p) => clamp(x, 0, p)],
    ['softshrink', softShrink],
    ['softshrink', (x, p) => Math.max(x - p, 0) - Math.max(-x - p, 0)],
    ['cross-entropy', (x, p) => softplus(x) - x * p],
  ];
  const few = evaluate(FEW_PAIRS);
  let values: readonly number[] | undefined;
  for (const [name, f] of functions) {
    const wanted = (pairs: Pairs) => (index: number) => f(...(pairs[index] ?? [0, 0]));
    if (differenceOf(few, wanted(FEW_PAIRS), tolerance) > tolerance) continue;
    if (name === 'prelu' && isOtherFar(evaluate(FAR_PAIRS), wanted(FAR_PAIRS), tolerance)) continue;
    values ??= evaluate(PAIRS);
    const difference = differenceOf(values, wanted(PAIRS), tolerance);
    // A slope that ignores the second variable belongs to another activation.
    if (difference <= tolerance && new Set(slopes).size > 1) return { name, difference };
  }
  return undefined;
}
