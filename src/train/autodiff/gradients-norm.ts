import { attribute, type Node } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import { alongAxis } from './along-axis.js';
import {
  addMean,
  axisOf,
  DEFAULT_EPSILON,
  type Gradient,
  type Gradients,
  inverseRoot,
  minus,
  over,
  plus,
  positiveDivisor,
  scaled,
  sign,
  sumOfChannels,
  times,
  unbroadcast,
  zero,
} from './rule.js';
import type { Tape } from './tape.js';

const epsilonOf = (tape: Tape, node: Node) => tape.floats([attribute(node, 'epsilon')?.f ?? DEFAULT_EPSILON]);

/** Batch normalisation with given statistics. Those of a weight are computed from it, by which PyTorch writes weight standardisation. */
const batchNorm: Gradient = (tape, node, g) => {
  const [x = '', scale = '', , average = '', variance = ''] = node.inputs;
  const dims = tape.dims(x);
  const channels = dims[1] ?? 1;
  const wide = (name: string) => tape.reshape(name, [1, channels, ...dims.slice(2).map(() => 1)]);
  const inverse = inverseRoot(tape, plus(tape, wide(variance), epsilonOf(tape, node)));
  const normal = times(tape, minus(tape, x, wide(average)), inverse);
  const narrow = (name: string) => sumOfChannels(tape, name, dims);
  const [gScale, gShift] = [narrow(times(tape, g, normal)), narrow(g)];
  const factor = times(tape, wide(scale), inverse);
  const gMean = tape.node('Neg', [times(tape, gShift, tape.reshape(factor, [channels]))]);
  const gDeviation = times(tape, gScale, tape.reshape(times(tape, factor, inverse), [channels]));
  return [times(tape, g, factor), gScale, gShift, gMean, times(tape, gDeviation, tape.floats([-0.5]))];
};

/** A normalisation of `x` by its statistics over some axes. */
interface Normalised {
  readonly x: string;
  readonly dims: readonly number[];
  readonly axes: readonly number[];
  readonly epsilon: string;
  /** Whether the mean is subtracted first. */
  readonly centres: boolean;
}

/** Adds the normalised tensor. Returns it with a function from its gradient to the gradient of `x`. */
function normalise(tape: Tape, { x, dims, axes, epsilon, centres }: Normalised) {
  const centred = centres ? minus(tape, x, addMean(tape, x, dims, axes)) : x;
  const variance = addMean(tape, times(tape, centred, centred), dims, axes);
  const inverse = inverseRoot(tape, plus(tape, variance, epsilon));
  const normal = times(tape, centred, inverse);
  const backward = (g: string) => {
    const along = times(tape, normal, addMean(tape, times(tape, g, normal), dims, axes));
    const level = centres ? minus(tape, g, addMean(tape, g, dims, axes)) : g;
    return times(tape, inverse, minus(tape, level, along));
  };
  return { normal, backward };
}

/** Returns the rule of layer normalisation, or of RMS normalisation, which does not subtract the mean. */
const layerNorm = (centres: boolean): Gradient => {
  return (tape, node, g) => {
    const [x = '', scale = '', bias = ''] = node.inputs;
    const dims = tape.dims(x);
    const first = axisOf(node, dims.length, -1);
    const axes = dims.flatMap((_, axis) => (axis < first ? [] : [axis]));
    const { normal, backward } = normalise(tape, { x, dims, axes, epsilon: epsilonOf(tape, node), centres });
    const to = (name: string, gradient: string) => unbroadcast(tape, gradient, dims, tape.dims(name));
    return [
      backward(times(tape, g, scale)),
      to(scale, times(tape, g, normal)),
      bias === '' ? undefined : to(bias, g),
    ];
  };
};

const instanceNorm: Gradient = (tape, node, g) => {
  const [x = '', scale = ''] = node.inputs;
  const dims = tape.dims(x);
  const channels = dims[1] ?? 1;
  const axes = dims.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
  const { normal, backward } = normalise(tape, {
    x,
    dims,
    axes,
    epsilon: epsilonOf(tape, node),
    centres: true,
  });
  const wide = tape.reshape(scale, [1, channels, ...axes.map(() => 1)]);
  const narrow = (name: string) => sumOfChannels(tape, name, dims);
  return [backward(times(tape, g, wide)), narrow(times(tape, g, normal)), narrow(g)];
};

/** Opset from which GroupNormalization has a scale per channel. */
const SCALE_OF_CHANNELS = 21;

