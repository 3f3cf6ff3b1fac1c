// The data and the settings of a fine-tuning, as its report has them.
import { resolveSettings } from '../train/trainer-options.js';
import { type ArmOptions, trainerSettings } from './arm.js';
import { countClasses } from './count-classes.js';
import type { StepFacts } from './judge.js';
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
  step: StepFacts,
  options: ArmOptions,
  seeds: readonly number[],
): FinetuneReport['settings'] {
  const { optimizer, patience, ...settings } = resolveSettings(trainerSettings(options));
  const { loss, labelSmoothing, rate, schedule, epochs, augment, batchNorm } = settings;
  return {
    loss,
    labelSmoothing,
    rate,
    schedule,
    epochs,
    batchNorm,
    augment: [...augment],
    ...step,
    optimizer: optimizer.kind,
    warmUp: options.warmUp,
    weightDecay: optimizer.weightDecay ?? null,
    freeze: [...(options.freeze ?? [])],
    teacher: (options.teacher ?? 0) > 0,
    patience: patience ?? null,
    seeds: [...seeds],
  };
}
