import type { Dataset, Feeds } from '../../data/dataset.js';
import type { AccuracyWithIntervals } from '../../metrics/accuracy.js';
import type { Drift } from '../../metrics/drift.js';
import type { Spliced } from '../../onnx/splice.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { withSession } from '../../providers/with-session.js';
import { compare } from '../../validate/compare.js';
import type { TrialOptions } from './trial.js';

/** Drift and accuracy of a model, compared with the original. */
export interface ModelComparison {
  readonly drift: readonly Drift[];
  /** Accuracy by the labels; null without labels. */
  readonly accuracy: AccuracyWithIntervals | null;
}

/** Opens a model to read its inputs and outputs, and returns its data set. */
export async function dataFor(
  { file }: LoadedModel,
  options: Pick<TrialOptions, 'data' | 'session'> & OnProvider,
): Promise<Dataset<Feeds>> {
  return withSession(file, options, ({ inputs, outputs }) => options.data(inputs, outputs));
}

/** Compares an edited model with its original on a data set. */
export async function compareWithOriginal(
  model: LoadedModel,
  edited: Spliced,
  data: Dataset<Feeds>,
  options: Pick<TrialOptions, 'session' | 'signal'> & OnProvider,
): Promise<ModelComparison & { readonly original: AccuracyWithIntervals | null }> {
  return model.withEdited(edited, (copy) =>
    withSession(model.file, options, (original) =>
      withSession(copy, options, async (swapped) => {
        const { drift, accuracy } = await compare({ original, swapped }, undefined, data, options.signal);
        return { drift, accuracy: accuracy?.swapped ?? null, original: accuracy?.original ?? null };
      }),
    ),
  );
}

/** Returns whether no output has a larger error, or more broken elements, than before. */
export function isNoWorse(after: readonly Drift[], before: readonly Drift[]): boolean {
  return after.every(({ rmse, broken }, index) => {
    const was = before[index];
    if (was === undefined || broken > was.broken) return false;
    return was.rmse === null || (rmse !== null && rmse <= was.rmse);
  });
}
