import { type LimitVerdict, limitText } from '../calibrate/select/budget.js';
import { medianBeta } from '../calibrate/select/search-sharpness.js';
import { pointsText } from '../metrics/paired.js';
import { median } from '../metrics/statistics.js';
import { ACTIVATIONS } from '../mish/activations.js';
import type { Calibration, LayerRepair, ModelComparison, SiteWithCurvedShare } from '../node/calibrate.js';
import { clean as cleanText } from './clean.js';
import {
  accuracyWithInterval,
  figure,
  hintText,
  joinSections,
  mapText,
  percent,
  short,
  sqnrOf,
  tellApart,
} from './figures.js';
import { plainTable, type TerminalOptions } from './terminal.js';

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
  const safe = mapText(calibration, (text) => short(clean(text), MAX_CHARACTERS));
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
          siteTable(sites, all ? sites.length : MAX_LISTED, hint),
          ...cut(describeUnfolded(safe), all).map((line) =>
            typeof line === 'number' ? `and ${line} more${hintText(hint)}` : line,
          ),
        ],
    describeFold(safe),
    [...outputTable(safe, all, hint), ...describeDifference(safe), describeResult(safe)],
    notesOf(safe).map((note) => `note: ${note}`),
  ];
  return joinSections(sections);
}

/** Maximum characters of any text, and of a name in a table, which has to fit into 100 columns. */
const MAX_CHARACTERS = 600;
const MAX_NAME_CHARACTERS = 34;
/** Maximum layers and sites listed, unless all are wanted. */
const MAX_LISTED = 40;

const LAYER_LEGEND =
  'Error: mean squared error of a layer’s output against the original, divided by the variance of the original’s output. On validation samples, before and after the repair.';

/** Returns the name of the written activation. Reports of earlier versions lack it: they are of Mish. */
export function writtenLabel({ to = 'mish' }: Partial<Pick<Calibration, 'to'>>): string {
  return Object.hasOwn(ACTIVATIONS, to) ? ACTIVATIONS[to].label : to;
}

export function describeSwap({ to, sites, form, beta, sharpness, curved, leaky }: Calibration): string {
  const isSeparate = beta === null && (sharpness !== null || (curved ?? null) !== null);
  const sharp = isSeparate ? ', with a separate β for each' : (beta ?? 1) === 1 ? '' : `, β = ${beta}`;
  const count = `${sites.length} ${sites.length === 1 ? 'site' : 'sites'}`;
  const label = writtenLabel({ to });
  if (label !== 'Mish') return `${count} → ${label}${sharp}.`;
  const mixtures = sites.filter(({ leak }) => leak !== undefined).length;
  const what =
    mixtures === 0 ? 'Mish' : mixtures === sites.length ? 'mixtures of x and Mish' : 'Mish or mixtures';
  return `${count} → ${what} in the ${form} form${sharp}.${describeLeaky(leaky)}`;
}

/** Says why LeakyReLUs became mixtures. Reports of earlier versions lack the entry. */
function describeLeaky(leaky: Calibration['leaky'] | undefined): string {
  if ((leaky ?? null) === null || !leaky) return '';
  const { sites, measure, mish, mixture } = leaky;
  const text = (value: number | null) => (measure === 'sqnr' ? `${figure(value)} dB` : percent(value));
  return ` MIXTURES at ${sites} LeakyRelu: with Mish the repair reached ${measure} ${text(mish)} on validation samples, with αx + (1 − α)·Mish ${text(mixture)}. The choice mish for LeakyRelu writes Mish all the same.`;
}

const SOURCES = {
  seed: 'noise samples',
  npz: 'samples',
  'onnx-test': 'test cases',
  images: 'images',
} as const;

export function describeSamples({ source, seed, fit, held, judged }: Calibration['samples']): string {
  return `${fit} ${SOURCES[source]} to fit weights, ${held} to choose between fits, ${judged} to test the result (seed ${seed})`;
}

/** Returns whether the calibrated model's weights differ from the plain swap's. */
export function changesWeights({ layers, tuning }: Calibration): boolean {
  return layers.some(({ method }) => method !== 'none') || (tuning !== null && tuning.after < tuning.before);
}

