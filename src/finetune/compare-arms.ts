// The swapped model against its control: the original, trained as long with the same batches.

import { fixedPercent } from '../base/fixed-percent.js';
import { plural } from '../base/plural.js';
import {
  betweenShares,
  type Difference,
  differenceOfCorrect,
  differenceOfMeans,
  differenceOverRuns,
  isBinary,
  mcnemar,
  pointsText,
  signed,
} from '../metrics/paired.js';
import { wilsonInterval } from '../metrics/wilson.js';
import { activationLabel } from '../mish/activations.js';
import type { FinetuneComparison, FinetuneReport } from './report-schema.js';
import { samplesOfScore } from './samples-of-score.js';

/** Results of a model on each sample of the test part. */
export interface SampleResults {
  /** Loss of each sample. */
  readonly losses: ArrayLike<number>;
  /** Share of correct predictions of each sample: with one prediction 1 or 0; null for a loss without predictions. */
  readonly correct: ArrayLike<number> | null;
}

/** Results of both arms of a seed. */
export interface PairedResults {
  readonly seed: number;
  readonly swapped: SampleResults;
  readonly original: SampleResults;
}

/** Compares both arms of each seed on the same test samples. */
export function compareArms(pairs: readonly PairedResults[]): FinetuneComparison {
  const measure = pairs.every(({ swapped, original }) => swapped.correct && original.correct)
    ? 'accuracy'
    : 'loss';
  const values = ({ losses, correct }: SampleResults) => (measure === 'loss' ? losses : (correct ?? []));
  const differenceOf = measure === 'loss' ? differenceOfMeans : differenceOfCorrect;
  const runs = pairs.map(({ seed, swapped, original }) => ({
    seed,
    difference: reported(differenceOf(values(swapped), values(original))),
    mcnemar: measure === 'loss' ? null : mcnemarOf(values(swapped), values(original)),
  }));
  const [only, ...others] = runs;
  const overRuns = () =>
    differenceOverRuns(pairs.map(({ swapped, original }) => minus(values(swapped), values(original))));
  const [first] = pairs;
  const samples = first === undefined ? 0 : values(first.swapped).length;
  const within = (difference: Difference) =>
    reported(measure === 'loss' ? difference : betweenShares(difference, samples));
  const overall = only !== undefined && others.length === 0 ? only.difference : within(overRuns());
  return { measure, runs, overall, verdict: verdictOf(measure, overall) };
}

/** A difference as a report has it: an interval may be missing. */
type ReportedDifference = FinetuneComparison['overall'];

/** Returns a difference without the interval from minus to plus infinity that a single sample gives: JSON has no such numbers. */
function reported({ value, low, high }: Difference): ReportedDifference {
  return Number.isFinite(high - low) ? { value, low, high } : { value, low: null, high: null };
}

function minus(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  return Array.from(a, (value, index) => value - (b[index] ?? 0));
}

/** Returns McNemar's test; null for samples that are right in part. */
function mcnemarOf(swapped: ArrayLike<number>, original: ArrayLike<number>) {
  if (!isBinary(swapped) || !isBinary(original)) return null;
  const { onlyFirst, onlySecond, exact, midP } = mcnemar(swapped, original);
  return { onlySwapped: onlyFirst, onlyOriginal: onlySecond, exact, midP };
}

function verdictOf(
  measure: FinetuneComparison['measure'],
  { low, high }: ReportedDifference,
): FinetuneComparison['verdict'] {
  if (low === null || high === null || (low <= 0 && high >= 0)) return 'no difference';
  return low > 0 === (measure === 'accuracy') ? 'better' : 'worse';
}

/** Parts of a report that the conclusion is about. */
export type Concluded = Pick<FinetuneReport, 'comparison' | 'latency' | 'runs' | 'data' | 'to' | 'sites'>;

/** Returns the result as sentences. Without a control, they do not compare the activations. */
export function conclude({ comparison, latency, runs, data, to, sites }: Concluded): string {
  const name = activationLabel(to);
  const count = samplesOfScore(runs[0]?.test, data);
  const tested = plural(count, 'test sample');
  if (comparison === null || sites.length === 0) {
    const [first] = runs;
    const why = sites.length === 0 ? 'no activation was swapped' : 'there was no control';
    return `The trained model has ${scoreText(first?.test, count)} on ${tested}. This says nothing about ${name}: ${why}.`;
  }
  const { measure, runs: seeds, overall, verdict } = comparison;
  const head = {
    better: `${name} was better than the original’s activations, trained as long`,
    worse: `${name} was worse than the original’s activations, trained as long`,
    'no difference': `No difference between ${name} and the original’s activations was found`,
  }[verdict];
  const [only] = seeds;
  const p =
    seeds.length === 1 && only?.mcnemar
      ? `, McNemar’s mid-p ${pText(only.mcnemar.midP)}`
      : seeds.length > 1
        ? `, over ${plural(seeds.length, 'seed')}`
        : '';
  const time = latency === null ? '' : ` ${timeText(name, latency)}`;
  return `${head}: ${differenceText(measure, overall)}${p}, on ${tested}.${time}`;
}

/** Says what a run costs, with the exp form beside the form of the new model. */
function timeText(name: string, { ratio, exp }: NonNullable<FinetuneReport['latency']>): string {
  const beside = exp === null ? '' : `, and ${exp.ratio.toFixed(2)} times in the exp form`;
  return `A run of ${name} takes ${ratio.toFixed(2)} times the time of the original${beside}.`;
}

/** Formats a difference and its interval: accuracy in percentage points. */
export function differenceText(
  measure: FinetuneComparison['measure'],
  { value, low, high }: ReportedDifference,
): string {
  const unit = measure === 'accuracy' ? ' points of accuracy' : ' in loss';
  const ends =
    low === null || high === null ? 'no interval' : `95 % interval ${intervalText(measure, low, high)}`;
  return `${amountText(measure, value)}${unit} (${ends})`;
}

/** Formats the ends of an interval of differences. */
export const intervalText = (measure: FinetuneComparison['measure'], low: number, high: number): string =>
  `${amountText(measure, low)} to ${amountText(measure, high)}`;

/** Formats a difference with its sign: of accuracies in percentage points, of losses as it is. */
export function amountText(measure: FinetuneComparison['measure'], number: number): string {
  return measure === 'accuracy' ? pointsText(number) : signed(number, shortNumber);
}

const shortNumber = (number: number) => String(Number(number.toPrecision(3)));

function scoreText(score: FinetuneReport['runs'][number]['test'] | undefined, n: number): string {
  if (score === undefined) return 'no score';
  const { accuracy, loss } = score;
  const { low, high } = score.interval ?? wilsonInterval(accuracy ?? 0, n);
  return accuracy === null
    ? `a loss of ${shortNumber(loss)}`
    : `an accuracy of ${fixedPercent(accuracy)} % (95 % interval ${fixedPercent(low)} to ${fixedPercent(high)})`;
}

const pText = (p: number) => (p < 0.001 ? '< 0.001' : p.toPrecision(2));
