// The curves of the hero: Mish and its derivative beside what it stands for.
import { leakyRelu, mish, mishDerivative, mixture, relu, swish } from '../../../mish/reference.js';
import type { SiteHistogram } from '../protocol.js';

/** Of Mish its sharpness and the slope of the mixture, 0 for none; of LeakyReLU its slope. */
export interface Shape {
  readonly beta: number;
  readonly alpha: number;
  readonly leak: number;
}

export interface Curves {
  readonly xs: readonly number[];
  readonly mish: readonly number[];
  readonly derivative: readonly number[];
  readonly relu: readonly number[];
  readonly leaky: readonly number[];
  readonly swish: readonly number[];
  /** The share of inputs for each unit of x; undefined without a histogram. */
  readonly density: readonly number[] | undefined;
}

const POINTS = 601;
/** What is shown without a histogram. */
const USUAL = 4;
const WIDEST = 60;

/** Evenly spaced x: where Mish bends, and where the inputs of a site are. */
export function abscissae(histogram?: SiteHistogram): number[] {
  const [from, to] = ends(histogram);
  return Array.from({ length: POINTS }, (_, index) => from + ((to - from) * index) / (POINTS - 1));
}

/**
 * Values at `xs`. With `leak` Mish is the mixture of this slope. β of the derivative: d/dx mish(x, β) is Mish's
 * derivative at βx, since mish(x, β) = mish(βx) / β.
 */
export function curves(
  xs: readonly number[],
  { beta, alpha, leak }: Shape,
  histogram?: SiteHistogram,
): Curves {
  return {
    xs,
    mish: xs.map((x) => (leak === 0 ? mish(x, beta) : mixture(x, beta, leak))),
    derivative: xs.map((x) => leak + (1 - leak) * mishDerivative(beta * x)),
    relu: xs.map(relu),
    leaky: xs.map((x) => leakyRelu(x, alpha)),
    swish: xs.map(swish),
    density: histogram && xs.map((x) => densityAt(x, histogram)),
  };
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

/** The share of inputs at which Mish differs from ReLU by more than 1 % of its largest distance: |βx| < 6. */
export function shareThatBends(histogram: SiteHistogram, beta: number): number {
  const { from, width, counts } = histogram;
  const inside = counts.filter((_, bin) => Math.abs(from + width * (bin + 0.5)) * beta < BEND);
  return inside.reduce((sum, count) => sum + count, 0) / total(histogram);
}

/** mish(−6) is −0.0149 and 6 − mish(6) is 7e-5. */
const BEND = 6;
