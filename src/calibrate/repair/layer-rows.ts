import { OnnxMishError } from '../../base/error.js';
import { readsOf, windowOf } from '../../onnx/conv-window.js';
import { attribute } from '../../onnx/document.js';
import { elementCount } from '../../providers/tensor.js';
import type { LinearLayer } from './linear-layers.js';

/** Sizes of a layer's least-squares problems: a problem for each group of a grouped convolution. */
export interface Geometry {
  readonly groups: number;
  /** Number of inputs of each output: channels of the group times elements of the kernel. */
  readonly depth: number;
  /** Number of outputs of each group. */
  readonly outputs: number;
}

/** Rows of a layer in one run: the inputs and outputs of each output position. */
export interface RowSource {
  readonly positions: number;
  /** Writes the group's `depth` inputs of a position, then its outputs, into `row` from `at` on. */
  fill(position: number, group: number, row: Float32Array, at: number): void;
}

/** Returns the sizes of a layer's least-squares problems. */
export function geometryOf({ op, node, weight }: LinearLayer): Geometry {
  const { dims } = weight.tensor;
  const [first = 0, second = 0, ...kernel] = dims;
  const size = elementCount(kernel);
  const groups = attribute(node, 'group')?.i ?? 1;
  switch (op) {
    case 'Conv':
      return { groups, depth: second * size, outputs: first / groups };
    case 'ConvTranspose':
      return { groups, depth: (first / groups) * size, outputs: second };
    case 'BatchNormalization':
      return { groups: first, depth: 1, outputs: 1 };
    default: {
      const transposed = op === 'Gemm' && (attribute(node, 'transB')?.i ?? 0) !== 0;
      return transposed
        ? { groups: 1, depth: second, outputs: first }
        : { groups: 1, depth: first, outputs: second };
    }
  }
}

/**
 * Returns the rows of a run. Convolutions are unfolded (im2col), with zeros as padding, for any number of spatial axes,
 * strides and dilations. Throws `bad-data` if the tensors' shapes do not fit the layer's operator.
 */
export function rowsOf(
  layer: LinearLayer,
  x: { readonly dims: readonly number[]; readonly values: ArrayLike<number> },
  y: { readonly dims: readonly number[]; readonly values: ArrayLike<number> },
): RowSource {
  const geometry = geometryOf(layer);
  const { groups, depth, outputs } = geometry;
  const misfit = (): never => {
    throw new OnnxMishError('bad-data', `the input [${x.dims}] and output [${y.dims}] do not fit the layer`, {
      where: layer.label,
      fix: 'Leave out this layer',
      option: { layers: null },
    });
  };
  if (layer.op === 'Gemm' || layer.op === 'MatMul') {
    const positions = y.values.length / outputs;
    if (x.values.length !== positions * depth) misfit();
    return {
      positions,
      fill(position, _group, row, at) {
        for (let index = 0; index < depth; index++) row[at + index] = x.values[position * depth + index] ?? 0;
        for (let index = 0; index < outputs; index++)
          row[at + depth + index] = y.values[position * outputs + index] ?? 0;
      },
    };
  }
  const [batch = 0, channels = 0, ...inside] = x.dims;
  const [, outChannels = 0, ...outside] = y.dims;
  const [from, to] = [elementCount(inside), elementCount(outside)];
  const isNorm = layer.op === 'BatchNormalization';
  const kernelSize = isNorm ? 1 : elementCount(layer.weight.tensor.dims.slice(2));
  const inGroup = depth / kernelSize;
  if (inGroup * groups !== channels || outputs * groups !== outChannels) misfit();
  const offsets = isNorm ? undefined : tapsOf(layer, inside, outside);
  const taps = new Int32Array(kernelSize);
  let prepared = -1;
  return {
    positions: batch * to,
    fill(position, group, row, at) {
      const place = position % to;
      const sample = (position - place) / to;
      if (offsets === undefined) taps[0] = place;
      else if (prepared !== place) offsets(place, taps);
      prepared = place;
      for (let channel = 0; channel < inGroup; channel++) {
        const base = (sample * channels + group * inGroup + channel) * from;
        for (let tap = 0; tap < kernelSize; tap++) {
          const offset = taps[tap] as number;
          row[at + channel * kernelSize + tap] = offset < 0 ? 0 : (x.values[base + offset] ?? 0);
        }
      }
      for (let index = 0; index < outputs; index++) {
        row[at + depth + index] =
          y.values[(sample * outChannels + group * outputs + index) * to + place] ?? 0;
      }
    },
  };
}

/** Returns a function that computes, for an output position, the input element that each kernel tap reads. */
function tapsOf({ op, node, weight }: LinearLayer, inside: readonly number[], outside: readonly number[]) {
  const kind = op === 'ConvTranspose' ? op : 'Conv';
  const window = windowOf(kind, node, weight.tensor.dims.slice(2), inside, outside);
  return readsOf(kind, window, inside, outside);
}