const groupNorm: Gradient = (tape, node, g) => {
  const [x = '', scale = ''] = node.inputs;
  const dims = tape.dims(x);
  const [samples = 1, channels = 1] = dims;
  const groups = attribute(node, 'num_groups')?.i ?? 1;
  const grouped = [samples, groups, channels / groups, elementCount(dims.slice(2))];
  const into = (name: string) => tape.reshape(name, grouped);
  const scaleDims = tape.opset >= SCALE_OF_CHANNELS ? [1, groups, channels / groups, 1] : [1, groups, 1, 1];
  const { normal, backward } = normalise(tape, {
    x: into(x),
    dims: grouped,
    axes: [2, 3],
    epsilon: epsilonOf(tape, node),
    centres: true,
  });
  const wide = tape.reshape(scale, scaleDims);
  const narrow = (name: string) =>
    tape.reshape(unbroadcast(tape, name, grouped, scaleDims), tape.dims(scale));
  return [
    tape.reshape(backward(times(tape, into(g), wide)), dims),
    narrow(times(tape, into(g), normal)),
    narrow(into(g)),
  ];
};

/** Opset from which Softmax uses a single axis; before, it uses all axes from `axis` on. */
const ONE_AXIS = 13;

/** Returns the axes over which Softmax or LogSoftmax normalises. */
function softmaxAxes(tape: Tape, node: Node): number[] {
  const rank = tape.dims(node.outputs[0] ?? '').length;
  const axis = axisOf(node, rank, tape.opset < ONE_AXIS ? 1 : -1);
  return tape.opset < ONE_AXIS ? Array.from({ length: rank - axis }, (_, at) => axis + at) : [axis];
}

const softmax: Gradient = (tape, node, g) => {
  const y = node.outputs[0] ?? '';
  const product = times(tape, g, y);
  return [minus(tape, product, times(tape, y, tape.sum(product, softmaxAxes(tape, node))))];
};

const logSoftmax: Gradient = (tape, node, g) => {
  const shares = tape.node('Exp', [node.outputs[0] ?? '']);
  return [minus(tape, g, times(tape, shares, tape.sum(g, softmaxAxes(tape, node))))];
};

/** y = x / norm, for the sum of absolute values or the Euclidean norm along an axis. Where all are 0, the gradient is 0. */
const lpNormalization: Gradient = (tape, node, g) => {
  const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
  const axis = axisOf(node, tape.dims(x).length, -1);
  const isEuclidean = (attribute(node, 'p')?.i ?? 2) === 2;
  const sum = tape.sum(isEuclidean ? times(tape, x, x) : tape.node('Abs', [x]), [axis]);
  const norm = isEuclidean ? tape.node('Sqrt', [sum]) : sum;
  const direction = isEuclidean ? y : sign(tape, x);
  const along = times(tape, direction, tape.sum(times(tape, g, y), [axis]));
  const share = over(tape, minus(tape, g, along), positiveDivisor(tape, norm));
  return [times(tape, share, tape.mask('Greater', norm, zero(tape)))];
};

const DEFAULT_MVN_AXES = [0, 2, 3];

const meanVarianceNorm: Gradient = (tape, node, g) => {
  const [x = ''] = node.inputs;
  const dims = tape.dims(x);
  const axes = (attribute(node, 'axes')?.ints ?? DEFAULT_MVN_AXES).map(
    (axis) => (axis + dims.length) % dims.length,
  );
  const { backward } = normalise(tape, { x, dims, axes, epsilon: tape.floats([1e-9]), centres: true });
  return [backward(g)];
};

/** y = x s^-β, with s = bias + α / size × the sum of squares over neighbouring channels. */
const localResponseNorm: Gradient = (tape, node, g) => {
  const [x = '', y = ''] = [node.inputs[0], node.outputs[0]];
  const dims = tape.dims(x);
  const channels = dims[1] ?? 1;
  const size = attribute(node, 'size')?.i ?? 1;
  const number = (name: string, otherwise: number) => attribute(node, name)?.f ?? otherwise;
  const [alpha, beta] = [number('alpha', 1e-4) / size, number('beta', 0.75)];
  const before = Math.floor((size - 1) / 2);
  const band = (first: number) =>
    Float32Array.from({ length: channels ** 2 }, (_, at) => {
      const place = (at % channels) - Math.floor(at / channels) - first;
      return place >= 0 && place < size ? 1 : 0;
    });
  const squares = alongAxis(tape, times(tape, x, x), dims, 1, band(-before)).name;
  const s = plus(tape, scaled(tape, squares, alpha), tape.floats([number('bias', 1)]));
  const direct = times(tape, g, tape.node('Pow', [s, tape.floats([-beta])]));
  const shared = alongAxis(tape, over(tape, times(tape, g, y), s), dims, 1, band(before - size + 1)).name;
  return [minus(tape, direct, scaled(tape, times(tape, x, shared), 2 * alpha * beta))];
};

/** The gradients of normalisations. */
export const NORMS: Gradients = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm(true),
  RMSNormalization: layerNorm(false),
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LpNormalization: lpNormalization,
  MeanVarianceNormalization: meanVarianceNorm,
  LRN: localResponseNorm,
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
