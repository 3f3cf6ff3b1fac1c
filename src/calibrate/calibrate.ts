import type { Spliced } from '../onnx/splice.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import type { Calibration } from './calibration.js';
import { finish } from './finish.js';
import type { CalibrateOptions } from './options.js';
import { prepareSamples } from './prepare-samples.js';
import { repairSwap } from './repair-swap.js';

export { CALIBRATION_SCHEMA, type Calibration } from './calibration.js';

/**
 * Swaps the activations of a model and repairs its weights without labels. The linear layers after the sites are
 * solved by least squares, to match the original's outputs; then gradient steps move all layers together. New weights
 * come from the training samples, and replace the old if they lower the loss on the validation samples. If the result
 * is further from the original than the swap without repair on the test samples, the output is that swap.
 *
 * The output's source is a copy in memory. New weights keep their element type, and are written into the model even if
 * the old weights were external. The output has no record for `undo`: the old weights are gone.
 *
 * With `int8`, the scales of a quantised model are made anew from the training samples, as `calibrateInt8` says.
 *
 * Throws as `swap` does, `bad-data` for unfit samples or fewer than three runs, `run-failed`, `aborted`.
 */
export async function calibrateModel(
  model: LoadedModel,
  options: CalibrateOptions & OnProvider,
): Promise<{ output: Spliced; report: Calibration }> {
  const start = performance.now();
  const { output, report } =
    options.int8 === undefined
      ? await repaired(model, options)
      : await quantised(model, options.int8, options);
  const seconds = (performance.now() - start) / 1000;
  const sizes = { bytesIn: model.document.source.size, bytesOut: output.size };
  return { output, report: { ...report, seconds, ...sizes } };
}

async function repaired(model: LoadedModel, options: CalibrateOptions & OnProvider) {
  const { kept, form, report } = await repairSwap(model, await prepareSamples(model, options), options);
  const { fold, target } = options;
  const finished = await finish(kept, model, { form, fold, target });
  const notes = [...report.notes, ...finished.notes];
  return { output: finished.output, report: { ...report, fold: finished.fold, notes } };
}

async function quantised(...given: Parameters<typeof import('./calibrate-int8.js').calibrateInt8>) {
  const { calibrateInt8 } = await import('./calibrate-int8.js'); // few models are quantised
  return calibrateInt8(...given);
}
