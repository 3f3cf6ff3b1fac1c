import type { RunnableModel } from '../providers/provider.js';
import { firstModelDivergence } from '../validate/divergence.js';
import type { ModelLayerOptions, ModelRun } from '../validate/layer-options.js';
import { compareModelLayers } from '../validate/layers.js';
import type { Divergence, LayerComparison } from '../validate/report-schema.js';
import { withModel } from './load-model.js';

/** A model and the provider that runs the model. */
export interface LayerRun extends Omit<ModelRun, 'model'> {
  /** A path, with external data in the same folder, or bytes. */
  readonly model: RunnableModel;
}

export interface LayerOptions extends Omit<ModelLayerOptions, 'a' | 'b'> {
  /** The reference. Its provider must run every model, as the CPU does. */
  readonly a: LayerRun;
  readonly b: LayerRun;
}

/**
 * Compares the inner tensors of two models. Throws as `compareModelLayers` and `scan` do, and `io`.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { compareLayers, seededFeeds } from 'onnx-mish/validate';
 *
 * const provider = getProvider('cpu');
 * const { inputs } = await provider.open('model.onnx');
 * const { feeds } = seededFeeds(inputs, {});
 * await compareLayers({
 *   a: { which: 'original', model: 'model.onnx', provider },
 *   b: { which: 'swapped', model: 'model.mish.onnx', provider },
 *   feeds,
 * });
 */
export function compareLayers(options: LayerOptions): Promise<LayerComparison> {
  return withRuns(options, compareModelLayers);
}

/**
 * Finds the first tensor that differs between two runs. Throws as `firstModelDivergence` and `scan` do, and `io`.
 *
 * @example
 * import { getProvider } from 'onnx-mish/node';
 * import { firstDivergence, seededFeeds } from 'onnx-mish/validate';
 *
 * const provider = getProvider('cpu');
 * const { inputs } = await provider.open('model.onnx');
 * const { feeds } = seededFeeds(inputs, {});
 * const a = { which: 'original', model: 'model.onnx', provider } as const;
 * await firstDivergence({ a, b: { which: 'swapped', model: 'model.mish.onnx', provider }, feeds }, 1e-3);
 */
export function firstDivergence(
  options: Omit<LayerOptions, 'sitesOnly'>,
  tolerance: number,
): Promise<Divergence> {
  return withRuns(options, (loaded) => firstModelDivergence(loaded, tolerance));
}

function withRuns<T>(
  { a, b, ...options }: LayerOptions,
  use: (options: ModelLayerOptions) => Promise<T>,
): Promise<T> {
  return withModel(
    a.model,
    (first) =>
      withModel(
        b.model,
        (second) => use({ ...options, a: { ...a, model: first }, b: { ...b, model: second } }),
        options,
      ),
    options,
  );
}
