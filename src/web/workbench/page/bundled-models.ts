import type { NamedFile } from '../protocol.js';

/** Models that the page brings along. */
const MODELS = {
  'lenet5.onnx': new URL('../../../../models/lenet5.onnx', import.meta.url),
  'mobilenet.onnx': new URL('../../../../models/mobilenet.onnx', import.meta.url),
} as const;

/** A model that the page brings along. */
export type BundledModel = keyof typeof MODELS;

/** Names of the bundled models, as people know them. */
export const BUNDLED_MODELS: Readonly<Record<BundledModel, string>> = {
  'lenet5.onnx': 'LeNet-5',
  'mobilenet.onnx': 'MobileNet',
};

/** Returns a model that the page brings along. Throws if it cannot be fetched. */
export async function fetchBundled(name: BundledModel): Promise<NamedFile> {
  const response = await fetch(MODELS[name]);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return { name, blob: await response.blob() };
}
