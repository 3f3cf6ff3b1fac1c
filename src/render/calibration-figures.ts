// Sentences and rows of tables of a calibration, for every view.
import { capitalised } from '../base/in-words.js';
import { integer, plural } from '../base/plural.js';
import { type LimitVerdict, limitText } from '../calibrate/select/budget.js';
import type { Accuracy } from '../metrics/accuracy.js';
import { hasSharpness, MAX_CURVED_INPUT } from '../metrics/curved-share.js';
import { pointsText } from '../metrics/paired.js';
import { median } from '../metrics/statistics.js';
import { activationLabel } from '../mish/activations.js';
import { hasSiteInForm } from '../mish/costs.js';
import type { Calibration, LayerRepair, ModelComparison } from '../node/calibrate.js';
import { accuracyMeasures, figure, percent, short, sqnrOf } from './figures.js';
import { inForm } from './written-name.js';

/** Returns what was swapped: `19 sites → Mish in the exp form, β = 2.` */
export function describeSwap({ to, sites, form, beta, sharpness, curved, leaky, int8 }: Calibration): string {
  const isSeparate = beta === null && (sharpness !== null || (curved ?? null) !== null);
  const each = sites.length === 1 ? 'each channel' : 'each';
  const sharp = isSeparate ? `, with a separate β for ${each}` : (beta ?? 1) === 1 ? '' : `, β = ${beta}`;
  const count = plural(sites.length, 'site');
  if ((to ?? 'mish') !== 'mish') return `${count} → ${activationLabel(to)}${sharp}.`; // earlier versions wrote only Mish
  const mixtures = sites.filter(({ leak }) => leak !== undefined).length;
  if (int8 && !hasSiteInForm({ sites, int8 })) return `${count} → Mish on integers${sharp}.`;
  const what =
    mixtures === 0 ? 'Mish' : mixtures === sites.length ? 'mixtures of x and Mish' : 'Mish or mixtures';
  return `${count} → ${inForm(what, form)}${sharp}.${describeLeaky(leaky)}`;
}

/** Says why LeakyReLUs became mixtures. Reports of earlier versions lack the entry. */
function describeLeaky(leaky: Calibration['leaky'] | undefined): string {
  if (!leaky) return '';
  const { sites, measure, mish, mixture } = leaky;
  const text = (value: number | null) => (measure === 'sqnr' ? `${figure(value)} dB` : percent(value));
  return ` MIXTURES at ${integer(sites)} LeakyRelu: with Mish the repair reached ${measure} ${text(mish)} on validation samples, with αx + (1 − α)·Mish ${text(mixture)}. The choice mish for LeakyRelu writes Mish all the same.`;
}

const SOURCES = {
  seed: 'noise samples',
  npz: 'samples',
  'onnx-test': 'test cases',
  images: 'images',
} as const;

/** Returns the number of samples in each subset. */
export function describeSamples({ source, seed, fit, held, judged }: Calibration['samples']): string {
  return `${integer(fit)} ${SOURCES[source]} to fit weights, ${integer(held)} to choose between fits, ${integer(judged)} to test the result (seed ${seed})`;
}

/** Returns whether the calibrated model's weights differ from those of the swap without repair. */
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
  const least = Math.min(held, judged);
  const few = `${plural(least, 'sample')} ${least === 1 ? 'is' : 'are'} too few to choose or test a result: give a few hundred in all`;
  return [...(source === 'seed' ? [noise] : []), ...(least < MIN_SAMPLES ? [few] : []), ...notes];
}

/** Maximum error shown as a number: a larger one only means that the output hardly varies over the samples. */
export const MAX_ERROR = 10;

/** Formats a layer's error as a percentage of its output's variance; `–` where its inputs were not finite. */
export function errorText(error: number | null): string {
  if (error === null || Number.isNaN(error)) return percent(null);
  return error > MAX_ERROR ? `> ${percent(MAX_ERROR)}` : percent(error);
}

/** Names the method that a layer was solved by. */
export function describeMethod({ method, ridge }: LayerRepair): string {
  if (method === 'none') return 'not changed';
  return ridge === null ? method : `${method}, ridge ${figure(ridge)}`;
}

export const LAYER_HEAD = ['layer', 'operator', 'numbers', 'error', 'after', 'by'];

/** Returns a layer's row after its name. */
export function layerCells(layer: LayerRepair): string[] {
  const { op, parameters, before, after } = layer;
  return [op, String(parameters), errorText(before), errorText(after), describeMethod(layer)];
}

export const LAYER_LEGEND =
  'Error: mean squared error of a layer’s output against the original, divided by the variance of the original’s output. On validation samples, before and after the repair.';

export const SITE_HEAD = ['site', 'was', 'is', 'β', 'bends'];

