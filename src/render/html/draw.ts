import type { TopLevelSpec } from 'vega-lite';

/** Width of every chart in its own units: what a phone shows at nearly full size. */
export const WIDTH = 400;

/** Colours by number, defined for light and dark in the style. */
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
  // A title above its axis takes no room beside it, and is read without turning the head.
  axisY: {
    ...{ grid: false, ticks: false, labelPadding: 8 },
    ...{
      titleAngle: 0,
      titleAlign: 'left',
      titleAnchor: 'end',
      titleX: -38,
      titleY: -12,
      titleBaseline: 'bottom',
    },
  },
} as const;

/** What a chart draws on: how high its plot is, and the labels of its rows, which need room on the left. */
export interface Canvas {
  readonly height: number;
  readonly labels?: readonly string[];
}

/**
 * A Vega-Lite specification, its data included, as an SVG document. Vega is loaded by the first. Without a
 * DOM Vega guesses the width of text far too large, so that the room for labels is set here.
 */
export async function draw(spec: object, { height, labels }: Canvas): Promise<string> {
  const [{ compile }, vega] = await Promise.all([import('vega-lite'), import('vega')]);
  const longest = Math.max(
    0,
    ...(labels ?? []).flatMap((label) => label.split('\n').map(({ length }) => length)),
  );
  const left = labels === undefined ? 46 : Math.max(40, 20 + 6.8 * longest);
  const right = 14;
  const whole = {
    width: WIDTH - left - right,
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

/** What both models of a pair are called and drawn in; the original above, the swapped one below. */
export const MODELS = ['original', 'swapped'] as const;
export const MODEL_LEGEND = MODELS.map((name, index) => ({ name, colour: colour(index) }));
export const modelColour = {
  field: 'model',
  type: 'nominal',
  scale: { domain: MODELS, range: [colour(0), colour(1)] },
  legend: null,
} as const;
export const modelOffset = { field: 'model', scale: { domain: MODELS } } as const;

/** What the pointer is told over a mark. */
export const tip = { field: 'tip' } as const;

/** The names of rows: a line for each that the label has. */
export const rowAxis = { title: null, labelExpr: "split(datum.label, '\\n')", domain: false } as const;

/** The same for labels that start with a number on a line of its own, which tells names apart that are cut alike. */
export const numberedAxis = { ...rowAxis, labelExpr: "split(datum.label, '\\n')[1]" } as const;

/** Places on a log axis that read well: 1, 2 and 5 of each power of ten, or powers alone where they are many. */
export function logTicks(values: readonly number[]): number[] {
  const known = values.filter((value) => value > 0 && Number.isFinite(value));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const powers = Math.ceil(Math.log10(high)) - Math.floor(Math.log10(low));
  const step = Math.max(1, Math.ceil(powers / 6));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += step) {
    for (const digit of powers <= 2 ? [1, 2, 5] : [1]) ticks.push(Number(`${digit}e${power}`));
  }
  const shown = ticks.filter((tick) => tick >= low && tick <= high);
  return shown.length > 1 ? shown : [low, high].map((value) => Number(value.toPrecision(2)));
}
