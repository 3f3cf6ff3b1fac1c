import type { TopLevelSpec } from 'vega-lite';

/** Width of every chart in SVG units, close to the width of a phone's screen. */
const WIDTH = 400;

/** Width of a chart that is alone in the row of a wide page. */
const ALONE_WIDTH = 1000;

/** Returns the CSS variable of colour `index`; the style defines it for light and dark. */
export const colour = (index: number): string => `var(--c${index % 8})`;

const CONFIG = {
  background: 'transparent',
  font: 'system-ui, sans-serif',
  view: { stroke: null },
  axis: {
    labelColor: 'var(--soft)',
    titleColor: 'var(--soft)',
    titleFontWeight: 'normal',
    labelFontSize: 11.5,
    titleFontSize: 11.5,
    gridColor: 'var(--line)',
    gridOpacity: 0.6,
    domainColor: 'var(--line)',
    tickColor: 'var(--line)',
    labelLimit: 1000,
    labelFlush: false,
  },
  // A title above the axis is horizontal and takes no room beside the axis.
  axisY: {
    grid: false,
    ticks: false,
    labelPadding: 8,
    titleAngle: 0,
    titleAlign: 'left',
    titleAnchor: 'end',
    titleX: -38,
    titleY: -12,
    titleBaseline: 'bottom',
  },
} as const;

/** The height of a chart's plot, and the row labels that need room at its left. */
export interface Canvas {
  readonly height: number;
  readonly labels?: readonly string[];
  /** Whether the chart is alone in its row: it is drawn for a wide page, too. */
  readonly alone?: boolean | undefined;
}

/**
 * Draws a Vega-Lite specification, its data included, as an SVG document; with `alone`, as HTML with a narrow and a wide one. The
 * first call loads Vega. Without a DOM, Vega overestimates the width of text, so that this function sets the room for labels.
 */
export async function draw(spec: object, { alone = false, ...canvas }: Canvas): Promise<string> {
  const narrow = await drawAt(WIDTH, spec, canvas);
  if (!alone) return narrow;
  const wide = await drawAt(ALONE_WIDTH, spec, canvas);
  return `<div class="narrow-chart">${narrow}</div><div class="wide-chart">${wide}</div>`;
}

async function drawAt(width: number, spec: object, { height, labels }: Canvas): Promise<string> {
  const [{ compile }, vega] = await Promise.all([import('vega-lite'), import('vega')]);
  const longest = Math.max(
    0,
    ...(labels ?? []).flatMap((label) => label.split('\n').map(({ length }) => length)),
  );
  const left = labels === undefined ? 46 : Math.max(40, 20 + 6.8 * longest);
  const right = 14;
  const whole = {
    width: width - left - right,
    height,
    padding: { left, right, top: labels === undefined ? 28 : 8, bottom: 40 },
    autosize: 'none',
    ...spec,
    config: CONFIG,
  } as TopLevelSpec;
  const view = new vega.View(vega.parse(compile(whole).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** A name and its colour in a chart. */
export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
}

/** Gives each name a colour of its own. */
export const legendOf = (names: readonly string[]): LegendEntry[] =>
  names.map((name, index) => ({ name, colour: colour(index) }));

/** Returns the encoding that colours marks by a field, as the legend says. The page draws the legend itself. */
export const colourBy = (field: string, legend: readonly LegendEntry[]) => ({
  field,
  type: 'nominal',
  scale: { domain: legend.map(({ name }) => name), range: legend.map((entry) => entry.colour) },
  legend: null,
});

/** Names of both models in charts; the original is above, the swapped model below. */
export const MODELS = ['original', 'swapped'] as const;
export const MODEL_LEGEND = legendOf(MODELS);
export const modelColour = colourBy('model', MODEL_LEGEND);
export const modelOffset = { field: 'model', scale: { domain: MODELS } } as const;

/** Field with the text that the pointer shows over a mark. */
export const tip = { field: 'tip' } as const;

/** Axis with the names of rows; labels may have several lines. */
export const rowAxis = { title: null, labelExpr: "split(datum.label, '\\n')", domain: false } as const;

/** Axis for labels whose first line is a hidden number, which distinguishes names that are equal after shortening. */
export const numberedAxis = { ...rowAxis, labelExpr: "split(datum.label, '\\n')[1]" } as const;

/** Returns readable ticks for a log axis: 1, 2 and 5 of each power of ten, or only powers where the range is wide. */
export function logTicks(values: readonly number[]): number[] {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  const [low, high] = [Math.min(...positive), Math.max(...positive)];
  const powers = Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low));
  const step = Math.max(1, Math.ceil(powers / 6));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += step) {
    for (const digit of powers <= 2 ? [1, 2, 5] : [1]) ticks.push(Number(`${digit}e${power}`));
  }
  const shown = ticks.filter((tick) => tick >= low && tick <= high);
  return shown.length > 1 ? shown : [low, high].map((value) => Number(value.toPrecision(2)));
}
