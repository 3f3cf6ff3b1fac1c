// Functions that need a file system: the functions of the core, from path to path.

export { type ModelFile, openModel } from '../files/model-file.js';
export { streamModel, type WriteOptions, writeModel } from '../files/write-model.js';
export type { Provider, ProviderName, Session } from '../providers/provider.js';
export { openTrainer } from './open-trainer.js';
export { getProvider } from './provider-by-name.js';
export { decodeImage, type ImageFolder, listImages } from './read-images.js';
export {
  type FileOptions,
  type MoveOptions,
  outputName,
  retargetFile,
  swapFile,
  undoFile,
  type Written,
} from './transform-file.js';
