import type { Drift } from '../../metrics/drift.js';
import type { LayerComparison, ProviderRow } from '../../validate/report-schema.js';
import { activation, figure, short, sqnrOf, tellApart } from '../figures.js';
import { colour, draw, logTicks, numberedAxis, tip } from './draw.js';
import type { Cell, Chart } from './parts.js';

/** Maximum outputs in a chart; the table lists all outputs. */
const MAX_OUTPUTS = 16;
/** Maximum points that a chart can show separately. */
const MAX_POINTS = 800;

/** Draws the error of each kernel of one provider over x. */
export async function kernelChart({ provider, kernel }: ProviderRow): Promise<Chart | undefined> {
  if (kernel.length === 0) return undefined;
  const series = kernel.map((one) => ({ name: `${activation(one)}, ${one.elemType}`, curve: one.curve }));
  const names = [...new Set(series.map(({ name }) => name))];
  const points = series.flatMap(({ name, curve }) => curve.map(({ x, abs }) => ({ name, x, abs })));
  const errors = points.map(({ abs }) => abs).filter((abs) => abs > 0 && Number.isFinite(abs));
  // A log scale has no 0: an error of 0 is drawn a little below the smallest visible error.
  const floor = Math.max(Math.min(...errors) / 4, Math.max(...errors) / 1e9);
  const values = points
    .filter(({ x, abs }) => abs >= 0 && Math.abs(x) <= 20)
    .map((point) => ({
      ...point,
      abs: Math.max(floor, point.abs),
      tip: `${point.name}\nx ${figure(point.x)}\nerror ${figure(point.abs)}`,
    }));
  const color = {
    field: 'name',
    type: 'nominal',
    scale: { domain: names, range: names.map((_, index) => colour(index)) },
    legend: null,
  };
  const encoding = {
    x: {
      field: 'x',
      type: 'quantitative',
      scale: { domain: [-20, 20], nice: false },
      axis: { title: 'x', grid: false, tickCount: 9 },
    },
    y: {
      field: 'abs',
      type: 'quantitative',
      scale: { type: 'log', nice: false },
      axis: {
        title: 'absolute error, log scale',
        grid: true,
        values: logTicks(values.map(({ abs }) => abs)),
        format: '.0e',
        domain: false,
      },
    },
    color,
  };
  const svg =
    errors.length === 0
      ? null
      : await draw(
          {
            data: { values },
            encoding,
            layer: [
              { mark: { type: 'line', strokeWidth: 1.5, aria: false } },
              // Invisible points, for the tooltip.
              { mark: { type: 'point', filled: true, size: 40, opacity: 0 }, encoding: { description: tip } },
            ],
          },
          { height: 190 },
        );
  return {
    title: `Kernel error, ${provider}`,
    caption:
      'Largest error in each interval of x against the formula in float64; an error of 0 lies at the lower edge.',
    legend: names.map((name, index) => ({ name, colour: colour(index) })),
    svg,
    head: [
      'kernel',
      'max abs',
      'at x',
      'max scaled',
      'max ulp',
      'at x ',
      'points',
      'not finite',
      '+∞',
      '−∞',
      'NaN',
      'note',
    ],
    rows: kernel.map((one) => [
      ...[
        `${activation(one)}, ${one.elemType}`,
        one.maxAbs,
        one.maxAbsAt,
        one.maxScaled,
        one.maxUlp,
        one.maxUlpAt,
      ],
      ...[
        one.n,
        one.broken,
        one.atInfinity ?? '',
        one.atMinusInfinity ?? '',
        one.atNaN ?? '',
        one.problem ?? '',
      ],
    ]),
  };
}

/** The drift of one output, in a series of a chart. */
export interface DriftLine {
  readonly series: string;
  readonly drift: Drift;
}

