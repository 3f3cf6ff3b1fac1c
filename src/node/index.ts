// What needs a file system: the same functions, from path to path.

export { type ModelFile, openModel } from './model-file.js';
export { decodeImage, type ImageFolder, listImages } from './read-images.js';
export {
  type FileOptions,
  outputName,
  retargetFile,
  swapFile,
  undoFile,
  type Written,
} from './transform.js';
export { streamModel, type WriteOptions, writeModel } from './write.js';
