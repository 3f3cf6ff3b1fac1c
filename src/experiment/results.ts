// Results of an experiment's runs: means, deviations and paired differences, and what they show.
import { integer, plural } from '../base/plural.js';
import { amountText, differenceText } from '../finetune/compare-arms.js';
import { samplesOfScore } from '../finetune/samples-of-score.js';
import { betweenShares, isPoint, meanWithInterval } from '../metrics/paired.js';
import { mean } from '../metrics/statistics.js';
import { activationLabel } from '../mish/activations.js';
import type { ExperimentReport, ExperimentResult, ExperimentRun } from './report-schema.js';

type Measure = 'accuracy' | 'loss';

/** The runs of an experiment, with all that its results are computed from. */
export type Runs = Pick<ExperimentReport, 'runs' | 'settings' | 'missing' | 'data' | 'shard'>;

/** Returns the activation that the others are compared with: ReLU, or else the first. */
export function baselineOf(activations: readonly string[]): string {
  return activations.includes('relu') ? 'relu' : (activations[0] ?? '');
}

/** Returns the results of each activation. */
export function activationResults(
  runs: readonly ExperimentRun[],
  activations: readonly string[],
): ExperimentResult[] {
  const baseline = runsOf(runs, baselineOf(activations));
  const measure = measureOf(runs);
  return activations.map((activation) => {
    const own = runsOf(runs, activation);
    const finished = own.filter(({ test }) => test !== null);
    const values = (key: Measure) => finished.flatMap(({ test }) => test?.[key] ?? []);
    const seconds = own.flatMap(({ epochs }) => epochs.map((epoch) => epoch.seconds));
    const measured = finished.flatMap(({ units }) => units ?? []);
    const units = measured.reduce((sum, { count }) => sum + count, 0);
    const neverPositive = measured.reduce((sum, one) => sum + one.neverPositive, 0);
    return {
      activation,
      runs: finished.length,
      diverged: own.length - finished.length,
      accuracy: spreadOf(values('accuracy')),
      loss: spreadOf(values('loss')),
      difference: activation === baselineOf(activations) ? null : differenceOf(own, baseline, measure),
      neverPositive: units === 0 ? null : neverPositive / units,
      epochSeconds: seconds.length === 0 ? null : mean(seconds),
      roughness: own.find(({ landscape }) => landscape !== undefined)?.landscape?.roughness ?? null,
    };
  });
}

/** Returns what is compared: accuracy, or loss where there are no predictions. */
export function measureOf(runs: readonly ExperimentRun[]): Measure {
  return runs.some(({ test }) => test !== null && test.accuracy === null) ? 'loss' : 'accuracy';
}

const runsOf = (runs: readonly ExperimentRun[], activation: string) =>
  runs.filter((run) => run.activation === activation);

function spreadOf(values: readonly number[]): ExperimentResult['accuracy'] {
  if (values.length === 0) return null;
  const centre = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
  const deviation = values.length < 2 ? null : Math.sqrt(squares / (values.length - 1));
  return { mean: centre, deviation };
}

/** Returns the mean paired difference over the seeds in which both activations finished. */
function differenceOf(
  own: readonly ExperimentRun[],
  baseline: readonly ExperimentRun[],
  measure: Measure,
): ExperimentResult['difference'] {
  const pairs = own.flatMap(({ seed, test }) => {
    const value = test?.[measure] ?? null;
    const other = baseline.find((run) => run.seed === seed)?.test?.[measure] ?? null;
    return value === null || other === null ? [] : value - other;
  });
  if (pairs.length === 0) return null;
  const difference = meanWithInterval(pairs);
  const { value } = difference;
  if (pairs.length < 2 || isPoint(difference)) return { value, low: null, high: null, seeds: pairs.length };
  const { low, high } = measure === 'accuracy' ? betweenShares(difference, pairs.length) : difference;
  return { value, low, high, seeds: pairs.length };
}

