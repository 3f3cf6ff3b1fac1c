import { crc32 } from '../base/crc32.js';
import { sha256 } from '../base/sha256.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { digestData } from './digest-data.js';
import type { ProviderTrainerOptions, ResolvedSettings } from './trainer-options.js';
import type { CheckedSamples, TrainingPlan } from './training-plan.js';

/** Returns the SHA-256 of what decides the result: model, settings, what moves and from which values, samples and targets. */
export async function trainingDigest(
  model: LoadedModel,
  { teacher, targets, initial, validation: judged }: ProviderTrainerOptions,
  settings: ResolvedSettings,
  plan: TrainingPlan,
  validation: CheckedSamples | undefined,
): Promise<string> {
  const { data, batch } = plan;
  const teaching = teacher && {
    share: teacher.share,
    model:
      teacher.model instanceof Uint8Array ? await sha256(teacher.model) : await teacher.model.fingerprint(),
  };
  const crcOf = (values: Float32Array) =>
    crc32(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  const facts = {
    model: await model.fingerprint(),
    settings,
    // Running statistics are among them: those that are frozen are not.
    moved: [...plan.initial.keys()],
    batch,
    teaching,
    data: await digestData(data.samples, targets),
    validation: judged && validation && (await digestData(validation.samples, judged.targets)),
    initial: initial && [...plan.initial].map(([name, values]) => [name, crcOf(values)]),
  };
  return sha256(JSON.stringify(facts));
}
