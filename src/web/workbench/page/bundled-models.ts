import type { NamedFile } from '../protocol.js';

/** Models that the page brings along. */
const MODELS = {
  'lenet5.onnx': new URL('../../../../models/lenet5.onnx', import.meta.url),
} as const;

/** Returns a model that the page brings along. Throws if it cannot be fetched. */
export async function fetchBundled(name: keyof typeof MODELS): Promise<NamedFile> {
  const response = await fetch(MODELS[name]);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return { name, blob: await response.blob() };
}
