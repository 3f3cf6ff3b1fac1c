import type { Node, Scope } from '../onnx/document.js';

/**
 * Returns the batch normalisations of a graph. Approximate forms of Mish use the operator as an affine function, with constants
 * from ConstantOfShape; these nodes normalise nothing and are left out.
 */
export function batchNorms({ nodes }: Pick<Scope, 'nodes'>): Node[] {
  const norms = nodes.filter(({ domain, opType }) => domain === '' && opType === 'BatchNormalization');
  if (norms.length === 0) return norms;
  const made = new Set(nodes.flatMap(({ opType, outputs }) => (opType === 'ConstantOfShape' ? outputs : [])));
  return norms.filter(({ inputs }) => !made.has(inputs[1] ?? ''));
}

/** Returns whether a graph has convolutions, and no batch normalisation. */
export function lacksBatchNorm(graph: Pick<Scope, 'nodes'>): boolean {
  const isConv = ({ domain, opType }: Node) => domain === '' && opType === 'Conv';
  return graph.nodes.some(isConv) && batchNorms(graph).length === 0;
}