/** Returns what the results show, in sentences that claim no more than their intervals. */
export function concludeExperiment(
  { runs, settings, missing, data, shard }: Runs,
  results: readonly ExperimentResult[],
): string {
  if (runs.length === 0) return describeNoRun(missing.length, shard);
  const { activations } = settings;
  const measure = measureOf(runs);
  if (runs.every(({ diverged }) => diverged !== null))
    return 'Every run diverged, so that nothing was compared. A lower learning rate may help.';
  const sentences = [
    activations.length < 2
      ? 'One activation was trained, so that nothing was compared.'
      : comparisons(results, measure, activationLabel(baselineOf(activations)), testedIn(runs, data)),
  ];
  const diverged = runs.filter((run) => run.diverged !== null).length;
  if (diverged > 0)
    sentences.push(
      `${plural(diverged, 'run')} diverged and ${diverged === 1 ? 'is' : 'are'} left out of the means.`,
    );
  if (missing.length > 0)
    sentences.push(
      `${integer(missing.length)} of ${plural(missing.length + runs.length, 'run')} ${missing.length === 1 ? 'is' : 'are'} missing.`,
    );
  return sentences.join(' ');
}

/** Returns the number of test samples with a label that counts. */
export const testedIn = (runs: readonly ExperimentRun[], data: ExperimentReport['data']): number =>
  samplesOfScore(runs.find(({ test }) => test !== null)?.test, data);

function describeNoRun(of: number, shard: Runs['shard']): string {
  if (shard === null || shard.index <= of) return 'No run was done, so that nothing was compared.';
  return `Part ${shard.index} of ${shard.count} has no run: there are fewer runs (${of}) than parts.`;
}

/** Compares each activation with the baseline. */
function comparisons(
  results: readonly ExperimentResult[],
  measure: Measure,
  baseline: string,
  tested: number,
): string {
  const judged = results.flatMap(({ activation, difference }) =>
    difference === null ? [] : { name: activationLabel(activation), difference },
  );
  if (judged.length === 0) return `No activation has a seed in common with ${baseline}.`;
  const single = judged.filter(({ difference }) => difference.seeds < 2);
  const equal = judged.filter(({ difference: { seeds, low } }) => seeds > 1 && low === null);
  const several = judged.flatMap(({ name, difference: { value, low, high, seeds } }) =>
    low === null || high === null ? [] : { name, value, low, high, seeds },
  );
  const clear = several.filter(({ low, high }) => low > 0 || high < 0);
  const unclear = several.filter((one) => !clear.includes(one));
  const sentences = clear.map(({ name, seeds, ...difference }) => {
    const better = difference.low > 0 === (measure === 'accuracy');
    return `${name} was ${better ? 'better' : 'worse'} than ${baseline}: ${differenceText(measure, difference)} over ${plural(seeds, 'seed')}.`;
  });
  if (unclear.length > 0) {
    const list = unclear.map(
      ({ name, value, low, high }) =>
        `${name} ${amountText(measure, value)} (${amountText(measure, low)} to ${amountText(measure, high)})`,
    );
    const seeds = [...new Set(unclear.map((one) => one.seeds))].join(' or ');
    sentences.push(
      `No difference from ${baseline} was found over ${seeds} seeds: ${list.join(', ')}${measure === 'accuracy' ? ' points' : ''}.`,
    );
  }
  for (const { name, difference } of equal) {
    const amount = `${amountText(measure, difference.value)}${measure === 'accuracy' ? ' points' : ''}`;
    sentences.push(
      `The difference of ${name} from ${baseline} is the same in all of ${plural(difference.seeds, 'seed')} (${amount}), so that it has no interval.`,
    );
  }
  if (single.length > 0) {
    const names = single.map(({ name }) => name).join(', ');
    sentences.push(`One seed tells nothing of a difference between ${baseline} and ${names}.`);
  }
  return `${sentences.join(' ')} Scores are on ${plural(tested, 'test sample')}.`;
}
