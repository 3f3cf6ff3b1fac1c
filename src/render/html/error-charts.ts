import { integer, plural } from '../../base/plural.js';
import { comparableSqnr, type Drift } from '../../metrics/drift.js';
import type { LayerComparison, ProviderRow } from '../../validate/report-schema.js';
import { activation, figure, short, sqnrOf, tellApart } from '../figures.js';
import { colour, colourBy, draw, type LegendEntry, legendOf, logTicks, numberedAxis, tip } from './draw.js';
import type { Cell, TabledChart } from './parts.js';

/** Maximum outputs in a chart; the table lists all outputs. */
const MAX_OUTPUTS = 16;
/** Maximum points that a chart can show separately. */
const MAX_POINTS = 800;

/** Largest |x| in a chart of kernels. */
const MAX_KERNEL_X = 20;

// The titles are also the keys of a row's cells: a space tells both 'at x' apart.
const KERNEL_HEAD = [
  ...['kernel', 'max abs', 'at x', 'max scaled', 'max ulp', 'at x '],
  ...['points', 'not finite', '+∞', '−∞', 'NaN', 'note'],
];

/** Draws the error of each kernel of one provider over x. A chart that is `alone` in its row is drawn for a wide page, too. */
export async function kernelChart(
  { provider, kernel }: ProviderRow,
  alone = false,
): Promise<TabledChart | undefined> {
  if (kernel.length === 0) return undefined;
  const nameOf = (one: Kernel) => `${activation(one)}, ${one.elemType}`;
  const legend = legendOf([...new Set(kernel.map(nameOf))]);
  return {
    title: `Kernel error, ${provider}`,
    caption:
      'Largest error in each interval of x against the formula in float64; an error of 0 lies at the lower edge.',
    legend,
    svg: await drawErrors(
      kernel.flatMap((one) => one.curve.map(({ x, abs }) => ({ name: nameOf(one), x, abs }))),
      legend,
      alone,
    ),
    head: KERNEL_HEAD,
    rows: kernel.map((one) => [
      ...[nameOf(one), one.maxAbs, one.maxAbsAt, one.maxScaled, one.maxUlp, one.maxUlpAt],
      ...[one.n, one.broken, one.atInfinity ?? '', one.atMinusInfinity ?? '', one.atNaN ?? ''],
      one.problem ?? '',
    ]),
  };
}

type Kernel = ProviderRow['kernel'][number];

/** Draws errors over x on a log scale, a line for each name; returns null if all errors are 0 or not finite. */
async function drawErrors(
  points: readonly { readonly name: string; readonly x: number; readonly abs: number }[],
  legend: readonly LegendEntry[],
  alone: boolean,
): Promise<string | null> {
  const errors = points.map(({ abs }) => abs).filter((abs) => abs > 0 && Number.isFinite(abs));
  if (errors.length === 0) return null;
  // A log scale has no 0: an error of 0 is drawn a little below the smallest visible error.
  const floor = Math.max(Math.min(...errors) / 4, Math.max(...errors) / 1e9);
  const values = points
    .filter(({ x, abs }) => abs >= 0 && Math.abs(x) <= MAX_KERNEL_X)
    .map((point) => ({
      ...point,
      abs: Math.max(floor, point.abs),
      tip: `${point.name}\nx ${figure(point.x)}\nerror ${figure(point.abs)}`,
    }));
  const x = {
    field: 'x',
    type: 'quantitative',
    scale: { domain: [-MAX_KERNEL_X, MAX_KERNEL_X], nice: false },
    axis: { title: 'x', grid: false, tickCount: 9 },
  };
  const ticks = logTicks(values.map(({ abs }) => abs));
  const y = {
    field: 'abs',
    type: 'quantitative',
    scale: { type: 'log', nice: false },
    axis: { title: 'absolute error, log scale', grid: true, values: ticks, format: '.0e', domain: false },
  };
  return draw(
    {
      data: { values },
      encoding: { x, y, color: colourBy('name', legend) },
      layer: [
        { mark: { type: 'line', strokeWidth: 1.5, aria: false } },
        // Invisible points, for the tooltip.
        { mark: { type: 'point', filled: true, size: 40, opacity: 0 }, encoding: { description: tip } },
      ],
    },
    { height: 190, alone },
  );
}

/** The drift of one output, in a series of a chart. */
export interface DriftLine {
  readonly series: string;
  readonly drift: Drift;
}

const DRIFT_HEAD = [
  ...['output', 'of', 'SQNR dB', 'max abs', 'scale', 'mean abs', 'RMSE', 'cosine'],
  ...['same top-1', 'same top-5', 'elements', 'not finite', 'note'],
];

/** Draws the SQNR of outputs, one row each; of too many outputs it draws the worst. */
export async function driftChart(
  title: string,
  caption: string,
  lines: readonly DriftLine[],
  alone = false,
): Promise<TabledChart | undefined> {
  if (lines.length === 0) return undefined;
  const legend = legendOf([...new Set(lines.map(({ series }) => series))]);
  const outputs = [...new Set(lines.map(({ drift }) => drift.output))];
  const drawn = worstOutputs(outputs, lines);
  return {
    title,
    caption:
      outputs.length > drawn.size
        ? `${caption} Shows the worst ${integer(drawn.size)} of ${plural(outputs.length, 'output')}.`
        : caption,
    legend,
    svg: await drawRatios(outputs, drawn, lines, legend, alone),
    head: DRIFT_HEAD,
    rows: lines.map(({ series, drift }) => [
      ...[drift.output, series, drift.sqnr, drift.maxAbs, drift.scale, drift.meanAbs, drift.rmse],
      ...[drift.cosine, drift.top1, drift.top5, drift.n, drift.broken],
      drift.problem ?? (isExact(drift) ? 'exact' : ''),
    ]),
  };
}

