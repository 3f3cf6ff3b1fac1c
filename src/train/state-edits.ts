import type { OnnxDocument } from '../onnx/document.js';
import type { Edit } from '../onnx/splice.js';
import { weightEdit } from '../onnx/weights.js';
import type { StateTensor } from './training-graph.js';

/** Returns the edits that write weights and running statistics into the training copy, as far as values are given. */
export async function stateEdits(
  document: OnnxDocument,
  state: readonly StateTensor[],
  values: ReadonlyMap<string, Float32Array>,
): Promise<Edit[]> {
  const edits: Edit[] = [];
  for (const { input, weight } of state) {
    const given = values.get(input);
    if (weight !== undefined && given !== undefined) edits.push(await weightEdit(document, weight, given));
  }
  return edits;
}
