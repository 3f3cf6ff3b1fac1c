import type { Node, OnnxDocument, Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { valuesOfInputs } from '../onnx/inference-edits.js';
import { isNormalisation } from './trainable.js';

/**
 * Returns whether a BatchNormalization node normalises. Approximate forms of Mish use the operator as an affine function, with
 * constants from ConstantOfShape. `makerOf` returns the operator that makes a value.
 */
export const normalises = ({ inputs }: Node, makerOf: (name: string) => string | undefined): boolean =>
  makerOf(inputs[1] ?? '') !== 'ConstantOfShape';

/** Returns the batch normalisations of a graph. */
export function batchNorms({ nodes }: Pick<Scope, 'nodes'>): Node[] {
  const norms = nodes.filter(({ domain, opType }) => domain === '' && opType === 'BatchNormalization');
  if (norms.length === 0) return norms;
  const makers = new Map(nodes.flatMap(({ opType, outputs }) => outputs.map((name) => [name, opType])));
  return norms.filter((norm) => normalises(norm, (name) => makers.get(name)));
}

/**
 * Returns the batch normalisations of a graph that normalise samples, and so have running statistics. Weight standardisation is none of
 * them: exporters write it as a batch normalisation of a weight, with statistics that the graph computes.
 */
export function sampleNorms(graph: Pick<Scope, 'inputs' | 'initializers' | 'nodes'>): Node[] {
  const norms = batchNorms(graph);
  if (norms.length === 0) return norms;
  const varying = valuesOfInputs(graph);
  return norms.filter(({ inputs: [x = ''] }) => varying.has(x));
}

/** Returns whether a BatchNormalization keeps its running statistics: where one of the two is frozen, by its name, both stay. */
export function staysFrozen({ inputs }: Node, freeze: ((name: string) => boolean) | undefined): boolean {
  // Asks about both: a pattern that nobody asks about counts as one without a match.
  return inputs
    .slice(3, 5)
    .map((name) => freeze?.(name) === true)
    .includes(true);
}

/** Returns whether a model has convolutions and no normalisation of any kind. Exporters fold batch normalisation only. */
export function lacksNormalisation(document: OnnxDocument, index: GraphIndex): boolean {
  const { graph } = document;
  const isAnyNorm = (node: Node) => NORMALISATION.test(node.opType) || isNormalisation(node, document, index);
  return (
    hasConvolutions(graph) &&
    batchNorms(graph).length === 0 &&
    !graph.nodes.some((node) => node.domain === '' && isAnyNorm(node))
  );
}

const NORMALISATION = /^(Instance|Layer|Group|RMS|MeanVariance)Normalization$/;

/** Returns whether a graph has convolutions. */
export function hasConvolutions({ nodes }: Pick<Scope, 'nodes'>): boolean {
  return nodes.some(({ domain, opType }) => domain === '' && opType === 'Conv');
}
