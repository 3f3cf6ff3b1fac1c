import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { chooseLoss } from '../train/choose-loss.js';
import { type LabelledSamples, resolveSettings } from '../train/trainer-options.js';
import type { ExperimentOptions } from './options.js';

/** Settings of every training. */
export type ExperimentSettings = ReturnType<typeof settingsOf>;

const DEFAULT_EPOCHS = 50;

/** Returns the settings with the loss that the training samples ask for, where the options name none, and tells of it. */
export async function chosenSettings(
  model: LoadedModel,
  train: LabelledSamples,
  options: ExperimentOptions & OnProvider,
): Promise<ExperimentSettings> {
  const { loss, reason } = await chooseLoss(model, train, options);
  if (reason !== undefined) options.onDoubt?.({ text: reason, option: { loss: null } });
  return settingsOf({ ...options, loss });
}

/** Returns the settings of a training with their defaults. Throws `bad-usage` for values that cannot be used. */
export function settingsOf(options: ExperimentOptions) {
  const { output, loss, labelSmoothing, rate, schedule, decayEpochs, decay, batch } = options;
  const {
    maxGradientNorm,
    ignoreLabel,
    augment,
    optimizer = { kind: 'rmsprop' },
    epochs = DEFAULT_EPOCHS,
    warmUp = 0,
  } = options;
  const settings = {
    output,
    loss,
    labelSmoothing,
    rate,
    schedule,
    decayEpochs,
    decay,
    batch,
    maxGradientNorm,
    ignoreLabel,
    augment,
    optimizer,
    epochs,
    warmUp: warmUp * epochs,
  };
  resolveSettings(settings);
  return settings;
}
