// A small experiment that takes milliseconds.

import type { ExperimentOptions } from '../../src/experiment/options.js';
import { type Experiment, prepareExperiment } from '../../src/experiment/prepare.js';
import type { ExperimentRun } from '../../src/experiment/report-schema.js';
import { type TrainRunOptions, trainRun } from '../../src/experiment/train-run.js';
import { labelledArrays } from '../../src/finetune/labelled-arrays.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { classified, classifier } from './classified.js';

export const labelledSamples = (count: number, seed?: number): ExperimentOptions['data'] => {
  const { x, labels } = classified(count, seed);
  return (inputs) => labelledArrays({ x }, labels, inputs);
};

/** Prepares an experiment with a small classifier. */
export async function smallExperiment(
  options: Partial<Omit<ExperimentOptions, 'provider'>> = {},
  model: Uint8Array = classifier(),
): Promise<Experiment> {
  return prepareExperiment(await modelFromBytes(model, 'net.onnx'), {
    ...{
      data: labelledSamples(160),
      test: labelledSamples(100, 6),
      epochs: 3,
      rate: 0.02,
      batch: 32,
      seeds: 2,
    },
    ...{
      activations: ['relu', 'mish'],
      provider: nodeProvider('cpu'),
      session: { threads: 1 },
      landscape: false,
    },
    ...options,
  });
}

/** Trains a run to its end. */
export async function trained(
  experiment: Experiment,
  [activation, seed]: readonly [Experiment['activations'][number], number],
  options: TrainRunOptions = {},
): Promise<ExperimentRun> {
  const training = trainRun(experiment, { activation, seed }, options);
  for (;;) {
    const next = await training.next();
    if (next.done) return next.value;
  }
}

/** Returns a run or a report without times. */
export const timeless = <T>(json: T): T =>
  JSON.parse(
    JSON.stringify(json, (key, value) =>
      ['created', 'seconds', 'epochSeconds', 'hosts'].includes(key) ? null : value,
    ),
  );
