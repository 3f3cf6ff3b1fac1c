import type { LabelledData } from '../../../finetune/options.js';
import { partOf } from '../../../finetune/split-data.js';
import type { LoadedModel } from '../../../providers/loaded-model.js';
import type { Provider } from '../../../providers/provider.js';
import { createTrainer } from '../../../train/train-model.js';
import type { TrainerSettings } from '../../../train/trainer-options.js';

/** A training whose first steps are compared. */
export interface TriedTraining {
  readonly model: LoadedModel;
  readonly data: LabelledData;
  readonly settings: TrainerSettings & { readonly batch: number };
}

/** Number of steps whose losses are compared. */
const COMPARED_STEPS = 3;

/** Takes the first steps of a training on both providers. Throws `run-failed` if a loss differs. */
export async function compareSteps(
  { model, data, settings }: TriedTraining,
  provider: Provider,
  reference: Provider,
): Promise<void> {
  const count = Math.min(data.samples.count, COMPARED_STEPS * settings.batch);
  const part = partOf(
    data,
    Uint32Array.from({ length: count }, (_, index) => index),
  );
  const trainer = await createTrainer(model, {
    ...settings,
    ...part,
    epochs: 1,
    warmUp: 0,
    provider,
    reference,
  });
  try {
    for await (const _ of trainer);
  } finally {
    await trainer.close();
  }
}
