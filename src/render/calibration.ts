import { integer } from '../base/plural.js';
import { activationLabel } from '../mish/activations.js';
import type { Calibration, LayerRepair } from '../node/calibrate.js';
import {
  describeCurved,
  describeDifference,
  describeFold,
  describeInt8,
  describeResult,
  describeSamples,
  describeSharpness,
  describeSwap,
  describeTuning,
  describeUnfolded,
  hasCurved,
  LAYER_HEAD,
  LAYER_LEGEND,
  layerCells,
  notesOf,
  outputHead,
  outputRows,
  SITE_HEAD,
  siteCells,
  siteLegend,
} from './calibration-figures.js';
import { clean as cleanText } from './clean.js';
import { hintText, joinSections, safeText, short, tellApart } from './figures.js';
import { plainTable, type TerminalOptions } from './terminal.js';

/** Options of the text. */
export interface CalibrationText {
  readonly clean?: TerminalOptions['clean'];
  /** Whether to list every layer and site. */
  readonly all?: boolean | undefined;
  /** Advice on how to list everything. */
  readonly hint?: string | undefined;
}

/**
 * Formats the result of a calibration for a terminal. `clean` makes names from the model safe to print; `all` lists
 * every layer and site.
 *
 * @example
 * import { calibrate } from 'onnx-mish/calibrate';
 * import { renderCalibration } from 'onnx-mish/report';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { report } = await calibrate('model.onnx', { data: (inputs) => seededFeeds(inputs, { count: 256 }) });
 * console.log(renderCalibration(report));
 */
export function renderCalibration(
  calibration: Calibration,
  { clean = cleanText, all = false, hint }: CalibrationText = {},
): string {
  const safe = safeText(calibration, clean);
  const { layers, leftAlone, sites, samples, sharpness } = safe;
  const sections = [
    [describeSwap(safe), `${describeSamples(samples)}.`],
    layers.length === 0 ? [] : [layerTable(all ? layers : middleCut(layers), hint), LAYER_LEGEND],
    cut(leftAlone, all).map((one) =>
      typeof one === 'number'
        ? `and ${one} more not repaired${hintText(hint)}`
        : `not repaired: ${one.op} ${short(one.label)}: ${one.why}`,
    ),
    describeTuning(safe),
    sharpness === null && !hasCurved(safe)
      ? []
      : [
          ...describeCurved(safe),
          ...describeSharpness(safe),
          siteTable(safe, all ? sites.length : MAX_LISTED, hint),
          ...cut(describeUnfolded(safe), all).map((line) =>
            typeof line === 'number' ? `and ${line} more${hintText(hint)}` : line,
          ),
        ],
    describeFold(safe),
    describeInt8(safe),
    [...outputTable(safe, all, hint), ...describeDifference(safe), describeResult(safe)],
    notesOf(safe).map((note) => `note: ${note}`),
  ];
  return joinSections(sections);
}

/** Maximum characters of a name in a table, which has to fit into 100 columns. */
const MAX_NAME_CHARACTERS = 34;
/** Maximum layers and sites listed, unless all are wanted. */
const MAX_LISTED = 40;

/** Returns the first `MAX_LISTED` items, followed by the number of omitted ones. */
function cut<T>(items: readonly T[], all: boolean): (T | number)[] {
  if (all || items.length <= MAX_LISTED) return [...items];
  return [...items.slice(0, MAX_LISTED), items.length - MAX_LISTED];
}

/** Returns the first and last layers, with the number of omitted layers between them. */
function middleCut(layers: readonly LayerRepair[]): (LayerRepair | number)[] {
  if (layers.length <= MAX_LISTED) return [...layers];
  const half = MAX_LISTED / 2;
  return [...layers.slice(0, half), layers.length - MAX_LISTED, ...layers.slice(-half)];
}

function layerTable(layers: readonly (LayerRepair | number)[], hint: string | undefined): string {
  const known = layers.filter((layer) => typeof layer !== 'number');
  const names = tellApart(
    known.map(({ label }) => label),
    MAX_NAME_CHARACTERS,
  );
  const rows = layers.map((layer) => {
    if (typeof layer === 'number') return [`… ${layer} more${hintText(hint)}`, '', '', '', '', ''];
    const [op = '', ...cells] = layerCells(layer);
    return [names[known.indexOf(layer)] ?? '', short(op, MAX_NAME_CHARACTERS), ...cells];
  });
  return plainTable(LAYER_HEAD, rows);
}

function siteTable(calibration: Calibration, most: number, hint: string | undefined): string {
  const { to, sites: all } = calibration;
  const sites = all.slice(0, most);
  const more = all.length > most ? `\n… ${integer(all.length - most)} more${hintText(hint)}` : '';
  const names = tellApart(
    sites.map(({ label }) => label),
    MAX_NAME_CHARACTERS,
  );
  const rows = sites.map((site, index) => {
    const [kind = '', ...cells] = siteCells(site, activationLabel(to));
    return [names[index] ?? '', short(kind, MAX_NAME_CHARACTERS), ...cells];
  });
  return `${plainTable(SITE_HEAD, rows, 3)}${more}\n${siteLegend(calibration)}`;
}

function outputTable(calibration: Calibration, all: boolean, hint: string | undefined): string[] {
  const rows = outputRows(calibration);
  const shown = all ? rows : rows.slice(0, 3 * MAX_LISTED);
  const table = plainTable(
    outputHead(calibration),
    shown.map(([output = '', ...rest], index) => [
      index % 3 === 0 ? short(output, MAX_NAME_CHARACTERS) : '',
      ...rest,
    ]),
  );
  const more = (rows.length - shown.length) / 3;
  return [table, ...(more > 0 ? [`and ${integer(more)} more outputs${hintText(hint)}`] : [])];
}
