import { OnnxMishError } from '../base/error.js';
import type { OnnxDocument, StoredTensor } from './document.js';
import { rawScalar, sizeOfScalar } from './scalar.js';
import { type OpenData, readExternal } from './weights.js';

export type { OpenData } from './weights.js';

/** Maximum number of tensors to read. Only a hostile model has more. */
const MAX_TENSORS = 1e5;

const isNumber = ({ dims, scalar, elemType }: StoredTensor) =>
  scalar === undefined && dims.every((size) => size === 1) && sizeOfScalar(elemType) !== undefined;

/** Returns the locations of a model's data files, each once. */
export const dataLocations = ({ external }: OnnxDocument): string[] => [
  ...new Set(external.map(({ tensor }) => tensor.external?.get('location') ?? '')),
];

/** Returns whether data files hold numbers of a model. */
export const hasOutsideNumbers = ({ external }: OnnxDocument): boolean =>
  external.some(({ tensor }) => isNumber(tensor));

/**
 * Reads the tensors of one element that are in data files, as `onnx.save` with `size_threshold=0` stores them, and notes their
 * numbers as `scalar` in the document. Those that cannot be read stay unknown.
 */
export async function readOutsideNumbers(document: OnnxDocument, openData: OpenData): Promise<void> {
  const numbers = document.external.filter(({ tensor }) => isNumber(tensor)).slice(0, MAX_TENSORS);
  for (const { tensor } of numbers) {
    const { name, elemType, external = new Map() } = tensor;
    try {
      const size = sizeOfScalar(elemType) ?? 0;
      const raw = await readExternal(external, size, document.source.name, name, openData);
      Object.assign(tensor, { scalar: rawScalar(elemType, raw) });
    } catch (error) {
      // Code that needs the data reports the error.
      if (!(error instanceof OnnxMishError)) throw error;
    }
  }
}