/** Fewer samples than this for validation or test give unreliable figures. */
const MIN_SAMPLES = 16;

/** Returns the report's notes, and warnings about noise and about too few samples. */
export function notesOf({ samples, notes }: Calibration): string[] {
  const { source, held, judged } = samples;
  const noise =
    'the samples are noise, which the model will never see in use; a few hundred real samples, even without labels, give a much better fit';
  const few = `${Math.min(held, judged)} samples are too few to choose or test a result: give a few hundred in all`;
  return [
    ...(source === 'seed' ? [noise] : []),
    ...(Math.min(held, judged) < MIN_SAMPLES ? [few] : []),
    ...notes,
  ];
}

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
    const { op, parameters, before, after } = layer;
    const name = names[known.indexOf(layer)] ?? '';
    return [
      name,
      short(op, MAX_NAME_CHARACTERS),
      String(parameters),
      errorText(before),
      errorText(after),
      describeMethod(layer),
    ];
  });
  return plainTable(['layer', 'operator', 'numbers', 'error', 'after', 'by'], rows);
}

/** Maximum error shown as a number: a larger one only means that the output hardly varies over the samples. */
export const MAX_ERROR = 10;

/** Formats a layer's error as a percentage of its output's variance; `–` where its inputs were not finite. */
export function errorText(error: number | null): string {
  if (error === null || Number.isNaN(error)) return percent(null);
  return error > MAX_ERROR ? `> ${percent(MAX_ERROR)}` : percent(error);
}

export function describeMethod({ method, ridge }: LayerRepair): string {
  if (method === 'none') return 'not changed';
  return ridge === null ? method : `${method}, ridge ${figure(ridge)}`;
}

export function describeTuning({ tuning }: Calibration): string[] {
  if (tuning === null) return [];
  const { steps, before, after } = tuning;
  const gain =
    after < before
      ? `from ${figure(before)} to ${figure(after)}`
      : `not below ${figure(before)}, so the steps were discarded`;
  return [`${steps} gradient steps on all layers: loss on validation samples ${gain}.`];
}

/** Formats the value of a verdict, with the lower end of its interval if that decides. */
export function describeVerdict({ measure, value, low }: LimitVerdict): string {
  const end = low === undefined ? '' : ` (at least ${figure(low, 4)} with 95 % confidence)`;
  return `${measure} ${figure(value, 4)}${end}`;
}

export function describeSharpness({ sharpness, sites }: Calibration): string[] {
  if (sharpness === null) return [];
  const { budget, trials, kept, verdicts } = sharpness;
  const betas = sites.map(({ beta }) => beta).sort((a, b) => a - b);
  const values = verdicts.map(describeVerdict).join(', ');
  return [
    `β for ${budget.map(limitText).join(' and ')}, after ${trials.length} ${trials.length === 1 ? 'trial' : 'trials'}: ${figure(betas[0])} to ${figure(betas.at(-1))}, median ${figure(medianBeta(betas))}. On samples that no weights were fitted to: ${values}${kept ? '' : ': NOT kept'}.`,
  ];
}

/** Returns whether the sharpness follows from the inputs of the sites. Reports of earlier versions lack the entry. */
function hasCurved({
  curved,
  sites,
}: Partial<Pick<Calibration, 'curved'>> & Pick<Calibration, 'sites'>): boolean {
  return (curved ?? null) !== null && sites.length > 0;
}

/** Describes the sharpness that follows from the inputs of the sites. */
export function describeCurved({ curved, sites }: Calibration): string[] {
  if (!hasCurved({ curved, sites }) || curved === null) return [];
  const shares = sites.flatMap(({ bends }) => bends ?? []).sort((a, b) => a - b);
  return [
    `β from the inputs: at least ${percent(curved.share)} of them on the bend; folded into weights at ${curved.folded.length} of ${sites.length} sites. On test samples: median share ${percent(shares.length === 0 ? null : median(shares))}, least ${percent(shares[0] ?? null)}.`,
  ];
}

/** Says for each site that its inputs allow a larger β, which only a Mul before and after the site could apply. */
export function describeUnfolded({ curved }: Calibration): string[] {
  return (curved?.kept ?? []).map(
    ({ label, beta, why }) =>
      `not folded: ${short(label)}: its inputs allow β = ${figure(beta)}, which needs two Mul nodes here; ${why}`,
  );
}

