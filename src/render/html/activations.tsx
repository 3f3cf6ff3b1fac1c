import { integer, plural } from '../../base/plural.js';
import type { Activations, SiteActivations } from '../../calibrate/activations/activations.js';
import { describeBroken, describeData, describeUnits } from '../activations.js';
import { figure, percent } from '../figures.js';
import { htmlDocument } from './document.js';
import { colour, draw, tip } from './draw.js';
import { type Cell, ChartCard, FactList, Name, Table, type TabledChart } from './parts.js';

/** Maximum charts on a page; the table lists all sites. */
const MAX_CHARTS = 60;
/** Left edge of the interval left of 0 in which Mish dips. */
const DIP_START = -2.5;

/** Returns an HTML page with the inputs of a model's activations. The text in `activations` must be printable. */
export async function activationsPage(activations: Activations, model: string): Promise<string> {
  return htmlDocument(
    `Activations of ${model}`,
    <>
      <p class="eyebrow">onnx-mish inspect</p>
      <h1>
        Inputs of the activations of <Name text={model} longest={120} />
      </h1>
      {await activationsSection(activations)}
    </>,
  );
}

async function activationsSection(activations: Activations) {
  const { sites, unmeasured, data } = activations;
  const drawn = sites.slice(0, MAX_CHARTS);
  const charts = await Promise.all(drawn.map(histogramChart));
  return (
    <>
      <div class="wide">
        <FactList
          facts={{
            data: describeData(activations),
            shapes: Object.entries(data.shapes).map(([name, dims]) => (
              <div key={name}>
                <Name text={name} longest={48} />: {dims.join(' × ') || 'scalar'}
              </div>
            )),
            sites: `${integer(sites.length)} measured${unmeasured.length > 0 ? `, ${integer(unmeasured.length)} not` : ''}`,
          }}
        />
        {data.source === 'seed' && (
          <p class="soft">The inputs are noise, so these figures say little about real samples.</p>
        )}
      </div>
      <h2>Sites</h2>
      <div class="wide">
        {sites.length === 0 ? <p>There is no site to measure.</p> : <SiteTable sites={sites} />}
        <p class="soft">
          Units are channels or features. Never above 0: no element of the unit is above 0; ReLU outputs only
          0 there, LeakyReLU only slope · x. Rarely above 0: less than 1 % of its elements are. In the dip:
          −2.5 &lt; x &lt; 0, where Mish dips below 0. Bends: |x| &lt; 4, where Mish is curved. Let through:
          the sum of |mish(x) − f(x)| over x &lt; 0, as a share of the sum of |f(x)| over all x, where f is
          the original activation.
        </p>
      </div>
      {charts.length > 0 && (
        <>
          <h2>Inputs</h2>
          <ul class="legend">
            {LEGEND.map(({ name, colour }) => (
              <li key={name}>
                <span class="swatch" style={{ background: colour }} />
                {name}
              </li>
            ))}
          </ul>
          {sites.length > drawn.length && (
            <p class="soft">
              The first {drawn.length} of {plural(sites.length, 'site')} are drawn.
            </p>
          )}
          <div class="grid">
            {charts.map((chart, index) => (
              <ChartCard key={index} chart={chart} />
            ))}
          </div>
        </>
      )}
      {unmeasured.length > 0 && (
        <>
          <h2>Not measured</h2>
          <div class="wide">
            <Table
              head={['site', 'kind', 'why']}
              rows={unmeasured.map(({ label, kind, why }) => [
                <Name text={label} />,
                kind,
                <Name text={why} longest={300} />,
              ])}
            />
          </div>
        </>
      )}
    </>
  );
}

const SHADE_OPACITY = 0.2;
const LEGEND = [
  { name: 'share of the inputs', colour: colour(0) },
  { name: 'inputs in Mish’s dip, −2.5 < x < 0', colour: colour(1) },
];

const HEAD = [
  ...['site', 'activation', 'units', 'never > 0', 'rarely > 0', 'mean', 'std', 'min', 'max'],
  ...['% > 0', '% in dip', '% bends', '% let through'],
];

function SiteTable({ sites }: { sites: readonly SiteActivations[] }) {
  const notes = sites.some((site) => noteOf(site) !== '');
  const rows = sites.map((site) => (notes ? [...cells(site), noteOf(site)] : cells(site)));
  return <Table head={notes ? [...HEAD, 'note'] : HEAD} rows={rows} />;
}

function cells(site: SiteActivations): Cell[] {
  const { label, units, mean, std, min, max, positive, dip, bend, letThrough } = site;
  return [
    ...[<Name text={label} />, activationOf(site), describeUnits(site)],
    units === null ? '–' : `${units.neverPositive} (${percent(units.neverPositive / units.count)})`,
    units === null ? '–' : `${units.rarelyPositive} (${percent(units.rarelyPositive / units.count)})`,
    ...[mean, std, min, max],
    ...[positive, dip, bend, letThrough].map((share) => (share === null ? null : 100 * share)),
  ];
}

function activationOf({ kind, alpha }: SiteActivations): string {
  const name = { relu: 'ReLU', leakyrelu: 'LeakyReLU' }[kind] ?? kind;
  return alpha === undefined ? name : `${name} (${typeof alpha === 'number' ? figure(alpha) : alpha})`;
}