/** Returns a site's row after its name. */
export function siteCells(
  { kind, beta, bends, leak }: Calibration['sites'][number],
  written = 'Mish',
): string[] {
  const what = leak === undefined ? written : `mixture, α ${figure(leak)}`;
  return [kind, what, figure(beta), percent(bends)];
}

/** Explains the columns of the sites. Reports of earlier versions lack the name of the activation. */
export function siteLegend({ to = 'mish' }: Partial<Pick<Calibration, 'to'>>): string {
  return hasSharpness(to)
    ? `Bends: share of the inputs with |βx| < ${MAX_CURVED_INPUT[to]}. Where it is small, the site still acts like ReLU.`
    : `${activationLabel(to)} has no sharpness β, and where it bends is not measured.`;
}

/** Describes the gradient steps; nothing without them. */
export function describeTuning({ tuning }: Calibration): string[] {
  if (tuning === null) return [];
  const { steps, before, after } = tuning;
  const gain =
    after < before
      ? `from ${figure(before)} to ${figure(after)}`
      : `not below ${figure(before)}, so the steps were discarded`;
  return [`${plural(steps, 'gradient step')} on all layers: loss on validation samples ${gain}.`];
}

/** Formats the value of a verdict, with the lower end of its interval if that decides. */
export function describeVerdict({ measure, value, low }: LimitVerdict): string {
  const end = low === undefined ? '' : ` (at least ${figure(low, 4)} with 95 % confidence)`;
  return `${measure} ${figure(value, 4)}${end}`;
}

/** Describes the search for the sharpness; nothing without a search. */
export function describeSharpness({ sharpness, sites }: Calibration): string[] {
  if (sharpness === null) return [];
  const { budget, trials, kept, verdicts } = sharpness;
  const betas = sites.map(({ beta }) => beta).sort((a, b) => a - b);
  const middle = betas.length === 0 ? 1 : median(betas);
  const values = verdicts.map(describeVerdict).join(', ');
  return [
    `β for ${budget.map(limitText).join(' and ')}, after ${plural(trials.length, 'trial')}: ${figure(betas[0])} to ${figure(betas.at(-1))}, median ${figure(middle)}. On samples that no weights were fitted to: ${values}${kept ? '' : ': NOT kept'}.`,
  ];
}

/** Returns whether the sharpness follows from the inputs of the sites. Reports of earlier versions lack the entry. */
export function hasCurved({
  curved,
  sites,
}: Partial<Pick<Calibration, 'curved'>> & Pick<Calibration, 'sites'>): boolean {
  return (curved ?? null) !== null && sites.length > 0;
}

/** Describes the sharpness that follows from the inputs of the sites. */
export function describeCurved({ curved, sites, sharpness }: Calibration): string[] {
  if (!hasCurved({ curved, sites }) || curved === null) return [];
  const when = sharpness === null ? '' : ', before the search raised it';
  const shares = sites.flatMap(({ bends }) => bends ?? []).sort((a, b) => a - b);
  const apart = curved.folded.filter(({ channels }) => channels !== undefined).length;
  const channels =
    apart === 0
      ? ''
      : ` At ${plural(apart, 'site')} each channel has a β of its own; the table has their median.`;
  return [
    `β from the inputs${when}: at least ${percent(curved.share)} of them on the bend; folded into weights at ${integer(curved.folded.length)} of ${plural(sites.length, 'site')}. On test samples: median share ${percent(shares.length === 0 ? null : median(shares))}, least ${percent(shares[0] ?? null)}.${channels}`,
  ];
}

/** Says for each site that its inputs allow a larger β, which only a Mul before and after the site could apply. */
export function describeUnfolded({ curved }: Calibration): string[] {
  return (curved?.kept ?? []).map(
    ({ label, beta, why }) =>
      `not folded: ${short(label)}: its inputs allow β = ${figure(beta)}, which needs two Mul nodes here; ${why}`,
  );
}

const RANGES = { minmax: 'hold all values', error: 'have the least squared error' } as const;

/** Describes the quantised sites, and what the calibrated model has new: it need not be the one that was kept. */
export function describeInt8({ int8 }: Calibration): string[] {
  if (int8 === undefined) return [];
  const { sites, onIntegers, scales, bound, tensors, ranges, float } = int8;
  const integers =
    onIntegers === 0 ? '' : `, ${onIntegers} of them on integers, as x·σ(ax + b), within ${bound} of Mish`;
  const [first] = float.drift;
  return [
    `${plural(sites, 'site')} between quantised tensors${integers}.`,
    `The calibrated model has new scales for ${plural(scales, 'tensor')}, whose ranges ${RANGES[ranges]} on samples, and new numbers in ${plural(tensors, 'stored tensor')}.`,
    ...(first === undefined
      ? []
      : [
          `Before its quantisation, the repaired model against the float version of the original: ${sqnrOf(first)} dB${first.top1 === null ? '' : `, agreement ${percent(first.top1)}`}.`,
        ]),
  ];
}

