import type { ProviderRow } from '../../validate/report-schema.js';
import { figure, short } from '../figures.js';
import { ratioText, SOFTWARE } from '../summary.js';
import {
  colour,
  draw,
  logTicks,
  MODEL_LEGEND,
  MODELS,
  modelColour,
  modelOffset,
  rowAxis,
  tip,
} from './draw.js';
import type { TabledChart } from './parts.js';

/** Height of a provider's row in SVG units. */
const ROW_HEIGHT = 46;

/** Returns the provider's name; a second line says where the GPU is emulated in software. */
const rowLabel = ({ provider, runtime }: ProviderRow, longest = 18) =>
  `${short(provider, longest)}${runtime?.software ? `\n${SOFTWARE}` : ''}`;

type Timing = NonNullable<ProviderRow['latency']>['original'];

/** The latency of one model on one provider. */
interface LatencyLine {
  readonly row: ProviderRow;
  readonly model: (typeof MODELS)[number];
  readonly timing: Timing;
  /** Number of pairs. */
  readonly n: number;
}

/** Draws the latency of both models on every provider: runs as ticks, the middle half as a bar, the median as a dot. */
export async function latencyChart(rows: readonly ProviderRow[]): Promise<TabledChart | undefined> {
  const lines = rows.flatMap((row): LatencyLine[] => {
    const { latency } = row;
    if (latency === null) return [];
    return MODELS.map((model) => ({ row, model, timing: latency[model], n: latency.n }));
  });
  if (lines.length === 0) return undefined;
  return {
    title: 'Latency',
    caption: 'Ticks are percentiles, the bar is the middle half, the dot is the median.',
    legend: MODEL_LEGEND,
    svg: await drawLatencies(lines),
    head: ['provider', 'model', 'p50 ms', 'p90', 'p99', 'mean', 'first run', 'session', 'pairs', 'note'],
    rows: lines.map(({ row, model, timing: { p50, p90, p99, mean, firstMs, createMs }, n }) => [
      ...[row.provider, model, p50, p90, p99, mean, firstMs, createMs, n],
      row.runtime?.software ? SOFTWARE : '',
    ]),
  };
}

/** Returns what the chart shows of one line: the middle half, the median and the tooltip. */
function boxOf({ row, model, timing }: LatencyLine) {
  const at = (part: number) =>
    timing.quantiles[Math.round(part * (timing.quantiles.length - 1))] ?? timing.p50;
  const spread = `middle half ${figure(at(0.25))} to ${figure(at(0.75))} ms`;
  const tip = `${short(row.provider)}, ${model}\nmedian ${figure(timing.p50)} ms\n${spread}${row.runtime?.software ? `\n${SOFTWARE}` : ''}`;
  return { row: rowLabel(row), model, low: at(0.25), high: at(0.75), p50: timing.p50, tip };
}

function drawLatencies(lines: readonly LatencyLine[]): Promise<string> {
  const boxes = lines.map(boxOf);
  const runs = lines.flatMap(({ row, model, timing }) =>
    timing.quantiles.map((ms) => ({ row: rowLabel(row), model, ms })),
  );
  const ticks = logTicks(runs.length > 0 ? runs.map(({ ms }) => ms) : boxes.map(({ p50 }) => p50));
  const y = { field: 'row', type: 'nominal', sort: null, axis: rowAxis, scale: { paddingInner: 0.3 } };
  const x = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: { title: 'milliseconds, log scale', values: ticks, format: '~g' },
  });
  const positive = (field: string) => ({ filter: `isValid(datum.${field}) && datum.${field} > 0` });
  const dot = { type: 'point', filled: true, size: 42, opacity: 1, stroke: 'var(--card)', strokeWidth: 1.5 };
  return draw(
    {
      encoding: { y, yOffset: modelOffset, color: modelColour },
      layer: [
        {
          data: { values: runs },
          transform: [positive('ms')],
          mark: { type: 'tick', thickness: 1, size: 15, opacity: 0.3, aria: false },
          encoding: { x: x('ms') },
        },
        {
          data: { values: boxes },
          transform: [positive('low')],
          mark: { type: 'bar', height: 7, cornerRadius: 2 },
          encoding: { x: x('low'), x2: { field: 'high' }, description: tip },
        },
        {
          data: { values: boxes },
          transform: [positive('p50')],
          mark: dot,
          encoding: { x: x('p50'), description: tip },
        },
      ],
    },
    { height: ROW_HEIGHT * (lines.length / 2), labels: boxes.map(({ row }) => row) },
  );
}

/** Draws the latency ratio of every provider with its interval; left of the line at 1 the swapped model is faster. */
export async function ratioChart(rows: readonly ProviderRow[]): Promise<TabledChart | undefined> {
  const values = rows.flatMap((row) =>
    row.latency === null
      ? []
      : [
          {
            ...row.latency.ratio,
            row: rowLabel(row),
            tip: `${short(row.provider)}: ${ratioText(row.latency.ratio)}${row.runtime?.software ? `\n${SOFTWARE}` : ''}`,
          },
        ],
  );
  if (values.length === 0) return undefined;
  const drawn = values.filter(({ value, low, high }) => [value, low, high].every((one) => one > 0));
  // The axis always includes 1, and is wide enough that noise does not look like a difference.
  const ends = drawn.flatMap(({ low, high }) => [low / 1.04, high * 1.04]).filter(Number.isFinite);
  const domain = [Math.min(0.85, ...ends), Math.max(1.18, ...ends)] as const;
  const x = {
    type: 'quantitative',
    scale: { type: 'log', domain, nice: false, clamp: true },
    axis: {
      title: 'swapped ÷ original, log scale',
      values: ratioTicks(...domain),
      format: '~g',
      grid: false,
    },
  };
  const svg = await draw(
    {
      data: { values: drawn },
      encoding: { y: { field: 'row', type: 'nominal', sort: null, axis: rowAxis } },
      layer: [
        {
          data: { values: [{ one: 1 }] },
          mark: { type: 'rule', color: 'var(--ink)', strokeDash: [3, 3], aria: false },
          encoding: { x: { ...x, field: 'one' }, y: null },
        },
        {
          mark: { type: 'bar', height: 5, color: colour(1), opacity: 0.45, cornerRadius: 3 },
          encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, description: tip },
        },
        {
          mark: { type: 'point', filled: true, size: 60, color: colour(1), opacity: 1 },
          encoding: { x: { ...x, field: 'value' }, description: tip },
        },
      ],
    },
    { height: ROW_HEIGHT * 0.8 * Math.max(1, drawn.length), labels: drawn.map(({ row }) => row) },
  );
  return {
    title: 'Cost of the swap',
    caption: 'Ratio of the medians with its 95 % interval; right of the line the swapped model is slower.',
    legend: [],
    svg: drawn.length === 0 ? null : svg,
    head: ['provider', 'ratio', 'low', 'high', 'pairs', 'note'],
    rows: rows.flatMap(({ provider, latency, runtime }) =>
      latency === null
        ? []
        : [
            [
              provider,
              latency.ratio.value,
              latency.ratio.low,
              latency.ratio.high,
              latency.n,
              runtime?.software ? SOFTWARE : '',
            ],
          ],
    ),
  };
}

/** Returns ticks around 1 for the axis of ratios, as dense as the axis has room for. */
function ratioTicks(low: number, high: number): number[] {
  const near = [0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5];
  const far = [0.3, 0.5, 0.7, 1, 1.4, 2, 3, 4];
  const ticks = high / low < 1.7 ? near : high / low < 5 ? far : [1, ...logTicks([low, high])];
  return ticks.filter((tick) => tick >= low && tick <= high);
}
