import { limitText } from '../calibrate/select/budget.js';
import type { BentSite, Calibration, Judgement, LayerRepair } from '../node/calibrate.js';
import { clean as cleanText } from './clean.js';
import { figure, mapText, percent, short, sqnrOf, tellApart } from './figures.js';
import { plainTable, type TerminalOptions } from './terminal.js';

/** What a calibration did, for a terminal; `clean` makes names from a model safe to print. */
export function renderCalibration(
  calibration: Calibration,
  {
    clean = cleanText,
    all = false,
  }: { readonly clean?: TerminalOptions['clean']; readonly all?: boolean | undefined } = {},
): string {
  const safe = mapText(calibration, (text) => short(clean(text), LONGEST));
  const { layers, leftAlone, sites, samples, sharpness } = safe;
  const sections = [
    [swapWords(safe), `${samplesWords(samples)}.`],
    layers.length === 0 ? [] : [layerTable(all ? layers : middleCut(layers)), LAYER_LEGEND],
    cut(leftAlone, all).map((one) =>
      typeof one === 'number'
        ? `and ${one} more left alone (--all lists them)`
        : `left alone: ${one.op} ${short(one.label)}: ${one.why}`,
    ),
    tuningWords(safe),
    sharpness === null ? [] : [...sharpnessWords(safe), siteTable(sites, all ? sites.length : MOST)],
    foldWords(safe),
    [...outputTable(safe, all), keptWords(safe)],
    notesOf(safe).map((note) => `note: ${note}`),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

/** Characters of any text, and of a name in a table that is to fit into 100 columns. */
const LONGEST = 600;
const NAME = 34;
/** Layers and sites that are listed unless all are asked for. */
const MOST = 40;

const LAYER_LEGEND =
  'Error: share of the variance of the layer’s output in the original, on held-out samples, before its repair and after.';

export function swapWords({ sites, form, beta, sharpness }: Calibration): string {
  const sharp =
    sharpness === null ? (beta === 1 || beta === null ? '' : `, β = ${beta}`) : ', each with a β of its own';
  const mixtures = sites.filter(({ leak }) => leak !== undefined).length;
  const what =
    mixtures === 0 ? 'Mish' : mixtures === sites.length ? 'mixtures of x and Mish' : 'Mish or mixtures';
  return `${sites.length} ${sites.length === 1 ? 'site' : 'sites'} → ${what} in the ${form} form${sharp}.`;
}

const SOURCES = {
  seed: 'samples of noise',
  npz: 'samples',
  'onnx-test': 'test cases',
  images: 'images',
} as const;

export function samplesWords({ source, seed, fit, held, judged }: Calibration['samples']): string {
  return `${fit} ${SOURCES[source]} to solve weights from, ${held} to choose by, ${judged} to judge by (seed ${seed})`;
}

/** Whether the calibrated model has other weights than the plain swap. */
export function changesWeights({ layers, tuning }: Calibration): boolean {
  return layers.some(({ method }) => method !== 'none') || (tuning !== null && tuning.after < tuning.before);
}

/** Fewer samples than this to choose or to judge by are too few to rely on. */
const FEW = 16;

/** Notes, with what noise and few samples are worth. */
export function notesOf({ samples, notes }: Calibration): string[] {
  const { source, held, judged } = samples;
  const noise =
    'the samples are noise: weights were fitted to, and judged by, what the model will never see; real ones, even a few hundred without labels, are worth far more';
  const few = `${Math.min(held, judged)} samples to choose or to judge by say little: give some hundreds in all`;
  return [...(source === 'seed' ? [noise] : []), ...(Math.min(held, judged) < FEW ? [few] : []), ...notes];
}

/** The first ones, and how many more there are. */
function cut<T>(items: readonly T[], all: boolean): (T | number)[] {
  if (all || items.length <= MOST) return [...items];
  return [...items.slice(0, MOST), items.length - MOST];
}

/** The first and the last ones, with what is between them left out. */
function middleCut(layers: readonly LayerRepair[]): (LayerRepair | number)[] {
  if (layers.length <= MOST) return [...layers];
  const half = MOST / 2;
  return [...layers.slice(0, half), layers.length - MOST, ...layers.slice(-half)];
}

function layerTable(layers: readonly (LayerRepair | number)[]): string {
  const known = layers.filter((layer) => typeof layer !== 'number');
  const names = tellApart(
    known.map(({ label }) => label),
    NAME,
  );
  const rows = layers.map((layer) => {
    if (typeof layer === 'number') return [`… ${layer} more (--all lists them)`, '', '', '', '', ''];
    const { op, parameters, before, after } = layer;
    const name = names[known.indexOf(layer)] ?? '';
    return [
      name,
      short(op, NAME),
      String(parameters),
      errorText(before),
      errorText(after),
      methodWords(layer),
    ];
  });
  return plainTable(['layer', 'operator', 'numbers', 'error', 'after', 'by'], rows);
}

/** Beyond this an error says only that the output hardly varies over the held-out samples. */
export const MOST_ERROR = 10;

/** A layer's error, a share of its output's variance; `–` where its inputs were not finite. */
export function errorText(error: number | null): string {
  if (error === null || Number.isNaN(error)) return percent(null);
  return error > MOST_ERROR ? `> ${percent(MOST_ERROR)}` : percent(error);
}

export function methodWords({ method, ridge }: LayerRepair): string {
  if (method === 'none') return 'kept as it is';
  return ridge === null ? method : `${method}, ridge ${figure(ridge)}`;
}

export function tuningWords({ tuning }: Calibration): string[] {
  if (tuning === null) return [];
  const { steps, before, after } = tuning;
  const gain =
    after < before
      ? `from ${figure(before)} to ${figure(after)}`
      : `not below ${figure(before)}: none is kept`;
  return [`${steps} gradient steps on all layers: loss on held-out samples ${gain}.`];
}

export function sharpnessWords({ sharpness, sites }: Calibration): string[] {
  if (sharpness === null) return [];
  const { budget, trials, kept, verdicts } = sharpness;
  const betas = sites.map(({ beta }) => beta).sort((a, b) => a - b);
  const median = betas[Math.floor(betas.length / 2)] ?? 1;
  const values = verdicts.map(({ measure, value }) => `${measure} ${figure(value, 4)}`).join(', ');
  return [
    `The smallest β, after ${trials.length} ${trials.length === 1 ? 'trial' : 'trials'}, for ${budget.map(limitText).join(' and ')}: ${figure(betas[0])} to ${figure(betas.at(-1))}, median ${figure(median)}; on samples that no weight was solved from ${values}${kept ? '' : ': NOT kept'}.`,
  ];
}

/** What became of the sharpness where it was to go into the weights. */
export function foldWords({ fold }: Calibration): string[] {
  if (fold === null || fold.folded.length + fold.kept.length === 0) return [];
  const all = fold.folded.length + fold.kept.length;
  return [
    `β folded into weights at ${fold.folded.length} of ${all} sites: those are Mish with β = 1 of scaled inputs.`,
    ...fold.kept.map(({ label, why }) => `not folded: ${short(label)}: ${why}`),
  ];
}

function siteTable(all: readonly BentSite[], most: number): string {
  const sites = all.slice(0, most);
  const more = all.length > most ? `\n… ${all.length - most} more (--all lists them)` : '';
  const names = tellApart(
    sites.map(({ label }) => label),
    NAME,
  );
  const rows = sites.map(({ kind, beta, bends, leak }, index) => {
    const what = leak === undefined ? 'Mish' : `mixture, α ${figure(leak)}`;
    return [names[index] ?? '', short(kind, NAME), what, figure(beta), percent(bends)];
  });
  return `${plainTable(['site', 'was', 'is', 'β', 'bends'], rows, 3)}${more}\nBends: share of the inputs with |βx| < 4. Where it is small, the site is ReLU in all but name.`;
}

/** One line for each output and model. */
export function outputRows({ original, swapped, calibrated }: Calibration): string[][] {
  const agreement = (judgement: Judgement, index: number) => judgement.drift[index]?.top1 ?? null;
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
          percent(accuracy?.top1 ?? null),
        ];
      },
    ),
  );
}

export const OUTPUT_HEAD = ['output', 'model', 'SQNR, dB', 'max abs', 'cosine', 'agreement', 'top-1'];

function outputTable(calibration: Calibration, all: boolean): string[] {
  const rows = outputRows(calibration);
  const shown = all ? rows : rows.slice(0, 3 * MOST);
  const table = plainTable(
    OUTPUT_HEAD,
    shown.map(([output = '', ...rest], index) => [index % 3 === 0 ? short(output, NAME) : '', ...rest]),
  );
  const more = (rows.length - shown.length) / 3;
  return [table, ...(more > 0 ? [`and ${more} more outputs (--all lists them)`] : [])];
}

export function keptWords(calibration: Calibration): string {
  const { kept, samples, seconds, sites } = calibration;
  const time = `${figure(seconds)} s`;
  if (sites.length === 0) return `The model was written as it was (${time}).`;
  if (!changesWeights(calibration)) return `The PLAIN SWAP was written: no weight was changed (${time}).`;
  return kept === 'calibrated'
    ? `The calibrated model was written (${time}).`
    : `The PLAIN SWAP was written: on ${samples.judged} judged samples the calibrated model was no nearer to the original (${time}).`;
}
