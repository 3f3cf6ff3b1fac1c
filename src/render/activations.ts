import { integer, plural } from '../base/plural.js';
import type { Activations, SiteActivations } from '../calibrate/activations/activations.js';
import { clean as cleanText } from './clean.js';
import { figure, hintText, joinSections, percent, safeText, short, tellApart } from './figures.js';
import { plainTable, type TerminalOptions } from './terminal.js';

/** Options of the text. */
export interface ActivationsText {
  readonly clean?: TerminalOptions['clean'];
  /** Maximum number of sites to list; default: all. */
  readonly most?: number | undefined;
  /** Advice on how to list all sites. */
  readonly hint?: string | undefined;
}

/**
 * Formats the inputs of a model's activations as a table for a terminal. `most` limits how many sites it lists;
 * `clean` makes names from the model safe to print.
 *
 * @example
 * import { activations } from 'onnx-mish/calibrate';
 * import { renderActivations } from 'onnx-mish/report';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * console.log(renderActivations(await activations('model.onnx', { data: (inputs) => seededFeeds(inputs, {}) })));
 */
export function renderActivations(
  activations: Activations,
  { clean = cleanText, most = Number.POSITIVE_INFINITY, hint }: ActivationsText = {},
): string {
  const safe = safeText(activations, clean);
  const { sites, unmeasured } = safe;
  const shown = sites.slice(0, most);
  const more = hintText(hint);
  const sections = [
    [
      `Inputs of ${plural(sites.length, 'activation')}, over ${describeData(safe)}`,
      ...(shown.length === 0 ? [] : [table(shown)]),
      ...(sites.length > shown.length ? [`  and ${integer(sites.length - shown.length)} more${more}`] : []),
    ],
    shown.length === 0 ? [] : LEGEND,
    remarks(safe),
    unmeasured.slice(0, most).map(({ label, why }) => `not measured: ${short(label)}: ${why}`),
    unmeasured.length > most ? [`and ${integer(unmeasured.length - most)} more not measured${more}`] : [],
  ];
  return joinSections(sections);
}

/** Maximum characters of a name in the table, which has to fit into 100 columns. */
const MAX_NAME_CHARACTERS = 28;
/** With fewer elements per unit than this, “never above 0” may be chance. */
const MIN_ELEMENTS = 100;

function table(sites: readonly SiteActivations[]): string {
  const names = tellApart(
    sites.map(({ label }) => label),
    MAX_NAME_CHARACTERS,
  );
  const rows = sites.map((site, index) => {
    const { units, mean, std, dip, bend, letThrough } = site;
    return [
      names[index] ?? '',
      units === null ? '–' : String(units.count),
      units === null ? '–' : percent(units.neverPositive / units.count),
      units === null ? '–' : percent(units.rarelyPositive / units.count),
      ...[figure(mean), figure(std), percent(dip), percent(bend), percent(letThrough)],
    ];
  });
  const head = ['site', 'units', 'never', 'rarely', 'mean', 'std', 'in dip', 'bends', 'through'];
  return plainTable(head, rows, 1);
}

const LEGEND = [
  'never    units (channels or features) whose input was never above 0: ReLU outputs only 0 there,',
  '         LeakyReLU only slope · x',
  'rarely   units above 0 in less than 1 % of their elements, including “never”',
  'in dip   inputs with -2.5 < x < 0, where Mish dips below 0',
  'bends    inputs with |x| < 4, where Mish is curved',
  'through  what Mish adds below 0: the sum of |mish(x) − f(x)| over x < 0, as a share of the',
  '         sum of |f(x)| over all x, where f is the original activation',
];

/** Returns warnings: dead units, NaN or infinite inputs, and noise instead of real samples. */
function remarks({ data, sites }: Activations): string[] {
  const lines: string[] = [];
  const dead = sites.filter(({ units }) => (units?.neverPositive ?? 0) > 0);
  if (dead.length > 0) {
    const all = dead.reduce((sum, { units }) => sum + (units?.neverPositive ?? 0), 0);
    const each = Math.min(...dead.map(({ units }) => units?.each ?? 0));
    const few = each < MIN_ELEMENTS ? ` (seen in as few as ${figure(each)} elements each)` : '';
    lines.push(`${plural(all, 'unit')} at ${plural(dead.length, 'site')} never above 0${few}`);
  }
  for (const { label, nan, infinite } of sites) {
    if (nan + infinite > 0) lines.push(`${short(label)}: ${describeBroken(nan, infinite)}`);
  }
  if (data.source === 'seed')
    lines.push('the inputs are noise, so these figures say little about real samples');
  return lines;
}

/** Says how many elements were left out: `3 NaN and 1 infinite elements were left out`. */
export function describeBroken(nan: number, infinite: number): string {
  const parts = [
    ...(nan > 0 ? [`${integer(nan)} NaN`] : []),
    ...(infinite > 0 ? [`${integer(infinite)} infinite`] : []),
  ];
  return `${parts.join(' and ')} ${nan + infinite === 1 ? 'element was' : 'elements were'} left out`;
}

/** Describes the samples: `256 samples in 256 of 1000 runs (npz)`. */
export function describeData({ data: { source, seed, runs, of, samples } }: Activations): string {
  const from = source === 'seed' ? `seeded noise, seed ${seed}` : source;
  const some =
    runs < of
      ? `, ${integer(runs)} of ${plural(of, 'run')}`
      : runs === samples
        ? ''
        : `, ${plural(runs, 'run')}`;
  return `${plural(samples, 'sample')} (${from}${some})`;
}

/** Returns the number of units and whether they are channels or features. */
export function describeUnits({ units, dims }: SiteActivations): string {
  if (units === null) return 'units unknown';
  return plural(units.count, dims.length > 2 && units.axis === 1 ? 'channel' : 'feature');
}
