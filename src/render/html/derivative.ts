import { plural } from '../../base/plural.js';
import type { Derivative } from '../../experiment/report-schema.js';
import { figure, percent } from '../figures.js';
import { colour, draw, tip } from './draw.js';
import type { TabledChart } from './parts.js';

/** Derivative of one activation over its inputs. */
export interface NamedDerivative {
  readonly name: string;
  readonly derivative: Derivative;
}

const LEGEND = [
  { name: 'share of the inputs', colour: colour(0) },
  { name: 'first derivative', colour: colour(1) },
];
/** Slopes that the axis always includes. */
const MIN_SLOPE_RANGE = [-0.2, 1.2] as const;

/** Draws a chart for each activation; all have the same scales. */
export async function derivativeCharts(entries: readonly NamedDerivative[]): Promise<TabledChart[]> {
  const all = entries.map(({ derivative }) => derivative);
  const ends = all.flatMap(({ x }) => [x[0] ?? 0, x.at(-1) ?? 0]);
  const slopes = all.flatMap(({ derivative }) => derivative);
  const scales: Scales = {
    x: [Math.min(...ends, -1), Math.max(...ends, 1)],
    density: Math.max(...all.flatMap(({ x, share }) => share.map((one) => one / binWidth(x))), 0),
    slope: [Math.min(MIN_SLOPE_RANGE[0], ...slopes), Math.max(MIN_SLOPE_RANGE[1], ...slopes)],
  };
  return Promise.all(entries.map((entry) => derivativeChart(entry, scales)));
}

interface Scales {
  readonly x: readonly [number, number];
  /** Highest share of the inputs in an interval of length 1. */
  readonly density: number;
  readonly slope: readonly [number, number];
}

const binWidth = (x: readonly number[]) => (x.length < 2 ? 1 : (x[1] ?? 0) - (x[0] ?? 0));

/** Returns the mean of the derivative over the inputs inside the bins, and the share of inputs where it is negative. */
export function derivativeFigures({ share, derivative }: Derivative): {
  readonly mean: number;
  readonly negative: number;
} {
  const inside = share.reduce((sum, one) => sum + one, 0);
  const sum = (of: (slope: number) => number) =>
    share.reduce((total, one, bin) => total + one * of(derivative[bin] ?? 0), 0) / inside;
  return { mean: sum((slope) => slope), negative: sum((slope) => (slope < 0 ? 1 : 0)) };
}

async function derivativeChart(
  { name, derivative: found }: NamedDerivative,
  scales: Scales,
): Promise<TabledChart> {
  const { x, share, derivative, below, above, samples } = found;
  const width = binWidth(x);
  const bars = x.map((centre, bin) => ({
    from: centre - width / 2,
    to: centre + width / 2,
    height: (share[bin] ?? 0) / width,
    tip: `${figure(centre - width / 2)} to ${figure(centre + width / 2)}\n${percent(share[bin] ?? 0)} of the inputs\nderivative ${figure(derivative[bin])}`,
  }));
  const line = x.map((centre, bin) => ({ x: centre, slope: derivative[bin] }));
  const { mean, negative } = derivativeFigures(found);
  const outside = below + above > 0 ? ` ${percent(below + above)} lie outside the bins.` : '';
  return {
    title: name,
    caption: `Inputs of all sites on ${plural(samples, 'test sample')}. The derivative has mean ${figure(mean)} over them, and is negative for ${percent(negative)}.${outside}`,
    legend: LEGEND,
    svg: await draw(specOf(bars, line, scales), { height: 150 }),
    head: ['input', 'share', 'derivative'],
    rows: x.map((centre, bin) => [centre, percent(share[bin] ?? 0), derivative[bin] ?? null]),
  };
}

function specOf(bars: readonly object[], line: readonly object[], { x, density, slope }: Scales): object {
  const across = {
    type: 'quantitative',
    scale: { domain: x, nice: false, zero: false },
    axis: { title: 'x', grid: false, tickCount: 7 },
  };
  const bar = {
    data: { values: bars },
    mark: { type: 'rect', color: colour(0), stroke: 'var(--card)', strokeWidth: 0.4 },
    encoding: {
      x: { field: 'from', ...across },
      x2: { field: 'to' },
      y: {
        field: 'height',
        type: 'quantitative',
        scale: { domain: [0, density], nice: false },
        axis: null,
      },
      y2: { datum: 0 },
      description: tip,
    },
  };
  const curve = {
    data: { values: line },
    mark: { type: 'line', color: colour(1), strokeWidth: 2, aria: false },
    encoding: {
      x: { field: 'x', ...across },
      y: {
        field: 'slope',
        type: 'quantitative',
        scale: { domain: slope, nice: false },
        axis: { title: 'first derivative', grid: true, domain: false, values: [0, 0.5, 1] },
      },
    },
  };
  return { layer: [bar, curve], resolve: { scale: { y: 'independent' } } };
}
