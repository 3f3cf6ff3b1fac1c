import { attribute, type OnnxDocument, type StoredTensor } from '../onnx/document.js';
import { neededNodes } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { usesBatchStatistics } from '../onnx/inference-edits.js';
import { floatType } from '../onnx/types.js';
import type { Weight } from '../onnx/weights.js';
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

/** Shape of a constant, and whether it is a mask. */
type Constant = Pick<StoredTensor, 'dims' | 'minusInfinity'>;

/** Finds a constant of floats in the main graph, also one that cannot be rewritten: a sparse tensor, or a list of numbers in a Constant node. */
function constantOf(graph: OnnxDocument['graph'], index: GraphIndex, name: string): Constant | undefined {
  const node = index.producer(graph, name);
  const isConstant = node?.domain === '' && node.opType === 'Constant';
  const attributeOf = (key: string) => (isConstant ? attribute(node, key) : undefined);
  const list = attributeOf('value_floats')?.floats;
  if (list !== undefined) return { dims: [list.length] };
  const tensor =
    graph.initializers.get(name) ?? (attributeOf('value') ?? attributeOf('sparse_value'))?.tensor;
  return floatType(tensor?.elemType) === undefined ? undefined : tensor;
}

/** Names the vectors by which a model scales and shifts its inputs, such as the mean of the pixels. */
function inputNorms({ graph }: OnnxDocument, index: GraphIndex): Set<string> {
  const given = new Set(graph.inputs.map(({ name }) => name).filter((name) => !graph.initializers.has(name)));
  const found = new Set<string>();
  for (const { domain, opType, inputs, outputs } of graph.nodes) {
    const [scaled, ...others] = inputs.toSorted((a, b) => Number(given.has(b)) - Number(given.has(a)));
    const isPassed = PASSED_THROUGH.has(opType) || ARITHMETIC.has(opType);
    if (domain !== '' || !isPassed || !given.has(scaled ?? '')) continue;
    const vectors = others.map((name) => constantOf(graph, index, name));
    if (ARITHMETIC.has(opType) && !vectors.every((tensor) => tensor !== undefined && isVector({ tensor })))
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
    return (slots ?? []).flatMap((slot) => {
      const name = inputs[slot] ?? '';
      return [name, ...rootWeights(document, index, name).map((weight) => weight.name)];
    });
  });
  const norms = inputNorms(document, index);
  const silent = new Set([...weights.map(({ name }) => name), ...settings, ...others, ...norms]);
  const names = [...nodes].flatMap(({ inputs }) => inputs).filter((name) => !silent.has(name));
  const found = [...new Set(names)].filter((name) => {
    const constant = constantOf(graph, index, name);
    return constant !== undefined && elementCount(constant.dims) > 1 && !constant.minusInfinity;
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
