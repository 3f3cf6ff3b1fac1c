import type { onnx } from '../../proto/onnx.js';
import { floats, ints, model, node, value } from './model.js';

/** A layer that computes y of an input x and a weight w. */
export interface LinearLayer {
  readonly name: string;
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly nodes: readonly onnx.INodeProto[];
  /** Number of the layer's filters: of outputs that have other weights. */
  readonly filters: number;
}

/** A Gemm with the weight at one of its inputs. */
function gemm(slot: number, isTurned: number): LinearLayer {
  const [inputs, flag] = slot === 0 ? [['w', 'x'], 'transA'] : [['x', 'w'], 'transB'];
  const isRows = (slot === 0) === (isTurned === 0);
  return {
    name: `Gemm with the weight at input ${slot} and ${flag} ${isTurned}`,
    x: slot === 0 ? [20, 400] : [400, 20],
    w: isRows ? [30, 20] : [20, 30],
    nodes: [node('Gemm', inputs, ['y'], { [flag]: isTurned })],
    filters: 30,
  };
}

const SIZES: Readonly<Record<string, number>> = { b: 300, i: 15, o: 20, g: 4, k: 5 };

/** An Einsum, whose operand with the letter b is the input. */
function einsum(equation: string, filters: number): LinearLayer {
  const terms = equation.replace(/->.*/, '').split(',');
  const inputs = terms.map((term): 'x' | 'w' => (term.includes('b') ? 'x' : 'w'));
  const dimsOf = (name: 'x' | 'w') =>
    [...(terms[inputs.indexOf(name)] ?? '').replace('...', 'k')].map((letter) => SIZES[letter] ?? 1);
  const nodes = [node('Einsum', inputs, ['y'], { equation })];
  return { name: `Einsum ${equation}`, x: dimsOf('x'), w: dimsOf('w'), nodes, filters };
}

const product = (name: string, x: readonly number[], w: readonly number[], filters: number): LinearLayer => ({
  ...{ name, x, w, filters },
  nodes: [node('MatMul', w[0] === 7 ? ['w', 'x'] : ['x', 'w'], ['y'])],
});

export const LINEAR_LAYERS: readonly LinearLayer[] = [
  product('a product', [400, 20], [20, 30], 30),
  product('a product from the left', [20, 400], [7, 20], 7),
  product('products in a batch', [3, 200, 20], [3, 20, 30], 30),
  product('a product with a vector', [400, 2000], [2000], 1),
  ...[gemm(0, 0), gemm(0, 1), gemm(1, 0), gemm(1, 1)],
  ...[einsum('bi,io->bo', 20), einsum('bi,oi->bo', 20), einsum('oi,bi->bo', 20), einsum('bi,io', 20)],
  ...[einsum('bgi,gio->bgo', 80), einsum('bgi,gio->bo', 20), einsum('bgi,ogi->bo', 20)],
  ...[einsum('bi,goi->bgo', 80), einsum('b...i,io->b...o', 20), einsum('bki,kio->bok', 100)],
  {
    name: 'a grouped convolution',
    ...{ x: [40, 12, 8, 8], w: [18, 4, 3, 3], filters: 18 },
    nodes: [node('Conv', ['x', 'w'], ['y'], { group: 3 })],
  },
  {
    name: 'a convolution along three axes',
    ...{ x: [20, 4, 6, 6, 6], w: [12, 4, 3, 2, 2], filters: 12 },
    nodes: [node('Conv', ['x', 'w'], ['y'])],
  },
  {
    name: 'a transposed convolution of two groups',
    ...{ x: [40, 12, 9], w: [12, 5, 6], filters: 10 },
    nodes: [node('ConvTranspose', ['x', 'w'], ['y'], { strides: [3], group: 2, pads: [3, 3] })],
  },
  {
    name: 'a depthwise convolution whose weight is [height, width, channels, 2]',
    ...{ x: [40, 6, 8, 8], w: [3, 3, 6, 2], filters: 12 },
    nodes: [
      node('Reshape', ['w', 'kernel'], ['k']),
      node('Transpose', ['k'], ['t'], { perm: [3, 2, 0, 1] }),
      node('Conv', ['x', 't'], ['y'], { group: 6 }),
    ],
  },
  {
    name: 'a matrix that is stored flat',
    ...{ x: [400, 20], w: [600], filters: 30 },
    nodes: [node('Reshape', ['w', 'matrix'], ['m']), node('MatMul', ['x', 'm'], ['y'])],
  },
  {
    name: 'a convolution along one axis that is written with two',
    ...{ x: [40, 6, 1, 20], w: [25, 6, 5], filters: 25 },
    nodes: [node('Unsqueeze', ['w', 'axis'], ['u']), node('Conv', ['x', 'u'], ['y'])],
  },
];

/** Returns a model of a layer with these weights; `behind` has further nodes, of which the last outputs `output`. */
export function layerModel(
  { w, x, nodes }: LinearLayer,
  weights: ArrayLike<number>,
  behind: readonly onnx.INodeProto[] = [],
  output = 'y',
): Uint8Array {
  const shapes = [ints('kernel', [4], [3, 3, 1, 12]), ints('matrix', [2], [20, 30]), ints('axis', [1], [2])];
  return model({
    nodes: [...nodes, ...behind],
    initializers: [floats('w', w, Array.from(weights)), ...shapes],
    inputs: [value('x', 1, x)],
    outputs: [value(output, 1)],
  });
}