const isExact = ({ maxAbs, broken }: Drift) => maxAbs === 0 && broken === 0;

/** Returns the outputs to draw: all of them, or as many as a chart can show, with the lowest SQNR first. */
function worstOutputs(outputs: readonly string[], lines: readonly DriftLine[]): ReadonlySet<string> {
  if (outputs.length <= MAX_OUTPUTS) return new Set(outputs);
  const worst = (output: string) =>
    Math.min(...lines.map(({ drift }) => (drift.output === output ? comparableSqnr(drift) : Infinity)));
  const ranked = outputs
    .map((output) => ({ output, rank: worst(output) }))
    .toSorted((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank)); // ∞ − ∞ would be NaN
  return new Set(ranked.slice(0, MAX_OUTPUTS).map(({ output }) => output));
}

/** Draws one row per output in `drawn`, with one dot per series. Returns null if no output has a dot. */
async function drawRatios(
  outputs: readonly string[],
  drawn: ReadonlySet<string>,
  lines: readonly DriftLine[],
  legend: readonly LegendEntry[],
  alone: boolean,
): Promise<string | null> {
  const ratios = lines.flatMap(({ drift: { sqnr } }) =>
    sqnr !== null && Number.isFinite(sqnr) ? [sqnr] : [],
  );
  const top = Math.max(10, ...ratios) * 1.12;
  const labels = tellApart(outputs, 20);
  const values = lines
    .filter(({ drift }) => drawn.has(drift.output))
    .map(({ series, drift }) => {
      const at = isExact(drift) ? top : drift.sqnr;
      // Numbered, because shortened names may be equal.
      const label = labels[outputs.indexOf(drift.output)] ?? '';
      const row = `${outputs.indexOf(drift.output)}\n${label}`;
      const text = `${short(drift.output)}\n${short(series)}: ${sqnrOf(drift)}${drift.sqnr === null ? '' : ' dB'}`;
      return { row, label, series, at, exact: at === top, tip: `${text}\nmax abs ${figure(drift.maxAbs)}` };
    })
    .filter(({ at }) => at !== null && Number.isFinite(at));
  if (values.length === 0) return null;
  const x = {
    field: 'at',
    type: 'quantitative',
    scale: { domain: [Math.min(0, ...ratios), top], nice: false },
    axis: { title: 'SQNR in dB', tickCount: 6 },
  };
  const y = { field: 'row', type: 'nominal', sort: null, axis: { ...numberedAxis, grid: true } };
  const yOffset = { field: 'series', scale: { domain: legend.map(({ name }) => name) } };
  return draw(
    {
      data: { values },
      encoding: { x, y, yOffset, color: colourBy('series', legend) },
      layer: [
        { mark: { type: 'point', filled: true, size: 60, opacity: 1 }, encoding: { description: tip } },
        {
          transform: [{ filter: 'datum.exact' }],
          mark: { type: 'text', align: 'right', dx: -8, text: 'exact', fontSize: 11, aria: false },
        },
      ],
    },
    {
      height: drawn.size * Math.max(26, 12 * legend.length),
      labels: values.map(({ label }) => label),
      alone,
    },
  );
}

const LAYER_HEAD = [
  ...['node', 'operator', 'site', 'SQNR dB', 'cosine', 'max abs'],
  ...['mean a', 'std a', 'mean b', 'std b', 'note'],
];

/** Draws the SQNR between two models for every tensor inside them; sites are marked. */
export async function layersChart({ a, b, rows }: LayerComparison): Promise<TabledChart> {
  const all = rows.flatMap(({ sqnr, maxAbs, node, op, site }, index) => {
    if (sqnr === null || !Number.isFinite(sqnr)) return [];
    const tip = `${short(node)} (${short(op)})\nSQNR ${figure(sqnr)} dB\nmax abs ${figure(maxAbs)}`;
    return [{ index, sqnr, site, tip }];
  });
  const values = thinned(all);
  const of = ({ model, provider }: LayerComparison['a']) => `${model} on ${provider}`;
  const moments = (part: LayerComparison['rows'][number]['a']): Cell[] => [
    part?.mean ?? null,
    part?.std ?? null,
  ];
  return {
    title: `Layers: ${of(b)} against ${of(a)}`,
    caption: `Identical tensors have no SQNR and no mark.${values.length < all.length ? ` ${integer(values.length)} of ${integer(all.length)} are drawn: sites, and the lowest of each group of neighbours.` : ''}`,
    legend: legendOf(['tensor', 'output of a site']),
    svg: values.length === 0 ? null : await drawLayers(values, rows.length),
    head: LAYER_HEAD,
    rows: rows.map((row) => [
      ...[row.node, row.op, row.site ? 'site' : '', row.sqnr, row.cosine, row.maxAbs],
      ...moments(row.a),
      ...moments(row.b),
      row.problem ?? (row.maxAbs === 0 ? 'identical' : ''),
    ]),
  };
}

/** Draws a line over the tensors in topological order, `count` of them, with a diamond for each site. */
function drawLayers(values: readonly object[], count: number): Promise<string> {
  const x = {
    field: 'index',
    type: 'quantitative',
    scale: { nice: false, domain: [0, Math.max(1, count - 1)] },
    axis: { title: 'tensors in topological order', grid: false, tickMinStep: 1, tickCount: 8 },
  };
  const y = {
    field: 'sqnr',
    type: 'quantitative',
    scale: { zero: false },
    axis: { title: 'SQNR in dB', grid: true, tickCount: 5, domain: false },
  };
  return draw(
    {
      data: { values },
      encoding: { x, y },
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
