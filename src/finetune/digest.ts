// Digests of labelled data and of all that decides the result of a fine-tuning.
import { sha256 } from '../base/sha256.js';
import { swapChoices } from '../mish/swap-choices.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { digestData } from '../train/digest-data.js';
import { type ArmOptions, trainerSettings } from './arm.js';
import type { LabelledData } from './options.js';

/** Returns the digest of labelled data, to which checkpoints belong. */
export const dataDigest = ({ digest, samples, targets }: LabelledData) =>
  digest ?? digestData(samples, targets);

/** Returns the SHA-256 of all that decides the result. */
export async function finetuneDigest(model: LoadedModel, options: ArmOptions, data: object): Promise<string> {
  const { calibrate, freeze, teacher, control, seeds, seed, validation } = options;
  const facts = {
    ...swapChoices(options),
    calibrate,
    freeze,
    teacher,
    control,
    seeds,
    seed,
    validation,
    data,
    settings: trainerSettings(options),
    warmUp: options.warmUp,
    model: await model.fingerprint(),
  };
  return sha256(new TextEncoder().encode(JSON.stringify(facts)));
}
