import type { Node, OnnxDocument } from '../onnx/document.js';
import { namesInside } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';
import { listNames, listNodes, type TrainingRemark } from './training-remark.js';
import type { TrainingStep } from './training-step.js';

/**
 * Describes where a training step's gradients end, by operator, and names the weights that cannot be trained because of it: the node's
 * weights, and those before the node that no gradient reaches by another path.
 */
export function gradientEnds(
  document: OnnxDocument,
  index: GraphIndex,
  { withoutGradient, unreached }: Pick<TrainingStep, 'withoutGradient' | 'unreached'>,
): TrainingRemark[] {
  const ends = new Set(withoutGradient);
  const inside = namesInside(document);
  const groups = new Map<string, Node[]>();
  for (const node of withoutGradient) groups.set(node.opType, [...(groups.get(node.opType) ?? []), node]);

  /** Names the weights of nodes, and the unreached weights before them, up to other nodes where gradients end. */
  const weightsOf = (nodes: readonly Node[]): string[] => {
    const inputs = nodes.flatMap((node) => [...node.inputs, ...(inside.get(node) ?? [])]);
    const before = namesBefore(document, index, inputs, ends);
    const found = [
      ...inputs.filter((name) => hasElements(weightOf(index, document.graph, name))),
      ...unreached.flatMap(({ name }) => (before.has(name) ? name : [])),
    ];
    return [...new Set(found)];
  };
  return [...groups.values()].map((nodes) => {
    const lost = weightsOf(nodes);
    const what =
      lost.length === 0 ? 'another path reaches every weight' : `${listNames(lost)} cannot be trained`;
    return { code: 'gradient-ends', text: `No gradient flows through ${listNodes(nodes)}: ${what}` };
  });
}

const hasElements = (weight: Weight | undefined) =>
  weight !== undefined && elementCount(weight.tensor.dims) > 1;

/** Names the values that these depend on, themselves included, without passing through the nodes in `ends`. */
function namesBefore(
  { graph }: OnnxDocument,
  index: GraphIndex,
  names: readonly string[],
  ends: ReadonlySet<Node>,
): ReadonlySet<string> {
  const found = new Set(names);
  // The set grows while the loop goes over it.
  for (const name of found) {
    const node = index.producer(graph, name);
    if (node !== undefined && !ends.has(node)) for (const input of node.inputs) found.add(input);
  }
  return found;
}
