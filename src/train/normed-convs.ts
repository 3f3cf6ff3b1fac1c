import type { Node } from '../onnx/document.js';
import { indexGraphs } from '../onnx/graph-index.js';
import type { Weight } from '../onnx/weights.js';
import { normalises } from './batch-norms.js';
import type { TrainableModel } from './prepare-training.js';

/** A convolution that gets a batch normalisation. */
export interface NormedConv {
  readonly node: Node;
  readonly weight: Weight;
  readonly bias: Weight | undefined;
  /** The convolution's output, which the batch normalisation outputs instead. */
  readonly y: string;
  /** New name of the convolution's result. */
  readonly raw: string;
  /** Names of the batch normalisation's parameters and running statistics. */
  readonly names: Readonly<Record<'scale' | 'shift' | 'mean' | 'variance', string>>;
}

const PREFIX = 'onnx-mish/batch-norm/';

/** Finds the convolutions whose weight and bias are trained and shared with no node, and that no batch normalisation follows. */
export function normedConvs({ model: { document }, index, original, weights }: TrainableModel): NormedConv[] {
  const { graph } = document;
  const originalIndex = indexGraphs(original.document);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const trained = new Map(weights.map((weight) => [weight.name, weight]));
  const weightAt = (node: Node, slot: number) => {
    const name = node.inputs[slot] ?? '';
    return index.uses(graph, name).length === 1 ? trained.get(name) : undefined;
  };
  const isNorm = (node: Node) =>
    node.opType === 'BatchNormalization' && normalises(node, (name) => index.producer(graph, name)?.opType);
  return graph.nodes.flatMap((node): NormedConv[] => {
    if (node.opType !== 'Conv' || node.domain !== '') return [];
    const [y = ''] = node.outputs;
    const [weight, bias] = [weightAt(node, 1), weightAt(node, 2)];
    const hasBias = (node.inputs[2] ?? '') !== '';
    // A bias is added to the original's node, which must be in its main graph.
    const canAddBias = originalIndex.producer(original.document.graph, y)?.opType === 'Conv';
    const isNormed = index.uses(graph, y).some((use) => use.kind === 'input' && isNorm(use.node));
    if (weight === undefined || (hasBias ? bias === undefined : !canAddBias)) return [];
    if (outputs.has(y) || isNormed) return [];
    const name = (kind: string) => `${PREFIX}${y}/${kind}`;
    const names = {
      scale: name('scale'),
      shift: name('shift'),
      mean: name('mean'),
      variance: name('variance'),
    };
    return [{ node, weight, bias, y, raw: name('input'), names }];
  });
}
