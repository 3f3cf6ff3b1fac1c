import { OnnxMishError } from '../base/error.js';
import type { OnnxDocument, StoredTensor } from '../onnx/document.js';
import { floatType } from '../onnx/types.js';
import { readWeight } from '../onnx/weights.js';

/** Maximum number of elements to read from all tensors together. */
const MAX_ELEMENTS = 2 ** 24;

/**
 * Creates a reader of float constants of several elements that the model file holds. The reader returns undefined for any other tensor,
 * for one of more than `mostEach` elements, for one that cannot be read, and after too many elements.
 */
export function createConstantReader(document: OnnxDocument, mostEach: number) {
  let left = MAX_ELEMENTS;
  return async (tensor: StoredTensor): Promise<Float64Array | undefined> => {
    const { name, dims, elemType, scalar, external, frame } = tensor;
    const type = floatType(elemType);
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (type === undefined || scalar !== undefined || external !== undefined || frame === undefined)
      return undefined;
    if (count < 1 || count > mostEach || count > left) return undefined;
    left -= count;
    try {
      return await readWeight(document, { name, tensor, type, home: document.graph });
    } catch (error) {
      // Code that needs the values reports the error.
      if (!(error instanceof OnnxMishError)) throw error;
      return undefined;
    }
  };
}
