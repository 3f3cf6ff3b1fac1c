import { fixedPercent } from '../base/fixed-percent.js';
import { plural } from '../base/plural.js';
import { comparableSqnr, type Drift, hasNumbers, isWithoutSignal } from '../metrics/drift.js';
import { f1Text } from '../metrics/multi-label.js';
import { pointsText } from '../metrics/paired.js';
import type { ProviderRow, Report } from './report-schema.js';

/** Maximum characters of an output's name. */
const MAX_NAME = 80;

/** Maximum ratio of the ends of an interval of times for which the sentence leaves the interval out. */
const MAX_SURE_SPREAD = 1.25;

/** Facts of a report that its conclusion is drawn from. */
type Concluded = Pick<Report, 'data'> & {
  readonly providers: readonly Pick<
    ProviderRow,
    'provider' | 'status' | 'drift' | 'accuracy' | 'latency' | 'runtime'
  >[];
};

/**
 * Returns the result of a validation as a sentence: how accuracy or outputs changed, on which samples, and how the time of a run
 * changed. Accuracy and outputs are those of the first provider that ran: the report's parity compares the others with the CPU.
 */
export function conclusionOf({ data, providers }: Concluded): string {
  const [first, ...others] = providers.filter(({ status }) => status === 'ran');
  if (first === undefined) return 'No provider ran both models.';
  const on =
    data.source === 'seed'
      ? 'On noise'
      : `On ${plural(first.accuracy?.original.n ?? data.samples, 'sample')}`;
  const changes = [...accuracyChange(first), ...outputChange(first)];
  const times = [first, ...others].flatMap(timeOf);
  const time = times.length === 0 ? [] : [`a run takes ${times.join(', ')}`];
  const all = [...changes, ...time].join('; ');
  return all === '' ? 'Nothing was measured.' : `${on} ${all}.`;
}

function accuracyChange({ accuracy }: Concluded['providers'][number]): string[] {
  if (accuracy === null) return [];
  const { original, swapped, difference } = accuracy;
  const places =
    original.multiLabel === undefined ? 'the share of right places' : 'the share of right labels';
  const what = original.places === undefined ? 'top-1' : places;
  const change = `${what} goes from ${percent(original.top1)} to ${percent(swapped.top1)}`;
  if (difference === undefined) return [change];
  const { value, low, high, midP } = difference;
  const p =
    midP === null ? '' : `; McNemar’s mid-p ${midP < 0.001 ? '< 0.001' : `= ${Number(midP.toPrecision(2))}`}`;
  return [
    `${change} (${pointsText(value)} points, 95 % interval ${pointsText(low)} to ${pointsText(high)}${p})`,
    ...iouChange(accuracy),
    ...multiLabelChange(accuracy),
  ];
}

type MeasuredAccuracy = NonNullable<Concluded['providers'][number]['accuracy']>;

function iouChange({ original, swapped }: MeasuredAccuracy): string[] {
  if (original.meanIou === undefined || swapped.meanIou === undefined) return [];
  return [`the mean IoU goes from ${percent(original.meanIou)} to ${percent(swapped.meanIou)}`];
}

function multiLabelChange({ original, swapped }: MeasuredAccuracy): string[] {
  if (original.multiLabel === undefined || swapped.multiLabel === undefined) return [];
  const { exactMatch, microF1, macroF1 } = swapped.multiLabel;
  const before = original.multiLabel;
  return [
    `samples with all labels right from ${percent(before.exactMatch)} to ${percent(exactMatch)}`,
    `micro F1 from ${f1Text(before.microF1)} to ${f1Text(microF1)}, macro F1 from ${f1Text(before.macroF1)} to ${f1Text(macroF1)}`,
  ];
}

function outputChange({ drift, accuracy }: Concluded['providers'][number]): string[] {
  const problem = drift.find((one) => one.problem !== null || one.broken > 0);
  if (problem !== undefined) return [`the output ${shortName(problem)} ${describe(problem)}`];
  const answers = drift.flatMap(({ output, top1 }) => (top1 === null ? [] : { output, top1 }));
  // The highest of several labels is not the answer.
  if (accuracy?.original.multiLabel !== undefined) return [];
  const judged = answers.find(({ output }) => output === accuracy?.output);
  if (judged !== undefined) return [`${percent(judged.top1, 1)} of answers are the same`];
  const [worst] = answers.toSorted((a, b) => a.top1 - b.top1);
  const of = answers.length > 1 && worst !== undefined ? `the answers of ${shortName(worst)}` : 'answers';
  const same = worst === undefined ? [] : [`${percent(worst.top1, 1)} of ${of} are the same`];
  // Without labels, the largest of some values may be no answer, as in a regression.
  return [...same, ...distanceOf(drift)];
}

function distanceOf(drift: readonly Drift[]): string[] {
  const compared = drift.filter(hasNumbers);
  if (compared.length === 0) return [];
  if (compared.every(({ maxAbs }) => maxAbs === 0)) return ['all outputs are the same'];
  const silent = compared.find((one) => !one.areLabels && isWithoutSignal(one));
  if (silent !== undefined) return [`the output ${shortName(silent)} is 0 throughout in the original only`];
  // The distance of two labels or indices says nothing.
  const quantities = compared.filter(({ areLabels }) => !areLabels);
  const least = Math.min(...quantities.map(comparableSqnr));
  const decibels = Number((Math.round(100 * least) / 100 || 0).toPrecision(3));
  return Number.isFinite(least)
    ? [`outputs are within ${String(decibels).replace('-', '−')} dB (SQNR) of the original’s`]
    : [];
}

const shortName = ({ output }: Pick<Drift, 'output'>) => output.slice(0, MAX_NAME);

function describe({ problem, brokenInReference }: ProviderRow['drift'][number]): string {
  if (problem !== null) return 'cannot be compared';
  return brokenInReference > 0 ? 'is not finite, and that of the original is not either' : 'is not finite';
}

function timeOf({ provider, latency, runtime }: Concluded['providers'][number]): string[] {
  // The time of an emulated GPU says nothing about a GPU.
  if (latency === null || runtime?.software === true) return [];
  const { value, low, high } = latency.ratio;
  const unsure =
    high > MAX_SURE_SPREAD * low ? ` (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})` : '';
  return [`${value.toFixed(2)} times as long${unsure} on ${provider}`];
}

const percent = (share: number, digits = 2) => `${fixedPercent(share, digits)} %`;
