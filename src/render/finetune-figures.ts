// Sentences and rows of tables of a fine-tuning's report, for every view.
import { fixedPercent } from '../base/fixed-percent.js';
import { integer, plural } from '../base/plural.js';
import { amountText, intervalText } from '../finetune/compare-arms.js';
import type { FinetuneReport, FinetuneRun, Score } from '../finetune/report-schema.js';
import { samplesOfScore } from '../finetune/samples-of-score.js';
import { activationLabel } from '../mish/activations.js';
import { accuracyWithInterval, figure, measuresBeside } from './figures.js';
import { writtenName } from './written-name.js';

/** Returns what was swapped: `19 sites → Mish in the exp form, β = 1.` */
export function describeSites({ sites, to, form, skipped }: FinetuneReport): string {
  const betas = [...new Set(sites.map(({ beta }) => beta))];
  const isPlain = to !== 'mish' && betas.every((beta) => beta === 1); // most others have no sharpness
  const sharp = isPlain
    ? ''
    : betas.length === 1
      ? `, β = ${figure(betas[0])}`
      : ', with a separate β for each';
  const rest = skipped === 0 ? '' : `; ${integer(skipped)} not swapped`;
  return `${plural(sites.length, 'site')} → ${writtenName({ to, form })}${sites.length === 0 ? '' : sharp}${rest}.`;
}

/** Returns the numbers of samples. */
export function describeParts({ data }: FinetuneReport): string {
  const { train, validation, test, testFrom, classes } = data;
  const from = testFrom === 'file' ? 'of their own file' : 'split from the data';
  const kinds = classes === null ? '' : `, ${plural(classes, 'class', 'classes')}`;
  return `${plural(train, 'training sample')}, ${integer(validation)} for validation, ${integer(test)} for the test (${from})${kinds}.`;
}

/** Returns the settings of the training. */
export function describeTraining({ settings, seconds }: FinetuneReport): string {
  const { loss, optimizer, rate, schedule, epochs, batch, batchNorm, seeds, augment } = settings;
  const repeated = seeds.length === 1 ? `seed ${seeds[0]}` : plural(seeds.length, 'seed');
  const more = augment.length === 0 ? '' : `, ${augment.join(' and ')}`;
  return `${plural(epochs, 'epoch')} of batches of ${batch}, ${loss}, ${optimizer} at ${figure(rate)} (${schedule}), batch normalisation ${batchNorm}${more}, ${repeated}; ${durationText(seconds)} in all.`;
}

/** Formats a duration: seconds up to two minutes, then minutes. */
export function durationText(seconds: number): string {
  return seconds < 120 ? `${figure(seconds)} s` : `${figure(seconds / 60)} min`;
}

/** Returns the head of the scores, with more measures where a sample has several labels, or one for each place. */
export const scoreHead = (report: Pick<FinetuneReport, 'start'>) => [
  ...['model', 'seed', 'accuracy (95 %)'],
  ...measuresBeside(report.start.original, 0).map(({ name, hasInterval }) =>
    hasInterval ? `${name} (95 %)` : name,
  ),
  ...['loss', 'time'],
];

/** Returns a row for each model: before training, and for each arm and seed after it. */
export function scoreRows(report: FinetuneReport): string[][] {
  const { start, runs, to, data } = report;
  const row = (name: string, seed: string, score: Score, time = '') => [
    name,
    seed,
    accuracyWithInterval(score.accuracy, samplesOfScore(score, data), score.interval),
    ...measuresBeside(score, samplesOfScore(score, data)).map(({ text }) => text),
    figure(score.loss, 4),
    time,
  ];
  return [
    row('original', '', start.original),
    row('plain swap', '', start.plain),
    ...(start.repaired === null ? [] : [row('repaired swap', '', start.repaired)]),
    ...runs.map(({ arm, seed, test, seconds }) =>
      row(armName(arm, to), String(seed), test, durationText(seconds)),
    ),
  ];
}

/** Formats an accuracy with two digits after the point, enough for 10,000 samples. */
export function accuracyText(accuracy: number | null): string {
  return accuracy === null ? '–' : `${fixedPercent(accuracy)} %`;
}

/** Returns the name of an arm after training. */
export function armName(arm: FinetuneRun['arm'], to: string): string {
  return arm === 'swapped' ? `${activationLabel(to)}, trained` : 'original, trained';
}

export const UNITS_HEAD = ['site', 'units', 'before', 'after', 'control'];

/** Returns a row for each site with units that are never positive, and a row with the sums of all sites. */
export function unitRows({ units }: FinetuneReport): (string | number | null)[][] {
  const sum = (value: (row: FinetuneReport['units'][number]) => number | null) =>
    units.reduce((total, row) => total + (value(row) ?? 0), 0);
  const controlled = units.some(({ original }) => original !== null);
  const dead = units.filter(({ before, swapped, original }) => before + swapped + (original ?? 0) > 0);
  return [
    ...dead.map(({ site, count, before, swapped, original }) => [site, count, before, swapped, original]),
    [
      'all sites',
      sum(({ count }) => count),
      sum(({ before }) => before),
      sum(({ swapped }) => swapped),
      controlled ? sum(({ original }) => original) : null,
    ],
  ];
}

export const MOVED_HEAD = ['weight', 'change', 'control'];
/** Explains the changes of the weights. */
export const movedLegend = ({ start }: FinetuneReport) =>
  `Change of a weight: norm of the difference divided by the norm before, in the first seed. The swapped model starts from ${
    start.repaired === null ? 'the original’s' : 'its repaired'
  } weights.`;

/** Returns each weight of the swapped model with its change, and that of the control. */
export function movedRows({ runs }: FinetuneReport): (readonly [string, number | null, number | null])[] {
  const first = (arm: FinetuneRun['arm']) => runs.find((run) => run.arm === arm)?.moved ?? [];
  const control = new Map(first('original').map(({ weight, change }) => [weight, change]));
  return first('swapped').map(({ weight, change }) => [weight, change, control.get(weight) ?? null] as const);
}

/** Returns the rows of the comparison, one for each seed. */
export function comparisonRows({ comparison }: FinetuneReport): string[][] {
  if (comparison === null) return [];
  return comparison.runs.map(({ seed, difference, mcnemar }) => [
    String(seed),
    `${amountText(comparison.measure, difference.value)}${comparison.measure === 'accuracy' ? ' points' : ''}`,
    difference.low === null || difference.high === null
      ? '–'
      : intervalText(comparison.measure, difference.low, difference.high),
    ...(mcnemar === null
      ? ['–', '–', '–', '–']
      : [
          String(mcnemar.onlySwapped),
          String(mcnemar.onlyOriginal),
          figure(mcnemar.exact),
          figure(mcnemar.midP),
        ]),
  ]);
}

export const COMPARISON_HEAD = [
  ...['seed', 'swapped minus original', '95 % interval', 'only swapped correct', 'only original correct'],
  ...['McNemar’s p', 'mid-p'],
];
