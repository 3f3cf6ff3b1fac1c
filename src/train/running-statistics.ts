import { OnnxMishError } from '../base/error.js';
import { type Node, nodeLabel, type OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { sampleNorms, staysFrozen } from './batch-norms.js';
import { rootWeights } from './trainable.js';
import type { TrainerOptions } from './trainer-options.js';

/** Advice for a model in which two layers share a tensor. */
const SEPARATE =
  'Export the model so that each has a tensor of its own: in PyTorch with training=TrainingMode.TRAINING, do_constant_folding=False and dynamo=False';

/**
 * Checks the running statistics of batch normalisations. Exporters store equal tensors of a new network once. Throws `bad-usage` where a
 * running statistic is also a trained weight, and where it should move but is also another layer's. Those that `freeze` matches stay.
 */
export function checkRunningStatistics(
  document: OnnxDocument,
  index: GraphIndex,
  weights: readonly Weight[],
  { moves, freeze }: { readonly moves: boolean; readonly freeze: TrainerOptions['freeze'] },
): void {
  const { graph } = document;
  const trained = new Set(weights.map(({ name }) => name));
  const refused = (node: Node, what: string) =>
    new OnnxMishError('bad-usage', what, {
      where: `BatchNormalization '${nodeLabel(node)}'`,
      fix: SEPARATE,
    });
  for (const node of sampleNorms(graph)) {
    const mustMove = moves && !staysFrozen(node, freeze);
    for (const [at, kind] of ['mean', 'variance'].entries()) {
      const name = node.inputs[3 + at] ?? '';
      const shared = rootWeights(document, index, name).find((weight) => trained.has(weight.name));
      if (shared !== undefined)
        throw refused(node, `the running ${kind} is also the weight '${shared.name}', which is trained`);
      if (mustMove && !isOwnTensor(graph, index, node, 3 + at))
        throw refused(node, `the running ${kind} '${name}' has no tensor of its own, so that it cannot move`);
    }
  }
}

/** Returns whether a statistic of a layer is stored, and only calls of that layer read it: those with the same scale and shift. */
function isOwnTensor(
  graph: OnnxDocument['graph'],
  index: GraphIndex,
  { domain, opType, inputs }: Node,
  slot: number,
): boolean {
  const name = inputs[slot] ?? '';
  if (weightOf(index, graph, name)?.home !== graph) return false;
  if (inputs.some((other, at) => other === name && at !== slot)) return false;
  const isCall = (node: Node) =>
    node.domain === domain &&
    node.opType === opType &&
    inputs.every((input, at) => at === 0 || input === node.inputs[at]);
  return index.uses(graph, name).every((use) => use.kind === 'input' && isCall(use.node));
}
