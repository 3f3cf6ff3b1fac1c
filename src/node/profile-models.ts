import type { Provider, RunnableModel } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';
import type { Both } from '../validate/compare.js';
import { type ProfileOptions, profileBoth, profileOne } from '../validate/profile.js';
import type { ModelProfile, Profile } from '../validate/report-schema.js';
import { withModel } from './load-model.js';

/**
 * Profiles two models, which are paths or bytes. Throws as `profileBoth` and `scan` do, and `io`.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { profileModels, seededFeeds } from 'onnx-mish/validate';
 *
 * const cpu = getProvider('cpu');
 * const { inputs } = await cpu.open('model.onnx');
 * const [feeds = {}] = seededFeeds(inputs, {}).feeds;
 * await profileModels(cpu, { original: 'model.onnx', swapped: 'model.mish.onnx' }, feeds);
 */
export function profileModels(
  provider: Provider,
  { original, swapped }: Both<RunnableModel>,
  feeds: Tensors,
  options: ProfileOptions = {},
): Promise<Profile> {
  return withModel(
    original,
    (before) =>
      withModel(
        swapped,
        (after) => profileBoth(provider, { original: before, swapped: after }, feeds, options),
        options,
      ),
    options,
  );
}

/**
 * Profiles a model, a path or bytes. Throws as `profileModels` does.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { profileModel, seededFeeds } from 'onnx-mish/validate';
 *
 * const cpu = getProvider('cpu');
 * const { inputs } = await cpu.open('model.onnx');
 * const [feeds = {}] = seededFeeds(inputs, {}).feeds;
 * console.log(await profileModel(cpu, 'model.onnx', feeds, { runs: 20 }));
 */
export function profileModel(
  provider: Provider,
  model: RunnableModel,
  feeds: Tensors,
  options: ProfileOptions = {},
): Promise<ModelProfile> {
  return withModel(model, (loaded) => profileOne(provider, loaded, feeds, options), options);
}
