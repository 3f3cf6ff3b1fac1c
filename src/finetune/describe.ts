// The data and the settings of a fine-tuning, as its report has them.
import type { LoadedModel } from '../providers/loaded-model.js';
import { DEFAULT_BATCH_SAMPLES, resolveSettings } from '../train/trainer-options.js';
import { type ArmOptions, trainerSettings } from './arm.js';
import { countClasses } from './count-classes.js';
import { countsOf, type Prepared } from './prepare.js';
import type { FinetuneReport } from './report-schema.js';

/** Describes the parts of the data. */
export function reportedData({ parts, source }: Prepared, options: ArmOptions): FinetuneReport['data'] {
  const { train, testFrom } = parts;
  const classes = countClasses(train.targets, train.count, options);
  return { source, ...countsOf(parts), testFrom, classes };
}

/** Describes the settings of all trainings. */
export function reportedSettings(
  { document }: LoadedModel,
  options: ArmOptions,
  seeds: readonly number[],
): FinetuneReport['settings'] {
  const { optimizer, batch, patience, output, ...settings } = resolveSettings(trainerSettings(options));
  const { loss, labelSmoothing, rate, schedule, epochs, augment, batchNorm } = settings;
  const fixed = document.graph.inputs.find(({ name }) => !document.graph.initializers.has(name))?.dims?.[0];
  return {
    ...{ loss, labelSmoothing, rate, schedule, epochs, batchNorm, augment: [...augment] },
    output: output ?? document.graph.outputs[0]?.name ?? '',
    optimizer: optimizer.kind,
    warmUp: options.warmUp,
    weightDecay: optimizer.weightDecay ?? null,
    batch: typeof fixed === 'number' && fixed > 0 ? fixed : (batch ?? DEFAULT_BATCH_SAMPLES),
    freeze: [...(options.freeze ?? [])],
    teacher: (options.teacher ?? 0) > 0,
    patience: patience ?? null,
    seeds: [...seeds],
  };
}
