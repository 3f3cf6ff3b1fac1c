import type { LoadedModel } from '../providers/loaded-model.js';
import type { RunnableModel } from '../providers/provider.js';
import { createTrainer, type ModelTrainer } from '../train/train-model.js';
import type { TrainerOptions } from '../train/trainer-options.js';
import { onCpu } from './calibrate-files.js';
import { withModel } from './load-model.js';

/**
 * Prepares the training of a model, a path or bytes, as `createTrainer` does. The model's files stay open until the trainer is
 * closed. The default provider is the CPU. Throws as `createTrainer` and `withModel` do.
 *
 * @example
 * import { openTrainer, writeModel } from 'onnx-mish/node';
 *
 * const x = { elemType: 'f32', dims: [128, 3], data: new Float32Array(384) };
 * const labels = Array.from({ length: 128 }, (_, index) => index % 2);
 * const trainer = await openTrainer('model.onnx', { inputs: { x }, targets: labels, epochs: 5 });
 * for await (const { epoch, loss } of trainer) console.log(epoch, loss);
 * await writeModel(await trainer.model(), 'trained.onnx');
 * await trainer.close();
 */
export function openTrainer(model: RunnableModel, options: TrainerOptions): Promise<ModelTrainer> {
  return new Promise((resolve, reject) => {
    // The files are open as long as this function runs, so that it ends with the trainer.
    const use = async (loaded: LoadedModel) => {
      const trainer = await createTrainer(loaded, onCpu(options));
      await new Promise<void>((release) => resolve(closing(trainer, release, () => done)));
    };
    const done = withModel(model, use, options);
    done.catch(reject);
  });
}

/** Returns a trainer whose `close` also releases the model's files, and waits until they are closed. */
function closing(trainer: ModelTrainer, release: () => void, closed: () => Promise<void>): ModelTrainer {
  const close = async () => {
    try {
      await trainer.close();
    } finally {
      release();
    }
    await closed();
  };
  return Object.defineProperty(Object.create(trainer), 'close', { value: close });
}
