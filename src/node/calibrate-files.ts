import {
  type Activations,
  type ActivationsOptions,
  measureActivations,
} from '../calibrate/activations/activations.js';
import { type Calibration, calibrateModel } from '../calibrate/calibrate.js';
import type { CalibrateOptions } from '../calibrate/options.js';
import { type RankOptions, rankModel } from '../calibrate/select/rank.js';
import type { Ranking } from '../calibrate/select/ranking.js';
import { type SharpenSwapOptions, sharpenModel } from '../calibrate/select/sharpen-swap.js';
import {
  type BudgetResult,
  type KeepOptions,
  swapModelWithinBudget,
} from '../calibrate/select/swap-within-budget.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider, Provider, RunnableModel, SessionOptions } from '../providers/provider.js';
import { loadedModel, withModel } from './load-model.js';
import { getProvider } from './provider-by-name.js';

/**
 * Measures the inputs of a model's activations. `model` is a path or bytes. Throws as `measureActivations` does.
 *
 * @example
 * import { activations } from 'onnx-mish/calibrate';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { sites } = await activations('model.onnx', { data: (inputs) => seededFeeds(inputs, { count: 64 }) });
 */
export function activations(model: RunnableModel, options: ActivationsOptions): Promise<Activations> {
  return onModel(model, options, measureActivations);
}

/**
 * Swaps the activations of a model and repairs its weights. `model` is a path or bytes. Throws as `calibrateModel` does.
 *
 * @example
 * import { calibrate } from 'onnx-mish/calibrate';
 * import { writeModel } from 'onnx-mish/node';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * // Noise only shows the call: give samples like those that the network will see.
 * const { output } = await calibrate('model.onnx', { data: (inputs) => seededFeeds(inputs, { count: 256 }) });
 * await writeModel(output, 'repaired.onnx');
 */
export function calibrate(
  model: RunnableModel,
  options: CalibrateOptions,
): Promise<{ output: Spliced; report: Calibration }> {
  return onModel(model, options, calibrateModel);
}

/**
 * Ranks the sites of a model by the degradation of the outputs. `model` is a path or bytes. Throws as `rankModel` does.
 *
 * @example
 * import { rankSites } from 'onnx-mish/calibrate';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { sites } = await rankSites('model.onnx', { data: (inputs) => seededFeeds(inputs, { count: 64 }) });
 */
export function rankSites(model: RunnableModel, options: RankOptions): Promise<Ranking> {
  return onModel(model, options, rankModel);
}

/**
 * Finds the sites of a model that can be swapped within a budget. `model` is a path or bytes. Throws as
 * `swapModelWithinBudget` does.
 *
 * @example
 * import { swap } from 'onnx-mish';
 * import { swapWithinBudget, parseBudget } from 'onnx-mish/calibrate';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { plan } = await swapWithinBudget(bytes, {
 *   budget: parseBudget(['sqnr>=30']),
 *   data: (inputs) => seededFeeds(inputs, { count: 64 }),
 * });
 * await swap(bytes, { plan });
 */
export function swapWithinBudget(model: RunnableModel, options: KeepOptions): Promise<BudgetResult> {
  return onModel(model, options, swapModelWithinBudget);
}

/**
 * Finds the sharpness of each site of a scanned model within a budget. Throws as `sharpenModel` does.
 *
 * @example
 * import { parseBudget, sharpenSwap } from 'onnx-mish/calibrate';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const { plan } = await sharpenSwap(scanned, {
 *   budget: parseBudget(['sqnr>=30']),
 *   data: (inputs) => seededFeeds(inputs, { count: 64 }),
 * });
 */
export function sharpenSwap(
  { model, document }: { readonly model: RunnableModel; readonly document: OnnxDocument },
  options: SharpenSwapOptions,
): ReturnType<typeof sharpenModel> {
  return sharpenModel(loadedModel(model, document, options.session), onCpu(options));
}

interface RunOptions {
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

function onModel<O extends RunOptions, T>(
  model: RunnableModel,
  options: O,
  work: (model: LoadedModel, options: O & OnProvider) => Promise<T>,
): Promise<T> {
  return withModel(model, (loaded) => work(loaded, onCpu(options)), options);
}

/** Adds a provider to options: the CPU, unless the options have a provider. */
export function onCpu<O extends RunOptions>(options: O): O & OnProvider {
  return { ...options, provider: options.provider ?? getProvider('cpu') };
}
