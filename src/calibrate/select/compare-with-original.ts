import type { Dataset, Feeds } from '../../data/dataset.js';
import type { Accuracy } from '../../metrics/accuracy.js';
import type { Drift } from '../../metrics/drift.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { compare } from '../../validate/compare.js';
import type { TrialOptions } from './trial.js';

/** How far the outputs of a model are from the original's. */
export interface Judgement {
  readonly drift: readonly Drift[];
  /** By the labels; null without them. */
  readonly accuracy: Accuracy | null;
}

/** The data for a model, which has to be opened to know its inputs. */
export async function dataFor(
  { file }: LoadedModel,
  { provider, data, session }: Pick<TrialOptions, 'data' | 'session'> & OnProvider,
): Promise<Dataset<Feeds>> {
  const open = await provider.open(file, session);
  try {
    return data(open.inputs, open.outputs);
  } finally {
    await open.close();
  }
}

/** How a changed model compares with its original. */
export async function judgeModel(
  model: LoadedModel,
  edited: Spliced,
  data: Dataset<Feeds>,
  { provider, session, signal }: Pick<TrialOptions, 'session' | 'signal'> & OnProvider,
): Promise<Judgement & { readonly original: Accuracy | null }> {
  return model.withEdited(edited, async (copy) => {
    const original = await provider.open(model.file, session);
    try {
      const swapped = await provider.open(copy, session);
      try {
        const { drift, accuracy } = await compare({ original, swapped }, undefined, data, signal);
        return { drift, accuracy: accuracy?.swapped ?? null, original: accuracy?.original ?? null };
      } finally {
        await swapped.close();
      }
    } finally {
      await original.close();
    }
  });
}

/** Whether no output is further from the original's than it was. One that is broken is, unless it was before. */
export function isNoWorse(after: readonly Drift[], before: readonly Drift[]): boolean {
  return after.every(({ rmse, broken }, index) => {
    const was = before[index];
    if (was === undefined || broken > was.broken) return false;
    return was.rmse === null || (rmse !== null && rmse <= was.rmse);
  });
}
