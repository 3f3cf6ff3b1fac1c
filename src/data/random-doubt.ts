import type { Advice } from '../base/option-hint.js';
import { type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import { batchStatisticsNodes, mayDrop } from '../onnx/inference-edits.js';

/** Operators that draw random numbers. */
const DRAWING = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);

/** Returns advice if a sample's outputs vary between runs, whatever the swap: see `randomDoubt` and `batchDoubt`. */
export const variationDoubt = async (document: OnnxDocument): Promise<Advice | undefined> =>
  (await randomDoubt(document)) ?? batchDoubt(document);

/** Returns advice if a model draws random numbers: two runs of the same model then differ, and the swap is not the cause. */
async function randomDoubt(document: OnnxDocument): Promise<Advice | undefined> {
  for (const scope of document.scopes) {
    const node = await drawingNode(document, scope);
    if (node === undefined) continue;
    const text = `the model draws random numbers (${nodeLabel(node)}), so each run gives other outputs to the same sample. The figures have these differences in them`;
    return { text };
  }
  return undefined;
}

async function drawingNode(document: OnnxDocument, scope: Scope): Promise<Node | undefined> {
  for (const node of scope.nodes) {
    if (node.domain !== '') continue;
    if (DRAWING.has(node.opType)) return node;
    if (node.opType === 'Dropout' && (await mayDrop(document, node, scope))) return node;
  }
  return undefined;
}

/**
 * Returns advice if a batch normalisation of values that samples reach is in training mode: a sample's outputs then depend on the others
 * in its run. One that standardises weights, as PyTorch's models write it, makes no difference to samples.
 */
export function batchDoubt({ scopes }: OnnxDocument): Advice | undefined {
  const [node] = scopes.flatMap(batchStatisticsNodes);
  if (node === undefined) return undefined;
  const text = `the batch normalisation '${nodeLabel(node)}' is in training mode, so the outputs of a sample depend on the others in its run. Export the model in evaluation mode`;
  return { text };
}
