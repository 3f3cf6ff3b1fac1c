import type { DataFileInMemory } from './data-in-memory.js';
import type { ModelInput } from './source.js';
import type { Spliced } from './spliced.js';

/**
 * Copies external data into the model, so that the model needs no other file. Throws what `scan` throws, and `external-data`
 * for missing data and for a result of more than 2 GiB, which no runtime reads.
 *
 * @example
 * import { inlineExternalData, swap } from 'onnx-mish';
 *
 * const data = await (await fetch('model.onnx.data')).blob();
 * const whole = await inlineExternalData(bytes, [{ path: 'model.onnx.data', data }]);
 * const { output } = await swap(await whole.bytes());
 */
export async function inlineExternalData(
  model: ModelInput,
  files: readonly DataFileInMemory[],
): Promise<Spliced> {
  const { inlineFrom } = await import('./data-in-memory.js'); // a page whose models have no data files does not load it
  return inlineFrom(model, files);
}
