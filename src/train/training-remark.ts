import { integer } from '../base/plural.js';
import { type Node, nodeLabel } from '../onnx/document.js';

/** Kinds of remarks, for programs to distinguish. */
export type TrainingRemarkCode =
  /** The loss includes the final activation, which the copy omits. */
  | 'activation-omitted'
  /** The output gives probabilities without a final Softmax, and the loss takes their logarithms. */
  | 'log-probabilities'
  /** Cross-entropy takes its scores behind a final Sigmoid. */
  | 'sigmoid-kept'
  /** The model has convolutions but no normalisation. */
  | 'no-batch-norm'
  /** Batch normalisation was put back behind convolutions. */
  | 'batch-norm-inserted'
  /** Calls of functions were replaced by the functions' nodes. */
  | 'functions-inlined'
  /** There are no convolutions behind which batch normalisation could be put. */
  | 'no-convolution'
  /** The convolutions have a single place, behind which no batch normalisation was put. */
  | 'single-places'
  /** Functions of another opset stay, and gradients end there. */
  | 'functions-kept'
  /** If nodes were replaced by a branch, or by both branches and a Where. */
  | 'branches-inlined'
  /** Nested graphs through which no gradient flows. */
  | 'nested-graphs'
  /** Nodes in training mode were put into inference mode. */
  | 'inference-mode'
  /** Weights of another float type train as float32. */
  | 'as-float32'
  /** The copy has a higher opset than the model. */
  | 'opset-raised'
  /** The copy takes batches of any size; the model takes one size. */
  | 'batch-freed'
  /** The model takes batches of one size only. */
  | 'batch-fixed'
  /** Several nodes share a weight. */
  | 'shared-weights'
  /** The first axis of an input may not count samples. */
  | 'coupled-samples'
  /** Constants that are not taken for weights. */
  | 'constants-kept'
  /** Gradients end at a node, so that weights before it cannot be trained. */
  | 'gradient-ends';

/** Remark on a model's training copy: a code, and sentences for people. */
export interface TrainingRemark {
  readonly code: TrainingRemarkCode;
  readonly text: string;
}

const MAX_NAMES = 5;

/** Lists the first few names for a sentence. */
export function listNames(names: readonly string[]): string {
  const first = names.slice(0, MAX_NAMES).map((name) => `'${name}'`);
  const more = names.length - first.length;
  return more > 0 ? `${first.join(', ')} and ${integer(more)} more` : first.join(', ');
}

/** Lists the first few nodes for a sentence. The label of a node without a name has its operator. */
export const listNodes = (nodes: readonly Node[]) =>
  listNames(nodes.map((node) => (node.name === '' ? nodeLabel(node) : `${node.opType} ${node.name}`)));
