// Calculates the curves at the top of the page: Mish, its derivative, and the activations it replaces.
import { ACTIVATIONS } from '../../../mish/activations.js';
import { leakyRelu, mish, mishDerivative, mixture, relu, swish } from '../../../mish/reference.js';
import type { OtherActivation, SiteHistogram } from '../protocol.js';

/** Sharpness β and slope of a mixture (0 for none), and the slope of LeakyReLU. */
export interface Shape {
  /** The activation that is written; undefined for Mish. */
  readonly to?: OtherActivation | undefined;
  readonly beta: number;
  readonly alpha: number;
  readonly leak: number;
}

export interface Curves {
  readonly xs: readonly number[];
  /** The activation that is written. */
  readonly written: readonly number[];
  readonly derivative: readonly number[];
  readonly relu: readonly number[];
  readonly leaky: readonly number[];
  readonly swish: readonly number[];
  /** Share of the inputs per unit of x; undefined without a histogram. */
  readonly density: readonly number[] | undefined;
}

const POINTS = 601;
/** Half width of the x axis without a histogram. */
const USUAL = 4;
const WIDEST = 60;

/** Returns evenly spaced x values that cover the bend of Mish and the inputs of the site. */
export function abscissae(histogram?: SiteHistogram): number[] {
  const [from, to] = ends(histogram);
  return Array.from({ length: POINTS }, (_, index) => from + ((to - from) * index) / (POINTS - 1));
}

/**
 * Calculates the curves at `xs`. With `leak`, Mish is the mixture with this slope. Since mish(x, β) = mish(βx) / β,
 * the derivative of Mish with sharpness β at x is Mish's derivative at βx.
 */
export function curves(
  xs: readonly number[],
  { to, beta, alpha, leak }: Shape,
  histogram?: SiteHistogram,
): Curves {
  return {
    xs,
    ...(to === undefined
      ? {
          written: xs.map((x) => (leak === 0 ? mish(x, beta) : mixture(x, beta, leak))),
          derivative: xs.map((x) => leak + (1 - leak) * mishDerivative(beta * x)),
        }
      : otherCurves(xs, (x) => ACTIVATIONS[to].f(x, { beta: 1 }))),
    relu: xs.map(relu),
    leaky: xs.map((x) => leakyRelu(x, alpha)),
    swish: xs.map(swish),
    density: histogram && xs.map((x) => densityAt(x, histogram)),
  };
}

/** Returns the values of another activation, and the slope between the points around each. */
function otherCurves(xs: readonly number[], f: (x: number) => number) {
  const half = Math.abs((xs[1] ?? 1) - (xs[0] ?? 0)) / 2;
  return { written: xs.map(f), derivative: xs.map((x) => (f(x + half) - f(x - half)) / (2 * half)) };
}

function ends(histogram: SiteHistogram | undefined): [number, number] {
  if (histogram === undefined) return [-USUAL, USUAL];
  const { from, width, counts } = histogram;
  const to = from + width * counts.length;
  return [Math.max(-WIDEST, Math.min(-USUAL, from)), Math.min(WIDEST, Math.max(USUAL, to))];
}

export const total = ({ counts, below, above }: SiteHistogram): number =>
  counts.reduce((sum, count) => sum + count, below + above);

function densityAt(x: number, histogram: SiteHistogram): number {
  const { from, width, counts } = histogram;
  const count = counts[Math.floor((x - from) / width)] ?? 0;
  return count / total(histogram) / width;
}
