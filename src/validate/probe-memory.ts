import { OnnxMishError } from '../base/error.js';
import { analyse } from '../onnx/analysis.js';
import { typeName } from '../onnx/types.js';
import { arrayFor, elementCount } from '../providers/tensor.js';
import { probeWithSession } from '../train/probe.js';
import type { ModelLayerOptions, SharedTensor } from './layer-options.js';

const MAX_ELEMENT_BYTES = 8;

/** Number of copies of a tensor in memory: of each model, and of the runtime while it hands tensors over. */
const COPIES = 3;

/**
 * Returns the memory that each tensor takes in the first run of the reference, from a copy of the model that outputs shapes only.
 * Returns undefined if ONNX Runtime cannot run the copy.
 */
export async function probeMemory({
  a: { model, provider },
  feeds: [feed = {}],
  session,
}: ModelLayerOptions): Promise<((tensor: SharedTensor) => number) | undefined> {
  const { document } = model;
  try {
    const { dims } = await probeWithSession(model, feed, { provider, session });
    const { types } = analyse(document);
    return ({ output }) => {
      const width = arrayFor(typeName(types(document.graph, output)), 0)?.BYTES_PER_ELEMENT;
      return COPIES * elementCount(dims(output)) * (width ?? MAX_ELEMENT_BYTES);
    };
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'run-failed') return undefined;
    throw error;
  }
}