/** Draws the SQNR of outputs, one row each; of too many outputs it draws the worst. */
export async function driftChart(
  title: string,
  caption: string,
  lines: readonly DriftLine[],
): Promise<Chart | undefined> {
  if (lines.length === 0) return undefined;
  const series = [...new Set(lines.map((line) => line.series))];
  const ratios = lines.flatMap(({ drift: { sqnr } }) =>
    sqnr !== null && Number.isFinite(sqnr) ? [sqnr] : [],
  );
  const top = Math.max(10, ...ratios) * 1.12;
  const outputs = [...new Set(lines.map(({ drift }) => drift.output))];
  const worst = (output: string) =>
    Math.min(...lines.map(({ drift }) => (drift.output === output ? (drift.sqnr ?? Infinity) : Infinity)));
  const drawn = new Set(
    outputs.length <= MAX_OUTPUTS
      ? outputs
      : outputs
          .map((output) => ({ output, rank: worst(output) }))
          .toSorted((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank))
          .slice(0, MAX_OUTPUTS)
          .map(({ output }) => output),
  );
  const labels = tellApart(outputs, 20);
  const values = lines
    .filter(({ drift }) => drawn.has(drift.output))
    .map(({ series, drift }) => {
      const at = drift.maxAbs === 0 && drift.broken === 0 ? top : drift.sqnr;
      // Numbered, because shortened names may be equal.
      const label = labels[outputs.indexOf(drift.output)] ?? '';
      const row = `${outputs.indexOf(drift.output)}\n${label}`;
      const text = `${short(drift.output)}\n${short(series)}: ${sqnrOf(drift)}${drift.sqnr === null ? '' : ' dB'}`;
      return { row, label, series, at, exact: at === top, tip: `${text}\nmax abs ${figure(drift.maxAbs)}` };
    })
    .filter(({ at }) => at !== null && Number.isFinite(at));
  const svg = await draw(
    {
      data: { values },
      encoding: {
        x: {
          field: 'at',
          type: 'quantitative',
          scale: { domain: [Math.min(0, ...ratios), top], nice: false },
          axis: { title: 'SQNR in dB', tickCount: 6 },
        },
        y: {
          field: 'row',
          type: 'nominal',
          sort: null,
          axis: { ...numberedAxis, grid: true },
        },
        yOffset: { field: 'series', scale: { domain: series } },
        color: {
          field: 'series',
          type: 'nominal',
          scale: { domain: series, range: series.map((_, index) => colour(index)) },
          legend: null,
        },
      },
      layer: [
        { mark: { type: 'point', filled: true, size: 60, opacity: 1 }, encoding: { description: tip } },
        {
          transform: [{ filter: 'datum.exact' }],
          mark: { type: 'text', align: 'right', dx: -8, text: 'exact', fontSize: 11, aria: false },
        },
      ],
    },
    { height: drawn.size * Math.max(26, 12 * series.length), labels: values.map(({ label }) => label) },
  );
  return {
    title,
    caption:
      outputs.length > drawn.size
        ? `${caption} Shows the worst ${drawn.size} of ${outputs.length} outputs.`
        : caption,
    legend: series.map((name, index) => ({ name, colour: colour(index) })),
    svg: values.length === 0 ? null : svg,
    head: [
      'output',
      'of',
      'SQNR dB',
      'max abs',
      'scale',
      'mean abs',
      'RMSE',
      'cosine',
      'top-1',
      'top-5',
      'elements',
      'not finite',
      'note',
    ],
    rows: lines.map(({ series, drift }) => [
      ...[
        drift.output,
        series,
        drift.sqnr,
        drift.maxAbs,
        drift.scale,
        drift.meanAbs,
        drift.rmse,
        drift.cosine,
      ],
      ...[drift.top1, drift.top5, drift.n, drift.broken],
      drift.problem ?? (drift.maxAbs === 0 && drift.broken === 0 ? 'exact' : ''),
    ]),
  };
}

/** Draws the SQNR between two models for every tensor inside them; sites are marked. */
export async function layersChart({ a, b, rows }: LayerComparison): Promise<Chart> {
  const all = rows.flatMap(({ sqnr, maxAbs, node, op, site }, index) =>
    sqnr === null || !Number.isFinite(sqnr)
      ? []
      : [
          {
            index,
            sqnr,
            site,
            tip: `${short(node)} (${short(op)})\nSQNR ${figure(sqnr)} dB\nmax abs ${figure(maxAbs)}`,
          },
        ],
  );
  const values = thinned(all);
  const encoding = {
    x: {
      field: 'index',
      type: 'quantitative',
      scale: { nice: false, domain: [0, Math.max(1, rows.length - 1)] },
      axis: { title: 'tensors in topological order', grid: false, tickMinStep: 1, tickCount: 8 },
    },
    y: {
      field: 'sqnr',
      type: 'quantitative',
      scale: { zero: false },
      axis: { title: 'SQNR in dB', grid: true, tickCount: 5, domain: false },
    },
  };
  const svg = await draw(
    {
      data: { values },
      encoding,
      layer: [
        { mark: { type: 'line', strokeWidth: 1.2, color: colour(0), aria: false } },
        {
          transform: [{ filter: '!datum.site' }],
          mark: { type: 'point', filled: true, size: 14, opacity: 1, color: colour(0) },
          encoding: { description: tip },
        },
        {
          transform: [{ filter: 'datum.site' }],
          mark: { type: 'point', filled: true, shape: 'diamond', size: 60, opacity: 1, color: colour(1) },
          encoding: { description: tip },
        },
      ],
    },
    { height: 190 },
  );
  const of = ({ model, provider }: LayerComparison['a']) => `${model} on ${provider}`;
  const moments = (part: LayerComparison['rows'][number]['a']): Cell[] => [
    part?.mean ?? null,
    part?.std ?? null,
  ];
  return {
    title: `Layers: ${of(b)} against ${of(a)}`,
    caption: `Identical tensors have no SQNR and no mark.${values.length < all.length ? ` ${values.length} of ${all.length} are drawn: sites, and the lowest of each group of neighbours.` : ''}`,
    legend: [
      { name: 'tensor', colour: colour(0) },
      { name: 'output of a site', colour: colour(1) },
    ],
    svg: values.length === 0 ? null : svg,
    head: [
      'node',
      'operator',
      'site',
      'SQNR dB',
      'cosine',
      'max abs',
      'mean a',
      'std a',
      'mean b',
      'std b',
      'note',
    ],
    rows: rows.map((row) => [
      ...[row.node, row.op, row.site ? 'site' : '', row.sqnr, row.cosine, row.maxAbs],
      ...moments(row.a),
      ...moments(row.b),
      row.problem ?? (row.maxAbs === 0 ? 'identical' : ''),
    ]),
  };
}

/** Reduces points to as many as a chart can show: the lowest of each group of neighbours, with sites before others. */
function thinned<T extends { readonly sqnr: number; readonly site: boolean }>(points: readonly T[]): T[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  return Array.from({ length: Math.ceil(points.length / size || 0) }, (_, index) =>
    points.slice(index * size, (index + 1) * size).reduce((low, point) => {
      if (point.site !== low.site) return point.site ? point : low;
      return point.sqnr < low.sqnr ? point : low;
    }),
  );
}