/** Says at how many sites β was folded into weights, and why it was not at the others. */
export function describeFold({ to, fold }: Calibration): string[] {
  if (fold === null || fold.folded.length + fold.kept.length === 0) return [];
  const all = fold.folded.length + fold.kept.length;
  return [
    `β folded into weights at ${fold.folded.length} of ${all} sites: these are now ${writtenLabel({ to })} with β = 1 of scaled inputs.`,
    ...fold.kept.map(({ label, why }) => `not folded: ${short(label)}: ${why}`),
  ];
}

function siteTable(all: readonly SiteWithCurvedShare[], most: number, hint: string | undefined): string {
  const sites = all.slice(0, most);
  const more = all.length > most ? `\n… ${all.length - most} more${hintText(hint)}` : '';
  const names = tellApart(
    sites.map(({ label }) => label),
    MAX_NAME_CHARACTERS,
  );
  const rows = sites.map(({ kind, beta, bends, leak }, index) => {
    const what = leak === undefined ? 'Mish' : `mixture, α ${figure(leak)}`;
    return [names[index] ?? '', short(kind, MAX_NAME_CHARACTERS), what, figure(beta), percent(bends)];
  });
  return `${plainTable(['site', 'was', 'is', 'β', 'bends'], rows, 3)}${more}\nBends: share of the inputs with |βx| < 4. Where it is small, the site still acts like ReLU.`;
}

/** Returns table rows: three for each output, for the original, the plain swap and the calibrated model. */
export function outputRows({ original, swapped, calibrated }: Calibration): string[][] {
  const agreement = (judgement: ModelComparison, index: number) => judgement.drift[index]?.top1 ?? null;
  return swapped.drift.flatMap(({ output }, index) =>
    [['original', null] as const, ['plain swap', swapped] as const, ['calibrated', calibrated] as const].map(
      ([name, judgement]) => {
        const accuracy = judgement === null ? original : judgement.accuracy;
        const drift = judgement?.drift[index];
        return [
          output,
          name,
          drift === undefined ? '' : sqnrOf(drift),
          drift === undefined ? '' : figure(drift.maxAbs),
          drift === undefined ? '' : figure(drift.cosine, 5),
          judgement === null ? '' : percent(agreement(judgement, index)),
          accuracyWithInterval(accuracy?.top1 ?? null, accuracy?.n ?? 0),
        ];
      },
    ),
  );
}

export const OUTPUT_HEAD = ['output', 'model', 'SQNR, dB', 'max abs', 'cosine', 'agreement', 'top-1 (95 %)'];

function outputTable(calibration: Calibration, all: boolean, hint: string | undefined): string[] {
  const rows = outputRows(calibration);
  const shown = all ? rows : rows.slice(0, 3 * MAX_LISTED);
  const table = plainTable(
    OUTPUT_HEAD,
    shown.map(([output = '', ...rest], index) => [
      index % 3 === 0 ? short(output, MAX_NAME_CHARACTERS) : '',
      ...rest,
    ]),
  );
  const more = (rows.length - shown.length) / 3;
  return [table, ...(more > 0 ? [`and ${more} more outputs${hintText(hint)}`] : [])];
}

/** Describes the difference of top-1 on the same samples. Reports of earlier versions lack the entry. */
export function describeDifference({ calibrated: { difference } }: Calibration): string[] {
  if (!difference) return [];
  const { value, low, high } = difference;
  return [
    `Top-1, calibrated minus original, on the same samples: ${pointsText(value)} points (${pointsText(low)} to ${pointsText(high)}, 95 %).`,
  ];
}

export function describeResult(calibration: Calibration): string {
  const { kept, samples, seconds, sites } = calibration;
  const time = `${figure(seconds)} s`;
  if (sites.length === 0) return `The model was written unchanged (${time}).`;
  if (!changesWeights(calibration)) return `The PLAIN SWAP was written: no weight was changed (${time}).`;
  return kept === 'calibrated'
    ? `The calibrated model was written (${time}).`
    : `The PLAIN SWAP was written: on ${samples.judged} test samples the calibrated model was not closer to the original (${time}).`;
}
