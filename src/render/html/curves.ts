import { figure } from '../figures.js';
import { accuracyText } from '../finetune-figures.js';
import { colourBy, draw, legendOf, tip } from './draw.js';
import type { TabledChart } from './parts.js';

/** Samples that a figure of an epoch is from. */
export type CurvePart = 'training' | 'validation' | 'test';

/** Figure of a run after an epoch. */
export interface CurvePoint {
  /** Name in the legend, which decides on the colour. */
  readonly series: string;
  /** Name of the run, such as `Mish, seed 2`. */
  readonly run: string;
  readonly part: CurvePart;
  readonly epoch: number;
  readonly value: number;
}

interface CurveOptions {
  readonly title: string;
  readonly unit?: string;
  readonly caption: string;
  /** Names in the legend, in order. */
  readonly series: readonly string[];
  /** Formats a value. */
  readonly text: (value: number) => string;
}

/** Figure of an epoch’s score; null where there is none. */
export type ScoreFigure = (score: {
  readonly loss: number;
  readonly accuracy: number | null;
}) => number | null;

/** Draws the curves of losses and of accuracies, if there are any; `points` returns the points of a figure. */
export async function scoreCharts(
  points: (value: ScoreFigure) => readonly CurvePoint[],
  options: Pick<CurveOptions, 'series' | 'caption'>,
): Promise<TabledChart[]> {
  const losses = points(({ loss }) => loss);
  const accuracies = points(({ accuracy }) => (accuracy === null ? null : 100 * accuracy));
  const inPercent = { unit: '%', text: (value: number) => accuracyText(value / 100) };
  const charts = await Promise.all([
    curveChart(losses, { ...options, title: 'Loss', text: (loss) => figure(loss, 4) }),
    curveChart(accuracies, { ...options, title: 'Accuracy', ...inPercent }),
  ]);
  return charts.filter((chart) => chart !== undefined);
}

/** Draws a line for each run and part over the epochs, dotted for training; undefined without finite points. */
async function curveChart(
  given: readonly CurvePoint[],
  { title, unit, caption, series, text }: CurveOptions,
): Promise<TabledChart | undefined> {
  const points = given
    .filter(({ value }) => Number.isFinite(value))
    .map((point) => {
      const { run, part, epoch, value } = point;
      const line = `${run}, ${part}`;
      return {
        ...point,
        line,
        tip: `${run}\n${part}, epoch ${epoch}\n${title.toLowerCase()} ${text(value)}`,
      };
    });
  if (points.length === 0) return undefined;
  const legend = legendOf(series);
  const last = Math.max(1, ...points.map(({ epoch }) => epoch));
  const name = unit === undefined ? title : `${title}, ${unit}`;
  const x = {
    field: 'epoch',
    type: 'quantitative',
    scale: { domain: [0, last], nice: false },
    axis: { title: 'epoch', grid: false, tickMinStep: 1, format: 'd' },
  };
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { zero: false },
    axis: { title: name, grid: true, domain: false },
  };
  const dash = { field: 'part', scale: { domain: PARTS, range: DASHES }, legend: null };
  const colours = colourBy('series', legend);
  return {
    title,
    caption,
    legend,
    svg: await draw(
      {
        data: { values: points },
        layer: [
          {
            mark: { type: 'line', strokeWidth: 1.5, aria: false },
            encoding: { x, y, color: colours, strokeDash: dash, detail: { field: 'line' } },
          },
          {
            mark: { type: 'point', filled: true, size: pointSize(points.length), opacity: 1 },
            encoding: { x, y, color: colours, description: tip },
          },
        ],
      },
      { height: 200 },
    ),
    head: ['run', 'epoch', name],
    rows: points.map(({ line, epoch, value }) => [line, epoch, text(value)]),
  };
}

const PARTS: readonly CurvePart[] = ['validation', 'test', 'training'];
const DASHES = [
  [1, 0],
  [1, 0],
  [3, 3],
];

/** Number of points from which they are small, so that they do not hide the lines. */
const MANY_POINTS = 150;
const pointSize = (count: number) => (count < MANY_POINTS ? 30 : 10);
