// How long an experiment takes.
import { quantile } from '../metrics/statistics.js';
import type { ReplacementName } from '../mish/activation-kinds.js';
import { isDivergence } from '../train/divergence.js';
import { DEFAULT_BATCH_SAMPLES } from '../train/trainer-options.js';
import { DEFAULT_LANDSCAPE_IMAGES, firstOf } from './judge-run.js';
import { DEFAULT_POINTS } from './landscape.js';
import type { Experiment } from './prepare.js';
import { openRun } from './train-run.js';

/** Seconds of the parts of a run. */
export interface RunTimes {
  /** Seconds of the steps of an epoch. */
  readonly steps: number;
  /** Seconds of the score after an epoch. */
  readonly score: number;
  /** Seconds to score the test part after the last epoch. */
  readonly end: number;
  /** Seconds of the loss landscape of a run of the first seed. */
  readonly landscape: number;
}

/** Number of steps that are measured. */
const MEASURED_STEPS = 20;
/** Maximum number of test samples whose score is measured. */
const MEASURED_SAMPLES = 256;

/** Measures some steps of an activation, and estimates the parts of its runs. Throws as `createTrainer` does. */
export async function measureRun(experiment: Experiment, activation: ReplacementName): Promise<RunTimes> {
  const { parts, settings, curve } = experiment;
  const { train, test } = parts;
  const wanted = settings.batch ?? DEFAULT_BATCH_SAMPLES;
  const few = firstOf(train, Math.min(train.count, wanted * MEASURED_STEPS));
  const times: number[] = [];
  const key = { activation, seed: experiment.seeds[0] ?? 0 };
  const short = { ...experiment, settings: { ...settings, epochs: 1, warmUp: 0 }, curve: firstOf(curve, 1) };
  const trainer = await openRun(short, key, { onStep: () => times.push(performance.now()) }, few);
  try {
    // A diverged training has no weights to score, so this comes first.
    const scored = firstOf(test, MEASURED_SAMPLES);
    const start = performance.now();
    await trainer.evaluate(scored);
    const sample = (performance.now() - start) / 1000 / scored.count;
    let batch = Math.min(wanted, few.count);
    const begin = performance.now();
    try {
      for await (const _ of trainer);
      batch = Math.floor(few.count / times.length);
    } catch (error) {
      if (!isDivergence(error)) throw error;
    }
    const steps = Math.max(1, Math.floor(train.count / batch));
    const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
    const first = (performance.now() - begin) / 1000 / Math.max(1, times.length);
    const step = gaps.length === 0 ? first : quantile(gaps, 0.5) / 1000;
    return {
      steps: steps * step,
      score: curve.count * sample,
      end: test.count * sample,
      landscape: landscapeScores(experiment) * sample,
    };
  } finally {
    await trainer.close();
  }
}

/** Returns the number of scores of samples that a loss landscape takes. */
function landscapeScores({ options: { landscape = {} }, parts }: Experiment): number {
  if (landscape === false) return 0;
  const { points = DEFAULT_POINTS, images = DEFAULT_LANDSCAPE_IMAGES } = landscape;
  return points ** 2 * Math.min(images, parts.test.count);
}

/** Returns the seconds until all jobs are done, if each of the workers takes the next job when it is free. */
export function makespan(jobs: readonly number[], workers: number): number {
  const free = new Array<number>(Math.max(1, workers)).fill(0);
  for (const seconds of jobs) {
    const next = free.indexOf(Math.min(...free));
    free[next] = (free[next] ?? 0) + seconds;
  }
  return Math.max(...free);
}
