import { type Finetuned, finetuneModel } from '../finetune/finetune.js';
import type { FinetuneOptions } from '../finetune/options.js';
import type { RunnableModel } from '../providers/provider.js';
import { onCpu } from './calibrate-files.js';
import { host } from './host.js';
import { withModel } from './load-model.js';

/**
 * Swaps the activations of a model, repairs its weights and trains it with labels, beside its control. `model` is a path or
 * bytes. Throws as `finetuneModel` does.
 *
 * @example
 * import { finetune, labelledArrays } from 'onnx-mish/finetune';
 * import { writeModel } from 'onnx-mish/node';
 *
 * const images = { elemType: 'f32', dims: [2000, 1, 28, 28], data: new Float32Array(2000 * 784) };
 * const labels = Array.from({ length: 2000 }, (_, index) => index % 10);
 * const { output, report } = await finetune('model.onnx', {
 *   data: (inputs) => labelledArrays({ images }, labels, inputs),
 *   epochs: 3,
 * });
 * console.log(report.conclusion);
 * await writeModel(output, 'model.mish.onnx');
 */
export function finetune(model: RunnableModel, options: FinetuneOptions): Promise<Finetuned> {
  const work = (loaded: Parameters<typeof finetuneModel>[0]) =>
    finetuneModel(loaded, { ...onCpu(options), host: host() });
  return withModel(model, work, options);
}
