import type { OnnxDocument } from '../onnx/document.js';
import { neededNodes } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { usesBatchStatistics } from '../onnx/inference-edits.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';
import { standIn } from './rewrite/kept-nodes.js';
import { isVector, PASSED_THROUGH, rootWeights } from './trainable.js';
import { listNames, type TrainingRemark } from './training-remark.js';

/** Inputs whose numbers are settings or statistics, by operator. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Resize: [1, 2],
  Upsample: [1],
  OneHot: [2],
};

const ARITHMETIC = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** Names the vectors by which a model scales and shifts its inputs, such as the mean of the pixels. */
function inputNorms({ graph }: OnnxDocument, index: GraphIndex): Set<string> {
  const given = new Set(graph.inputs.map(({ name }) => name).filter((name) => !graph.initializers.has(name)));
  const found = new Set<string>();
  for (const { domain, opType, inputs, outputs } of graph.nodes) {
    const [scaled, ...others] = inputs.toSorted((a, b) => Number(given.has(b)) - Number(given.has(a)));
    const isPassed = PASSED_THROUGH.has(opType) || ARITHMETIC.has(opType);
    if (domain !== '' || !isPassed || !given.has(scaled ?? '')) continue;
    const vectors = others.map((name) => weightOf(index, graph, name));
    if (ARITHMETIC.has(opType) && !vectors.every((weight) => weight !== undefined && isVector(weight)))
      continue;
    for (const name of outputs) given.add(name);
    if (ARITHMETIC.has(opType)) for (const name of others) found.add(name);
  }
  return found;
}

/**
 * Describes the constants of several elements that `scores`, which the loss reads, depends on and that no training moves, because no
 * operator marks them as weights. `others` has the names of constants that need no remark; masks with -Infinity need none, either,
 * nor does what scales the inputs.
 */
export function keptConstants(
  document: OnnxDocument,
  index: GraphIndex,
  scores: string,
  weights: readonly Weight[],
  others: ReadonlySet<string>,
): TrainingRemark[] {
  const { graph } = document;
  const nodes = neededNodes(withoutUnusedStatistics(document), [scores]);
  const settings = [...nodes].flatMap(({ domain, opType, inputs }) => {
    const slots = domain === '' && Object.hasOwn(SETTINGS, opType) ? SETTINGS[opType] : undefined;
    return (slots ?? []).flatMap((slot) => rootWeights(document, index, inputs[slot] ?? ''));
  });
  const norms = inputNorms(document, index);
  const silent = new Set([...[...weights, ...settings].map(({ name }) => name), ...others, ...norms]);
  const names = [...nodes].flatMap(({ inputs }) => inputs).filter((name) => !silent.has(name));
  const found = [...new Set(names)].filter((name) => {
    const weight = weightOf(index, graph, name);
    return weight?.home === graph && elementCount(weight.tensor.dims) > 1 && !weight.tensor.minusInfinity;
  });
  if (found.length === 0) return [];
  const text = `Constants that no operator marks as weights stay as they are: ${listNames(found)}`;
  return [{ code: 'constants-kept', text }];
}

/** Cuts the running statistics off batch normalisations in training mode, which only pass them on. */
function withoutUnusedStatistics(document: OnnxDocument): OnnxDocument {
  const nodes = document.graph.nodes.map((node) =>
    usesBatchStatistics(node) ? standIn(node, node.inputs.slice(0, 3)) : node,
  );
  return { ...document, graph: { ...document.graph, nodes } };
}
