import type { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import { toHalf } from '../../src/onnx/scalar.js';
import { type AttributeValue, model, node, value } from './model.js';

/** A layer that is linear in its first input, with the shapes of its tensors. */
export interface LinearCase {
  readonly op: 'Conv' | 'ConvTranspose' | 'Gemm' | 'MatMul' | 'BatchNormalization';
  /** Shape of what goes in. */
  readonly x: readonly number[];
  readonly weight: readonly number[];
  /** Biases; 0 for none. */
  readonly bias: number;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

export type WeightHome = 'initializer' | 'constant';
export type WeightType = 'f32' | 'f16';

const DATA_TYPES = { f32: 1, f16: 10 } as const;

/** Weights of a seed, of a size that keeps sums near 1. */
export function weightsOf(dims: readonly number[], seed: number): number[] {
  const random = createRandom(seed);
  const length = dims.reduce((product, dim) => product * dim, 1);
  return Array.from({ length }, () => normal(random) / 2);
}

/** A tensor of either type, as raw data. */
export function tensorOf(
  name: string,
  dims: readonly number[],
  data: readonly number[],
  type: WeightType = 'f32',
): onnx.ITensorProto {
  const array = type === 'f32' ? new Float32Array(data) : Uint16Array.from(data, toHalf);
  return { name, dataType: DATA_TYPES[type], dims: [...dims], rawData: new Uint8Array(array.buffer) };
}

/** The nodes of a layer from x to y, and its weights. */
export function layerParts(
  { op, weight, bias, attributes = {} }: LinearCase,
  [x, y]: readonly [string, string],
  { seed = 1, type = 'f32', home = 'initializer' as WeightHome, prefix = '' } = {} as {
    seed?: number;
    type?: WeightType;
    home?: WeightHome;
    prefix?: string;
  },
): { nodes: onnx.INodeProto[]; initializers: onnx.ITensorProto[] } {
  const [w, b] = [`${prefix}w`, `${prefix}b`];
  const tensors = [tensorOf(w, weight, weightsOf(weight, seed), type)];
  if (bias > 0) tensors.push(tensorOf(b, [bias], weightsOf([bias], seed + 1), type));
  const inputs = [x, w, ...(bias > 0 ? [b] : [])];
  if (op === 'BatchNormalization') {
    const [mean, variance] = [`${prefix}mean`, `${prefix}variance`];
    tensors.push(tensorOf(mean, weight, weightsOf(weight, seed + 2), type));
    const spread = weightsOf(weight, seed + 3).map((one) => 0.1 + Math.abs(one));
    tensors.push(tensorOf(variance, weight, spread, type));
    inputs.push(mean, variance);
  }
  const named = { name: `${prefix}layer` };
  const nodes =
    op === 'MatMul' && bias > 0
      ? [
          node(op, [x, w], [`${prefix}product`], {}, named),
          node('Add', [b, `${prefix}product`], [y], {}, { name: `${prefix}add` }),
        ]
      : [node(op, inputs, [y], attributes, named)];
  if (home === 'initializer') return { nodes, initializers: tensors };
  const constants = tensors.map((tensor) =>
    node('Constant', [], [tensor.name ?? ''], { value: { tensor: { ...tensor, name: '' } } }),
  );
  return { nodes: [...constants, ...nodes], initializers: [] };
}

/** Inputs and outputs of a type whose first dimension is a batch. */
export function ends(one: LinearCase, type: WeightType = 'f32') {
  const x = ['N', ...one.x.slice(1)];
  return {
    inputs: [value('x', DATA_TYPES[type], x)],
    outputs: [
      value(
        'y',
        DATA_TYPES[type],
        one.x.map((_, axis) => (axis === 0 ? 'N' : `d${axis}`)),
      ),
    ],
  };
}

/** A model of one layer from x to y. */
export function layerModel(one: LinearCase, seed = 1): Uint8Array {
  const { nodes, initializers } = layerParts(one, ['x', 'y'], { seed });
  return model({ nodes, initializers, ...ends(one) });
}

/** Weights and biases of convolutions from 4 to 4 channels, as the initializers `w` and `b` with each name. */
export const convTensors = (...names: string[]) =>
  names.flatMap((name, place) => [
    tensorOf(`w${name}`, [4, 4, 3, 3], weightsOf([4, 4, 3, 3], place + 1)),
    tensorOf(`b${name}`, [4], weightsOf([4], place + 20)),
  ]);

/** Initializers of 4 positive numbers. */
export const positiveVectors = (...names: string[]) =>
  names.map((name, place) =>
    tensorOf(
      name,
      [4],
      weightsOf([4], place + 40).map((x) => 0.5 + Math.abs(x)),
    ),
  );
