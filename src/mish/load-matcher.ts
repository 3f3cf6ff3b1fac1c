import type { OnnxDocument } from '../onnx/document.js';
import { wordSet } from './use-moves.js';

/** Operators that no written-out activation contains: layers with weights, single-node activations, operators that move values. */
export const PLAIN: ReadonlySet<string> = wordSet(
  `Conv ConvTranspose Gemm MatMul MaxPool AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization LRN Relu LeakyRelu PRelu
  Identity Softmax Flatten Reshape Concat Dropout Transpose Constant Shape Gather Unsqueeze Squeeze Slice Pad Resize
  Upsample`,
);

/**
 * Loads the matcher, which identifies activations by the function that their nodes compute. Returns undefined if every node of
 * the document is plain, so that a page need not load the matcher.
 */
export async function loadMatcher(document: OnnxDocument) {
  if (
    document.scopes.every(({ nodes }) =>
      nodes.every(({ domain, opType }) => domain === '' && PLAIN.has(opType)),
    )
  )
    return undefined;
  return (await import('./matcher.js')).createMatcher(document);
}
