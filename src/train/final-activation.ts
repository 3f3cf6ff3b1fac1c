// The final activation of a model, which a loss includes.
import { attribute, type Node, type OnnxDocument, opsetOf } from '../onnx/document.js';
import { type GraphIndex, indexGraphs } from '../onnx/graph-index.js';
import { decodeModel } from '../onnx/model-passes/model-proto.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { elementCount } from '../providers/tensor.js';
import type { LossName } from './losses.js';
import type { Probe } from './probe.js';
import { rebuilt } from './training-copy.js';

/** Final activations that a loss includes. The cross-entropy of log-probabilities is that of the scores. */
const INCLUDED: Readonly<Record<LossName, readonly string[]>> = {
  'cross-entropy': ['Softmax', 'LogSoftmax'],
  bce: ['Sigmoid'],
  mse: [],
};
const PASSES = new Set(['Identity']);
const RESHAPES = new Set(['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose']);

/** Names of an output and of its loss. */
interface LossChoice {
  readonly output: string;
  readonly loss: LossName;
}

/** Finds the final activation that a loss includes, also behind an Identity; undefined if the output has none. */
export const finalActivation = (
  { graph }: OnnxDocument,
  index: GraphIndex,
  { output, loss }: LossChoice,
): Node | undefined => {
  const last = nodesBehind(PASSES, graph, index, output).activation;
  return isIncluded(last, loss) ? last : undefined;
};

/** Finds the Sigmoid at the end of a model, behind which cross-entropy takes its scores; undefined for another loss or end. */
export function keptSigmoid(
  { graph }: OnnxDocument,
  index: GraphIndex,
  { output, loss }: LossChoice,
): Node | undefined {
  const last = nodesBehind(RESHAPES, graph, index, output).activation;
  return loss === 'cross-entropy' && isIncluded(last, 'bce') ? last : undefined;
}

const isIncluded = (node: Node | undefined, loss: LossName): boolean =>
  node?.domain === '' && INCLUDED[loss].includes(node.opType);

/** Returns the nodes that lead to an output through these operators, the last first, and the node before them. */
function nodesBehind(
  operators: ReadonlySet<string>,
  graph: OnnxDocument['graph'],
  index: GraphIndex,
  output: string,
): { readonly passed: readonly Node[]; readonly activation: Node | undefined } {
  const passed: Node[] = [];
  let last = index.producer(graph, output);
  // Nodes are in topological order, so this loop ends.
  while (last?.domain === '' && operators.has(last.opType)) {
    passed.push(last);
    last = index.producer(graph, last.inputs[0] ?? '');
  }
  return { passed, activation: last };
}

/** A copy of a model that gives scores where the model gives what a final activation makes of them. */
export interface ScoringCopy {
  readonly model: EditableModel;
  /** The activation, which passes its input on in the copy; undefined if nothing was changed. */
  readonly omitted: Node | undefined;
}

/**
 * Replaces the final activation that a loss includes by an Identity, where nodes that change the shape are behind it. Other models stay
 * as they are.
 */
export async function withoutReshapedActivation(
  model: EditableModel,
  choice: LossChoice,
): Promise<ScoringCopy> {
  const { document } = model;
  const { graph } = document;
  const index = indexGraphs(document);
  const { passed, activation: omitted } = nodesBehind(RESHAPES, graph, index, choice.output);
  const onlyPasses = passed.every(({ opType }) => PASSES.has(opType));
  if (omitted === undefined || onlyPasses || !isIncluded(omitted, choice.loss))
    return { model, omitted: undefined };
  const proto = await decodeModel(document);
  const node = proto.graph?.node?.find(({ output }) => output?.[0] === omitted.outputs[0]);
  if (node === undefined) return { model, omitted: undefined };
  node.opType = 'Identity';
  node.attribute = [];
  return { model: await rebuilt(model, proto), omitted };
}

/** Opset from which Softmax is over a single axis. */
const FIRST_SOFTMAX_ON_ONE_AXIS = 13;

/** Returns the axis that a Softmax is over; undefined if it is over several. */
export function softmaxAxis(node: Node, opset: number, dims: readonly number[]): number | undefined {
  const isOnOneAxis = opset >= FIRST_SOFTMAX_ON_ONE_AXIS;
  const given = Number(attribute(node, 'axis')?.i ?? (isOnOneAxis ? -1 : 1));
  const axis = given < 0 ? given + dims.length : given;
  if (isOnOneAxis) return axis;
  // All axes from this one on; those of length 1 do not matter.
  const long = dims.flatMap((dim, at) => (at >= axis && dim > 1 ? at : []));
  return long.length > 1 ? undefined : (long[0] ?? axis);
}

/**
 * Returns the axis of the classes in an output. An omitted Softmax tells this axis; the nodes behind the Softmax may move it. Returns
 * undefined if the classes do not stay on one axis.
 */
export function axisBehind(
  omitted: Node,
  document: OnnxDocument,
  index: GraphIndex,
  { dims }: Probe,
  output: string,
): number | undefined {
  const { graph } = document;
  const [scores = ''] = omitted.outputs;
  const passed: Node[] = [];
  for (let name = output; name !== scores; ) {
    const node = index.producer(graph, name);
    if (node === undefined) return undefined;
    passed.unshift(node);
    name = node.inputs[0] ?? '';
  }
  let axis = softmaxAxis(omitted, opsetOf(graph), dims(scores));
  for (const node of passed) {
    if (axis === undefined) return undefined;
    axis = movedAxis(node, axis, dims(node.inputs[0] ?? ''), dims(node.outputs[0] ?? ''));
  }
  return axis;
}

/** Returns where an axis is after a node that changes the shape only. */
function movedAxis(
  node: Node,
  axis: number,
  from: readonly number[],
  to: readonly number[],
): number | undefined {
  if (node.opType === 'Transpose') {
    const order = attribute(node, 'perm')?.ints?.map(Number) ?? [...from.keys()].reverse();
    return order.indexOf(axis);
  }
  const before = elementCount(from.slice(0, axis));
  const found = to.findIndex((dim, at) => dim === from[axis] && elementCount(to.slice(0, at)) === before);
  return found < 0 ? undefined : found;
}