/** Says at how many sites β was folded into weights, and why it was not at the others. */
export function describeFold({ to, fold }: Calibration): string[] {
  if (fold === null || fold.folded.length + fold.kept.length === 0) return [];
  const all = fold.folded.length + fold.kept.length;
  return [
    `β folded into weights at ${integer(fold.folded.length)} of ${plural(all, 'site')}: these are now ${activationLabel(to)} with β = 1 of scaled inputs.`,
    ...fold.kept.map(({ label, why }) => `not folded: ${short(label)}: ${why}`),
  ];
}

/** Names the swap without repair. It is not the plain one of the command swap where β was chosen for each site, except with `int8`. */
export function nameOfSwap({
  curved,
  sharpness,
  sites,
  int8,
}: Partial<Pick<Calibration, 'curved'>> & Pick<Calibration, 'sharpness' | 'sites' | 'int8'>): string {
  const isChosen = int8 === undefined && ((curved ?? null) !== null || sharpness !== null);
  return isChosen && sites.some(({ beta }) => beta !== 1) ? 'unrepaired swap' : 'plain swap';
}

/** Returns table rows: three for each output, for the original, the swap without repair and the calibrated model. */
export function outputRows(calibration: Calibration): string[][] {
  const { original, swapped, calibrated } = calibration;
  const agreement = (judgement: ModelComparison, index: number) => judgement.drift[index]?.top1 ?? null;
  const heads = accuracyHeads(calibration);
  return swapped.drift.flatMap(({ output }, index) =>
    [
      ['original', null] as const,
      [nameOfSwap(calibration), swapped] as const,
      ['calibrated', calibrated] as const,
    ].map(([name, judgement]) => {
      const accuracy = judgement === null ? original : judgement.accuracy;
      const drift = judgement?.drift[index];
      return [
        output,
        name,
        drift === undefined ? '' : sqnrOf(drift),
        drift === undefined ? '' : figure(drift.maxAbs),
        drift === undefined ? '' : figure(drift.cosine, 5),
        judgement === null ? '' : percent(agreement(judgement, index)),
        ...accuracyTexts(accuracy ?? undefined, heads.length),
      ];
    }),
  );
}

/** Returns the measures of an accuracy but top-5. */
const measuresOf = (accuracy: Accuracy) => accuracyMeasures(accuracy).filter(({ name }) => name !== 'top-5');

/** Returns the names of the measures by labels; that of top-1 without labels. */
const accuracyHeads = ({ original }: Pick<Calibration, 'original'>) =>
  original
    ? measuresOf(original).map(({ name, hasInterval }) => (hasInterval ? `${name} (95 %)` : name))
    : ['top-1 (95 %)'];

const accuracyTexts = (accuracy: Accuracy | undefined, columns: number) =>
  accuracy === undefined ? Array<string>(columns).fill('–') : measuresOf(accuracy).map(({ text }) => text);

/** Returns the head of `outputRows`. */
export const outputHead = (calibration: Pick<Calibration, 'original'>) => [
  ...['output', 'model', 'SQNR, dB', 'max abs', 'cosine', 'agreement'],
  ...accuracyHeads(calibration),
];

/** Describes the difference of accuracy on the same samples. Reports of earlier versions lack the entry. */
export function describeDifference({ original, calibrated: { difference } }: Calibration): string[] {
  if (!difference) return [];
  const [measure = 'top-1'] = original ? measuresOf(original).map(({ name }) => name) : [];
  const { value, low, high } = difference;
  return [
    `${capitalised(measure)}, calibrated minus original, on the same samples: ${pointsText(value)} points (${pointsText(low)} to ${pointsText(high)}, 95 %).`,
  ];
}

/** Says which model was written, and why. */
export function describeResult(calibration: Calibration): string {
  const { kept, samples, seconds, sites } = calibration;
  const time = `${figure(seconds)} s`;
  if (sites.length === 0) return `The model was written unchanged (${time}).`;
  const plain = nameOfSwap(calibration).toUpperCase();
  const folded = calibration.curved?.folded.length ?? 0;
  if (!changesWeights(calibration))
    return `The ${plain} was written: no weight was ${folded > 0 ? 'repaired' : 'changed'} (${time}).`;
  return kept === 'calibrated'
    ? `The calibrated model was written (${time}).`
    : `The ${plain} was written: on ${plural(samples.judged, 'test sample')} the calibrated model was not closer to the original (${time}).`;
}
