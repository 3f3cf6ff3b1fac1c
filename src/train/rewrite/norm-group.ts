// Batch normalisation of a blocked tensor, with a summand and Relu after it.
import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { DEFAULT_EPSILON, inverseRoot, minus, plus, reluMask, scaled, times } from '../autodiff/rule.js';
import type { Tape } from '../autodiff/tape.js';
import { DEFAULT_MOMENTUM } from './batch-norm.js';
import { affine, inWholeBlocks, meanOfPlaces, sumOfMeans } from './blocks.js';
import type { RewriteContext } from './context.js';

/** A batch normalisation with the nodes after it that only it feeds. */
export interface NormGroup {
  readonly norm: Node;
  readonly summand?: string | undefined;
  readonly relu: boolean;
  readonly last: Node;
  /** Whether the statistics of the batch are used. */
  readonly trained: boolean;
  /** The running statistics before the node. */
  readonly before: RunningStatistics;
}

/** Names of the tensors with the running mean and variance of a batch normalisation. */
export interface RunningStatistics {
  readonly mean: string;
  readonly variance: string;
}

/** Adds the mean of each channel of a blocked tensor, [C]. */
const meanOfChannels = (tape: Tape, x: string, dims: readonly number[], block: number): string =>
  scaled(tape, sumOfMeans(tape, x, dims, block), 1 / (dims[0] ?? 1));

/** Adds the mean of each channel of the first sample, [C]. */
function originOf(tape: Tape, x: string, dims: readonly number[], block: number): string {
  const [, channels = 1, ...places] = dims;
  const stored = [1, inWholeBlocks(channels, block), ...places];
  const first = tape.reshape(tape.slice(x, [0], [1], [0]), stored);
  return tape.reshape(meanOfPlaces(tape, first, [1, channels], block), [channels]);
}

/**
 * Adds the statistics of the batch. `x` is the tensor minus `origin`, which is near the mean of each channel: so the variance
 * keeps its digits where a channel lies far from zero. Mean and variance are those of `x`.
 */
function batchStatistics(tape: Tape, given: string, dx: readonly number[], block: number) {
  const [, channels = 1] = dx;
  const origin = originOf(tape, given, dx, block);
  const factor = tape.floats(new Float32Array(channels).fill(1), [channels]);
  const x = affine(tape, { x: given, factor, shift: tape.node('Neg', [origin]), channels, block });
  const mean = meanOfChannels(tape, x, dx, block);
  // Squares of x itself, not of its distance from the mean: a pass less.
  const squares = meanOfChannels(tape, times(tape, x, x), dx, block);
  const variance = tape.node('Max', [minus(tape, squares, times(tape, mean, mean)), tape.floats([0])]);
  return { x, origin, mean, variance };
}

/** Writes a batch normalisation in place of its nodes. Returns the next running statistics, if it is trained. */
export function writeNormGroup(context: RewriteContext, group: NormGroup): RunningStatistics | undefined {
  const { norm, summand, relu, last, trained, before } = group;
  const { forward, dims, block = 1 } = context;
  const [given = '', scale = '', bias = ''] = norm.inputs;
  const y = last.outputs[0] ?? '';
  const dx = dims(given);
  const [samples = 1, channels = 1, ...places] = dx;
  const count = samples * elementCount(places);
  const epsilon = forward.floats([attribute(norm, 'epsilon')?.f ?? DEFAULT_EPSILON]);
  const batch = trained ? batchStatistics(forward, given, dx, block) : undefined;
  const { x, mean, variance } = batch ?? { x: given, ...before };
  const inverse = inverseRoot(forward, plus(forward, variance, epsilon));
  const factor = times(forward, scale, inverse);
  const shift = minus(forward, bias, times(forward, mean, factor));
  const added = summand && context.inBlocks(summand);
  const out = affine(forward, { x, factor, shift, added, channels, relu, block });
  const momentum = attribute(norm, 'momentum')?.f ?? DEFAULT_MOMENTUM;
  const moved = (old: string, now: string, share: number) =>
    plus(forward, scaled(forward, old, momentum), scaled(forward, now, share));
  const next = batch && {
    mean: moved(before.mean, plus(forward, mean, batch.origin), 1 - momentum),
    variance: moved(before.variance, variance, (1 - momentum) * (count > 1 ? count / (count - 1) : 1)),
  };
  context.put(last, [['Identity', [out], [y]]]);
  context.blocked.add(y);
  context.stand(norm, [given, scale, bias, ...(added ? [added] : [])], [y], (tape, _, g) => {
    const gz = relu ? times(tape, g, reluMask(tape, y)) : g;
    const gMean = meanOfChannels(tape, gz, dx, block);
    const along = minus(tape, meanOfChannels(tape, times(tape, gz, x), dx, block), times(tape, mean, gMean));
    const gNormal = times(tape, along, inverse);
    const total = (name: string) => scaled(tape, name, count);
    const more = added ? [gz] : [];
    if (!trained) {
      return [affine(tape, { x: gz, factor, channels, block }), total(gNormal), total(gMean), ...more];
    }
    // factor × (g - mean of g - normal x × its mean with g), as one function of g and one of x.
    const ofX = tape.node('Neg', [times(tape, factor, times(tape, inverse, gNormal))]);
    const level = tape.node('Neg', [plus(tape, times(tape, factor, gMean), times(tape, ofX, mean))]);
    const direct = affine(tape, { x: gz, factor, shift: level, channels, block });
    const zeros = scaled(tape, level, 0);
    return [
      affine(tape, { x, factor: ofX, shift: zeros, added: direct, channels, block }),
      ...[total(gNormal), total(gMean), ...more],
    ];
  });
  return next;
}
