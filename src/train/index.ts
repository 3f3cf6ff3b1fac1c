// Training of ONNX models on ONNX Runtime: `onnx-mish/train`. Knows no files, so that it runs in a page and in a worker.

export { AUGMENTATIONS, type Augmentation } from '../data/augment.js';
export type { Samples, TensorType } from '../data/samples.js';
export { type LoadedModel, modelFromBytes } from '../providers/loaded-model.js';
export type { Epoch, EpochScore } from './epoch.js';
export type { Evaluation } from './evaluate.js';
export type { FilterLayout } from './filters.js';
export type { OptimizerOptions } from './graph-optimizers.js';
export type { LossName } from './losses.js';
export type { Targets } from './targets.js';
export { createTrainer, type ModelTrainer } from './train-model.js';
export type {
  InitialValues,
  LabelledSamples,
  ProviderTrainerOptions,
  Teacher,
  TrainedCopy,
  TrainerOptions,
  TrainerSettings,
} from './trainer-options.js';
export type { TrainerRemark } from './training-plan.js';
