import { attribute } from '../onnx/document.js';
import { OnnxMishError } from '../onnx/error.js';
import type { LinearLayer } from './linear.js';

/** How a layer falls apart into least-squares problems, one a group of a grouped convolution. */
export interface Geometry {
  readonly groups: number;
  /** Inputs of each output: channels of the group times elements of the kernel. */
  readonly depth: number;
  /** Outputs of each group. */
  readonly outputs: number;
}

/** What one run of a layer offers: positions of the output, each a row of inputs and a row of outputs. */
export interface RowSource {
  readonly positions: number;
  /** Writes the inputs of a position as a group sees them, `depth` numbers, and after them its outputs. */
  fill(position: number, group: number, row: Float32Array, at: number): void;
}

/** The shape of a layer's problem. */
export function geometryOf({ op, node, weight }: LinearLayer): Geometry {
  const { dims } = weight.tensor;
  const [first = 0, second = 0, ...kernel] = dims;
  const size = kernel.reduce((product, dim) => product * dim, 1);
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
 * The rows of one run. Convolutions are unfolded (im2col), with padding as zeros, for any number of spatial axes, strides
 * and dilations. Throws `unsupported-model` where the tensors do not have the shapes that the layer's operator gives.
 */
export function rowsOf(
  layer: LinearLayer,
  x: { readonly dims: readonly number[]; readonly values: ArrayLike<number> },
  y: { readonly dims: readonly number[]; readonly values: ArrayLike<number> },
): RowSource {
  const geometry = geometryOf(layer);
  const { groups, depth, outputs } = geometry;
  const misfit = (): never => {
    throw new OnnxMishError('bad-data', `the layer has input [${x.dims}] and output [${y.dims}]`, {
      where: layer.label,
      fix: 'Leave it out with --layers',
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
  const [, made = 0, ...outside] = y.dims;
  const area = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
  const [from, to] = [area(inside), area(outside)];
  const isNorm = layer.op === 'BatchNormalization';
  const kernelSize = isNorm ? 1 : area(layer.weight.tensor.dims.slice(2));
  const inGroup = depth / kernelSize;
  if (inGroup * groups !== channels || outputs * groups !== made) misfit();
  const offsets = isNorm ? undefined : unfold(layer, inside, outside);
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
        row[at + depth + index] = y.values[(sample * made + group * outputs + index) * to + place] ?? 0;
      }
    },
  };
}

/** Which element of its input, as an offset within a channel, each tap of a kernel reads for a place of the output; -1 for none. */
function unfold(
  { op, node, weight }: LinearLayer,
  inside: readonly number[],
  outside: readonly number[],
): (place: number, taps: Int32Array) => void {
  const kernel = weight.tensor.dims.slice(2);
  const ones = kernel.map(() => 1);
  const strides = attribute(node, 'strides')?.ints ?? ones;
  const dilations = attribute(node, 'dilations')?.ints ?? ones;
  const begins = padding({ op, node }, kernel, strides, dilations, inside, outside);
  const axes = kernel.length;
  const count = kernel.reduce((product, dim) => product * dim, 1);
  const at = new Array<number>(axes).fill(0);
  const forward = op === 'Conv';
  return (place, taps) => {
    let rest = place;
    for (let axis = axes - 1; axis >= 0; axis--) {
      const size = outside[axis] ?? 1;
      at[axis] = rest % size;
      rest = Math.floor(rest / size);
    }
    for (let tap = 0; tap < count; tap++) {
      let offset = 0;
      let scale = 1;
      let remaining = tap;
      for (let axis = axes - 1; axis >= 0; axis--) {
        const width = kernel[axis] ?? 1;
        const step = (remaining % width) * (dilations[axis] ?? 1);
        remaining = Math.floor(remaining / width);
        const [stride, begin, size] = [strides[axis] ?? 1, begins[axis] ?? 0, inside[axis] ?? 1];
        const there = at[axis] ?? 0;
        const read = forward ? there * stride - begin + step : (there + begin - step) / stride;
        if (read < 0 || read >= size || !Number.isInteger(read)) {
          offset = -1;
          break;
        }
        offset += read * scale;
        scale *= size;
      }
      taps[tap] = offset;
    }
  };
}

/** The padding at the beginning of each axis, as ONNX's Conv and ConvTranspose define it. */
function padding(
  { op, node }: Pick<LinearLayer, 'op' | 'node'>,
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  inside: readonly number[],
  outside: readonly number[],
): number[] {
  const automatic = attribute(node, 'auto_pad')?.s ?? 'NOTSET';
  const given = attribute(node, 'pads')?.ints;
  const shaped = op === 'ConvTranspose' && attribute(node, 'output_shape')?.ints !== undefined;
  if (automatic === 'VALID') return kernel.map(() => 0);
  if (automatic === 'NOTSET' && !shaped) return kernel.map((_, axis) => given?.[axis] ?? 0);
  const extra = attribute(node, 'output_padding')?.ints;
  return kernel.map((width, axis) => {
    const [stride, into, out] = [strides[axis] ?? 1, inside[axis] ?? 1, outside[axis] ?? 1];
    const reach = (width - 1) * (dilations[axis] ?? 1) + 1;
    const total =
      op === 'Conv'
        ? Math.max(0, (out - 1) * stride + reach - into)
        : Math.max(0, stride * (into - 1) + (extra?.[axis] ?? 0) + reach - out);
    // Conv gives what is left over to the end with SAME_UPPER; ConvTranspose, with everything else, does as well.
    const half = Math.floor(total / 2);
    if (op === 'Conv') return automatic === 'SAME_LOWER' ? total - half : half;
    return automatic === 'SAME_UPPER' ? half : total - half;
  });
}
