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
    labelFontSize: 11,
    titleFontSize: 11,
    gridColor: 'var(--line)',
    gridOpacity: 0.6,
    domainColor: 'var(--line)',
    tickColor: 'var(--line)',
    labelLimit: 1000,
  },
  axisY: { grid: false, ticks: false, labelPadding: 8 },
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
  const left = labels === undefined ? 54 : Math.max(40, 14 + 6.4 * longest);
  const right = 14;
  const whole = {
    width: WIDTH - left - right,
    height,
    padding: { left, right, top: 8, bottom: 40 },
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
