// How long an experiment takes.

import { MAX_UNIT_SAMPLES } from '../finetune/limits.js';
import { excerptOf, type LabelledPart } from '../finetune/split-data.js';
import type { ReplacementName } from '../mish/activation-kinds.js';
import type { TrainingTimes } from '../train/part-times.js';
import { stepTimer } from '../train/step-timer.js';
import type { ModelTrainer } from '../train/train-model.js';
import { DEFAULT_BATCH_SAMPLES } from '../train/trainer-options.js';
import { landscapeSize } from './clock.js';
import type { Experiment } from './prepare.js';
import { openRun } from './train-run.js';

/** Number of steps that are measured. */
const MEASURED_STEPS = 20;
/** Numbers of test samples whose score is measured. */
const FEW_SAMPLES = 32;
const MEASURED_SAMPLES = 256;

/** Measures some steps of an activation, and estimates the times of the parts of its runs. Throws as `createTrainer` does. */
export async function measureRun(
  experiment: Experiment,
  activation: ReplacementName,
): Promise<TrainingTimes> {
  const { parts, settings, curve } = experiment;
  const { train, test } = parts;
  const wanted = settings.batch ?? DEFAULT_BATCH_SAMPLES;
  const few = excerptOf(train, Math.min(train.count, wanted * MEASURED_STEPS));
  const timer = stepTimer();
  const key = { activation, seed: experiment.seeds[0] ?? 0 };
  const short = {
    ...experiment,
    settings: { ...settings, epochs: 1, warmUp: 0 },
    curve: excerptOf(curve, 1),
  };
  const trainer = await openRun(short, key, { onStep: timer.onStep }, few);
  try {
    // A diverged training has no weights to score, so this comes first.
    const scores = await timeScores(trainer, test);
    const secondsOf = (samples: number) => (samples === 0 ? 0 : scores.open + samples * scores.sample);
    const steps = await timer.epochSeconds(trainer, few.count, train.count);
    return {
      steps,
      score: secondsOf(curve.count),
      end: secondsOf(test.count) + secondsOf(Math.min(MAX_UNIT_SAMPLES, test.count)),
      point: secondsOf(landscapeSize(experiment).images),
    };
  } finally {
    await trainer.close();
  }
}

/** Seconds of an evaluation: to open the session, and for a sample. */
interface ScoreTimes {
  readonly open: number;
  readonly sample: number;
}

/** Measures two evaluations, of few samples and of more. Returns the times that explain both. */
async function timeScores(trainer: ModelTrainer, test: LabelledPart): Promise<ScoreTimes> {
  const time = async (count: number) => {
    const samples = excerptOf(test, count);
    const start = performance.now();
    await trainer.evaluate(samples);
    return { seconds: (performance.now() - start) / 1000, count: samples.count };
  };
  await time(1); // compiles
  const few = await time(FEW_SAMPLES);
  const more = await time(MEASURED_SAMPLES);
  if (more.count === few.count) return { open: 0, sample: more.seconds / more.count };
  const sample = Math.max(0, (more.seconds - few.seconds) / (more.count - few.count));
  return { open: Math.max(0, more.seconds - sample * more.count), sample };
}
