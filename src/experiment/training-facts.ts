import { capitalised } from '../base/in-words.js';
import { integer } from '../base/plural.js';
import { sharedSamples, sharedSamplesNote } from '../data/shared-samples.js';
import type { Experiment } from './prepare.js';
import { openRun } from './train-run.js';

/** Facts on the training that all runs of an experiment share. */
export interface TrainingFacts {
  /** Name of the output that the loss is computed from. */
  readonly output: string;
  /** Number of samples in a step. */
  readonly batch: number;
  /** Number of weight tensors that are initialised anew. */
  readonly weights: number;
  /** Trained weights that keep the values of the model. */
  readonly kept: readonly string[];
  readonly remarks: readonly string[];
  /** Reasons to doubt the scores. */
  readonly warnings: readonly string[];
}

/** Opens a run without training it, so that data and settings are checked. Throws as `createTrainer` does. */
export async function trainingFacts(experiment: Experiment): Promise<TrainingFacts> {
  const [activation = 'relu'] = experiment.activations;
  const key = { activation, seed: experiment.seeds[0] ?? 0 };
  const kept: string[] = [];
  let weights = 0;
  const onInitial = (given: readonly string[], chosen: ReadonlyMap<string, unknown>) => {
    weights = chosen.size;
    kept.push(...given.filter((name) => !chosen.has(name)));
  };
  const trainer = await openRun(experiment, key, { onInitial });
  await trainer.close();
  const { train, test } = experiment.parts;
  const known = sharedSamplesNote(await sharedSamples(test.inputs, train.inputs), test.count);
  return {
    output: trainer.output,
    batch: trainer.stepSamples,
    weights,
    kept,
    remarks: trainer.remarks.map(({ text }) => text),
    warnings: [...(known === undefined ? [] : [`${capitalised(known)}.`]), ...keptWarning(kept)],
  };
}

/** Returns a warning of weights without a rule: a run is not from new weights then. */
export function keptWarning(kept: readonly string[]): string[] {
  const [first, ...others] = kept;
  if (first === undefined) return [];
  const more = others.length === 0 ? '' : ` and ${integer(others.length)} more`;
  const start =
    kept.length === 1 ? 'A trained weight starts' : `${integer(kept.length)} trained weights start`;
  return [`${start} from the values of the model, since no rule is known for new ones: ${first}${more}.`];
}
