// Replaces a BatchNormalization node by batch normalisation with the statistics of the batch.
import type { ComposedNode } from '../../onnx/compose.js';
import { attribute, type Node } from '../../onnx/document.js';
import {
  addMean,
  axesAroundChannels,
  countAlong,
  DEFAULT_EPSILON,
  type Gradient,
  inverseRoot,
  NO_GRADIENT,
} from '../autodiff/rule.js';
import { createTape, type Tape } from '../autodiff/tape.js';

/** A BatchNormalization node in training mode. */
export interface TrainedBatchNorm {
  /** The nodes to write in its place. */
  readonly forward: readonly ComposedNode[];
  readonly gradient: Gradient;
  /** The tensors that hold the running mean and variance after the step. */
  readonly nextMean: string;
  readonly nextVariance: string;
}

export const DEFAULT_MOMENTUM = 0.9;

/** Writes a BatchNormalization node in training mode. As in PyTorch, the running variance is unbiased. */
export function trainedBatchNorm(node: Node, tape: Pick<Tape, 'opset' | 'dims'>): TrainedBatchNorm {
  const [x = '', scale = '', bias = '', mean = '', variance = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const dims = tape.dims(x);
  const channels = dims[1] ?? 1;
  const axes = axesAroundChannels(dims);
  const count = countAlong(dims, axes);
  const wideDims = dims.map((_, axis) => (axis === 1 ? channels : 1));
  const epsilon = attribute(node, 'epsilon')?.f ?? DEFAULT_EPSILON;
  const momentum = attribute(node, 'momentum')?.f ?? DEFAULT_MOMENTUM;

  const forward = createTape(tape.opset, tape.dims, `onnx-mish/batch-norm/${node.index}/`);
  const wide = (on: Tape, name: string) => on.reshape(name, wideDims);
  const average = (on: Tape, name: string) => addMean(on, name, dims, axes);
  const batchMean = average(forward, x);
  const centred = forward.node('Sub', [x, batchMean]);
  const batchVariance = average(forward, forward.node('Mul', [centred, centred]));
  const inverse = inverseRoot(forward, forward.node('Add', [batchVariance, forward.floats([epsilon])]));
  const factor = forward.node('Mul', [inverse, wide(forward, scale)]);
  const nodes: ComposedNode[] = [['Add', [forward.node('Mul', [centred, factor]), wide(forward, bias)], [y]]];
  const moved = (old: string, batch: string, share: number) =>
    forward.node('Add', [
      forward.node('Mul', [old, forward.floats([momentum])]),
      forward.node('Mul', [forward.reshape(batch, [channels]), forward.floats([share])]),
    ]);
  const nextMean = moved(mean, batchMean, 1 - momentum);
  const unbiased = count > 1 ? count / (count - 1) : 1;
  const nextVariance = moved(variance, batchVariance, (1 - momentum) * unbiased);

  const gradient: Gradient = (on, _, g) => {
    const gMean = average(on, g);
    const gNormal = on.node('Mul', [average(on, on.node('Mul', [g, centred])), inverse]);
    const along = on.node('Mul', [centred, on.node('Mul', [gNormal, inverse])]);
    const rest = on.node('Sub', [on.node('Sub', [g, gMean]), along]);
    const total = (name: string) => on.reshape(on.node('Mul', [name, on.floats([count])]), [channels]);
    const statistics = [NO_GRADIENT, NO_GRADIENT];
    return [on.node('Mul', [rest, factor]), total(gNormal), total(gMean), ...statistics];
  };
  return { forward: [...forward.nodes, ...nodes], gradient, nextMean, nextVariance };
}