function noteOf({ nan, infinite, n }: SiteActivations): string {
  if (n === 0 && nan + infinite === 0) return 'no elements';
  return nan + infinite > 0 ? describeBroken(nan, infinite) : '';
}

/** Draws a histogram of one site's inputs, with Mish's dip shaded. */
async function histogramChart(site: SiteActivations): Promise<TabledChart> {
  const { label, units, histogram, n, dip, letThrough } = site;
  const dead = units !== null && units.neverPositive > 0 ? `, ${units.neverPositive} never above 0` : '';
  const outside = histogram === null ? 0 : histogram.below + histogram.above;
  const sentences = [
    `${activationOf(site)}, ${describeUnits(site)}${dead}`,
    `${percent(dip)} in the dip, ${percent(letThrough)} let through`,
    ...(outside > 0 ? [`${percent(outside / n)} lie outside the chart`] : []),
    ...(noteOf(site) === '' ? [] : [noteOf(site)]),
  ];
  const bins = (histogram?.counts ?? []).map((count, index) => {
    const from = (histogram?.from ?? 0) + index * (histogram?.width ?? 1);
    const to = from + (histogram?.width ?? 1);
    return { from, to, count };
  });
  const below = histogram?.below ? [['below', '', histogram.below, percent(histogram.below / n)]] : [];
  const above = histogram?.above ? [['above', '', histogram.above, percent(histogram.above / n)]] : [];
  return {
    title: label,
    caption: sentences.map((sentence) => `${sentence}.`).join(' '),
    legend: [],
    svg: bins.length === 0 ? null : await drawBars(cutAtDip(bins, Math.round((dip ?? 0) * n)), n),
    head: ['from', 'to', 'inputs', 'share'],
    rows: [
      ...below,
      ...bins
        .filter(({ count }) => count > 0)
        .map(({ from, to, count }) => [from, to, count, percent(count / n)]),
      ...above,
    ],
  };
}

interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * Splits the bin that contains the dip's left edge. The number of inputs in the dip gives the counts of both halves.
 */
function cutAtDip(bins: readonly Bin[], inDip: number): Bin[] {
  const whole = bins.filter(({ from, to }) => from >= DIP_START && to <= 0);
  const rest = inDip - whole.reduce((sum, { count }) => sum + count, 0);
  return bins.flatMap((bin) => {
    const { from, to, count } = bin;
    if (from >= DIP_START || to <= DIP_START) return [bin];
    const inside = Math.max(0, Math.min(count, rest));
    return [
      { from, to: DIP_START, count: count - inside },
      { from: DIP_START, to, count: inside },
    ];
  });
}

/** Draws bars whose areas are the shares; the height of a whole bin is its share. */
function drawBars(bins: readonly Bin[], n: number): Promise<string> {
  const width = Math.max(...bins.map(({ from, to }) => to - from));
  const bars = bins
    .filter(({ count }) => count > 0)
    .map(({ from, to, count }) => {
      const height = (count / n) * (width / (to - from));
      return { from, to, height, tip: `${figure(from)} to ${figure(to)}\n${percent(count / n)}` };
    });
  const inDip = ({ from, to }: { readonly from: number; readonly to: number }) =>
    from >= DIP_START && to <= 0;
  const [low, high] = [bins[0]?.from ?? 0, bins.at(-1)?.to ?? 1];
  // A histogram of few bins gets a margin on both sides.
  const room = bins.length < 5 ? (high - low) / 2 : 0;
  const domain = [low - room, high + room] as const;
  const top = Math.max(...bars.map(({ height }) => height));
  const x = {
    field: 'from',
    type: 'quantitative',
    scale: { domain, nice: false, zero: false },
    axis: { title: 'x', grid: false, tickCount: 7 },
  };
  const y = {
    field: 'height',
    type: 'quantitative',
    scale: { domain: [0, top], nice: false },
    axis: {
      title: `share of the inputs per ${figure(width)}`,
      grid: true,
      tickCount: 4,
      format: '.2~%',
      domain: false,
    },
  };
  const encoding = { x, x2: { field: 'to' }, y, y2: { datum: 0 } };
  const [from, to] = [Math.max(DIP_START, domain[0]), Math.min(0, domain[1])];
  const back = {
    data: { values: from < to ? [{ from, to, height: top }] : [] },
    mark: { type: 'rect', color: colour(1), opacity: SHADE_OPACITY, aria: false },
    encoding,
  };
  const layer = (values: typeof bars, shade: string) => {
    const mark = { type: 'rect', color: shade, stroke: 'var(--card)', strokeWidth: 0.4 };
    return { data: { values }, mark, encoding: { ...encoding, description: tip } };
  };
  const outside = bars.filter((bar) => !inDip(bar));
  const hasValues = ({ data: { values } }: { readonly data: { readonly values: readonly object[] } }) =>
    values.length > 0;
  return draw(
    // A layer without bars would be a picture without a name.
    { layer: [back, layer(outside, colour(0)), layer(bars.filter(inDip), colour(1))].filter(hasValues) },
    { height: 130 },
  );
}
