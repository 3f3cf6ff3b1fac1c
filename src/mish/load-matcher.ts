import type { OnnxDocument } from '../onnx/document.js';

/** Operators that no activation is written in: layers with weights, activations that are one node, what moves values. */
export const PLAIN: ReadonlySet<string> = new Set(
  `Conv ConvTranspose Gemm MatMul MaxPool AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization LRN Relu LeakyRelu PRelu
  Identity Softmax Flatten Reshape Concat Dropout Transpose Constant Shape Gather Unsqueeze Squeeze Slice Pad Resize
  Upsample`.split(/\s+/),
);

/**
 * Loads what finds activations by what they compute; undefined where the document has no node that such a one could be written
 * in, so that a page does without it for a plain network.
 */
export async function loadMatcher({ scopes }: OnnxDocument) {
  if (scopes.every(({ nodes }) => nodes.every(({ domain, opType }) => domain === '' && PLAIN.has(opType))))
    return undefined;
  return import('./matcher.js');
}
