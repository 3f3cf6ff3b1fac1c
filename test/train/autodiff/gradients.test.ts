import { describe, expect, test } from 'vitest';
import type { onnx } from '../../../proto/onnx.js';
import { createRandom, normal } from '../../../src/base/random.js';
import { swap } from '../../../src/mish/swap.js';
import { indexGraphs } from '../../../src/onnx/graph-index.js';
import { scan } from '../../../src/onnx/scan.js';
import { type Weight, weightOf } from '../../../src/onnx/weights.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Tensors } from '../../../src/providers/tensor.js';
import { probeModel } from '../../../src/train/probe.js';
import { backwardModel } from '../../support/backward-model.js';
import { floats, ints, model, node, value } from '../../support/model.js';

const cpu = nodeProvider('cpu');
const count = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);

/** Normal numbers, none of them next to 0, where some operators have a corner. */
function noise(dims: readonly number[], seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length: count(dims) }, () => {
    const one = normal(random);
    return one + 0.2 * Math.sign(one);
  });
}

interface Case {
  nodes: onnx.INodeProto[];
  /** Shapes of the weights; `x` is the input. */
  weights: Record<string, number[]>;
  x: number[];
  opset?: number;
  constants?: onnx.ITensorProto[];
  /** Applied to weights and input, for operators that take no negative numbers, say. */
  shape?: (value: number) => number;
}

/** Which weights a gradient reaches, after holding each of its elements against a central difference of the loss. */
async function checked(bytes: Uint8Array, one: Case): Promise<string[]> {
  const document = await scan(bytes);
  const { shape = (value) => value } = one;
  const x = { elemType: 'f32', dims: one.x, data: noise(one.x, 1).map(shape) };
  const probe = await probeModel(document, { x }, async (model) => {
    const session = await cpu.open(await model.bytes());
    const found = await session.run({ x });
    await session.close();
    return found;
  });
  const index = indexGraphs(document);
  const weights = Object.keys(one.weights).map((name) => weightOf(index, document.graph, name) as Weight);
  const backward = backwardModel(document, index, weights, [{ name: 'y', factor: 1 }], probe);
  const moving = [...backward.gradients.keys()];
  const run = await cpu.open(await backward.model.bytes());
  const target = { elemType: 'f32', dims: probe.dims('y'), data: noise(probe.dims('y'), 2) };
  const at = (changed?: { name: string; element: number; by: number }) => {
    const feeds: Record<string, Tensors[string]> = { x, [backward.target('y')]: target };
    for (const [order, [name, own]] of Object.entries(one.weights).entries()) {
      if (!moving.includes(name)) continue;
      const data = noise(own, 3 + order).map(shape);
      if (changed?.name === name) data[changed.element] = (data[changed.element] ?? 0) + changed.by;
      feeds[name] = { elemType: 'f32', dims: own, data };
    }
    return run.run(feeds);
  };
  const lossOf = async (changed: { name: string; element: number; by: number }) =>
    Number((await at(changed))[backward.loss]?.data[0]);
  const here = await at();
  for (const name of moving) {
    const gradient = here[backward.gradients.get(name) ?? '']?.data as Float32Array;
    const own = one.weights[name] ?? [];
    expect(gradient.length, name).toBe(count(own));
    const scale = Math.max(...gradient.map(Math.abs), 1e-3);
    for (let element = 0; element < count(own); element += Math.ceil(count(own) / 12)) {
      const step = 4e-3;
      const [up, down] = [
        await lossOf({ name, element, by: step }),
        await lossOf({ name, element, by: -step }),
      ];
      const numeric = (up - down) / (2 * step);
      expect(Math.abs(numeric - (gradient[element] ?? 0)) / scale, `${name}[${element}]`).toBeLessThan(0.03);
    }
  }
  await run.close();
  return moving;
}

function build({ nodes, weights, x, opset = 13, constants = [] }: Case): Uint8Array {
  const initializers = Object.entries(weights).map(([name, dims], order) =>
    floats(name, dims, [...noise(dims, 3 + order)]),
  );
  return model({
    opset,
    nodes,
    inputs: [value('x', 1, x)],
    outputs: [value('y', 1)],
    initializers: [...initializers, ...constants],
  });
}

/** An operator behind one that has weights of its own. */
const after = (...nodes: onnx.INodeProto[]): Case => ({
  nodes: [node('Mul', ['x', 'w'], ['h']), ...nodes],
  weights: { w: [1, 4, 1, 1] },
  x: [2, 4, 6, 6],
});
const conv = (attributes: Parameters<typeof node>[3], w: number[], x = [2, 4, 7, 6]): Case => ({
  nodes: [node('Conv', ['x', 'w', 'b'], ['y'], attributes)],
  weights: { w, b: [w[0] ?? 1] },
  x,
});
const transposed = (attributes: Parameters<typeof node>[3], w: number[], group = 1): Case => ({
  nodes: [node('ConvTranspose', ['x', 'w', 'b'], ['y'], { group, ...attributes })],
  weights: { w, b: [(w[1] ?? 1) * group] },
  x: [2, 4, 4, 3],
});

/** Equations with the shapes of their operands: an ellipsis, axes of one operand, no output, three operands. */
const EINSUMS: readonly (readonly [equation: string, x: number[], w: number[], v?: number[]])[] = [
  ['nc...,co->no...', [2, 3, 4, 5], [3, 2]],
  ['...i,...ij->...j', [2, 3, 4], [2, 3, 4, 2]],
  ['ni,ijk->nj', [2, 3], [3, 4, 5]],
  ['ni,jk->n', [2, 3], [4, 5]],
  ['ij,jk', [2, 3], [3, 4]],
  ['ki,...jk', [3, 2], [2, 4, 3]],
  ['ni,ij,jk->nk', [2, 3], [3, 4], [4, 2]],
];

/** Products with an axis that has length 1 in one operand and is repeated along the other's: each axis that both have, in each of both. */
const REPEATED: typeof EINSUMS = ['bni,bij->bnj', '...ni,...ij->...nj', 'bni,bij->n'].flatMap((equation) =>
  [
    [0, 0],
    [2, 1],
  ].flatMap(([ofX = 0, ofW = 0]) => {
    const [x, w] = [
      [2, 3, 4],
      [2, 4, 5],
    ];
    return [
      [equation, x.with(ofX, 1), w],
      [equation, x, w.with(ofW, 1)],
    ] as const;
  }),
);

/** A weight of these dims behind a node: each of its elements is compared, not sums over places. */
const whole = (
  dims: number[],
  opset: number,
  next: onnx.INodeProto,
  ...constants: onnx.ITensorProto[]
): Case => ({
  nodes: [node('Mul', ['w', 'x'], ['h']), next],
  ...{ weights: { w: dims }, x: [1], opset, constants },
});

/** Resize to sizes of which both axes take the scale of one. */
const KEPT_RATIOS = ['not_larger', 'not_smaller'].flatMap((policy) =>
  ['nearest', 'linear', 'cubic'].flatMap((mode) =>
    [
      [9, 9],
      [3, 8],
      [7, 3],
    ].map(([high = 1, wide = 1]): [string, Case] => {
      const attributes = { mode, keep_aspect_ratio_policy: policy, axes: [2, 3] };
      return [
        `Resize: ${mode} to ${high} × ${wide}, ${policy}`,
        whole(
          [1, 1, 3, 5],
          19,
          node('Resize', ['h', '', '', 'to'], ['y'], attributes),
          ints('to', [2], [high, wide]),
        ),
      ];
    }),
  ),
);

/** Resize to the nearest elements, many of which are as near as others, with scales that float32 rounds. */
const NEAREST = ['half_pixel', 'half_pixel_symmetric', 'asymmetric', 'align_corners'].flatMap((coordinates) =>
  [0.6, 0.7, 1.2, 1.5].map((scale): [string, Case] => [
    `Resize: nearest by ${scale}, ${coordinates}`,
    whole(
      [1, 1, 12],
      19,
      node('Resize', ['h', '', 'by'], ['y'], {
        ...{ mode: 'nearest', coordinate_transformation_mode: coordinates },
        ...(coordinates === 'asymmetric' ? { nearest_mode: 'floor' } : {}),
      }),
      floats('by', [3], [1, 1, scale]),
    ),
  ]),
);

/** Pads of which some are negative. */
const CUT_PADS = ['constant', 'edge', 'reflect', 'wrap'].flatMap((mode) =>
  [
    [-1, 3],
    [3, -1],
    [-2, -1],
  ].map((pads): [string, Case] => [
    `Pad: ${mode}, ${pads}`,
    whole(
      [2, 5],
      19,
      node('Pad', ['h', 'pads', '', 'axes'], ['y'], { mode }),
      ints('pads', [2], pads),
      ints('axes', [1], [1]),
    ),
  ]),
);

const CASES: Record<string, Case> = {
  ...Object.fromEntries([...KEPT_RATIOS, ...NEAREST, ...CUT_PADS]),
  Conv: conv({ pads: [1, 1, 1, 1] }, [3, 4, 3, 3]),
  'Conv: many channels': conv({ pads: [1, 1, 1, 1] }, [3, 16, 3, 3], [2, 16, 4, 5]),
  'Conv: many channels, uneven pads': conv({ pads: [0, 2, 1, 0] }, [3, 20, 3, 4], [3, 20, 5, 4]),
  'Conv: many channels, one sample, no pads': conv({}, [2, 17, 2, 3], [1, 17, 4, 5]),
  'Conv: strides, uneven pads': conv({ strides: [2, 2], pads: [1, 0, 2, 1] }, [3, 4, 3, 2]),
  'Conv: dilations': conv({ dilations: [2, 1], pads: [2, 1, 2, 1] }, [3, 4, 3, 3]),
  'Conv: groups': conv({ group: 2 }, [6, 2, 3, 3]),
  'Conv: depthwise': conv({ group: 4, pads: [1, 1, 1, 1] }, [4, 1, 3, 3]),
  'Conv: SAME_UPPER': conv({ auto_pad: 'SAME_UPPER', strides: [2, 2] }, [2, 4, 3, 3]),
  'Conv: SAME_LOWER': conv({ auto_pad: 'SAME_LOWER', strides: [2, 2] }, [2, 4, 3, 3]),
  'Conv: 1 by 1': conv({}, [3, 4, 1, 1]),
  'Conv: 1-D': conv({ pads: [1, 1] }, [3, 4, 3], [2, 4, 9]),
  ConvTranspose: transposed({ strides: [2, 2] }, [4, 3, 3, 3]),
  'ConvTranspose: pads': transposed(
    { strides: [2, 2], pads: [1, 0, 0, 1], output_padding: [1, 0] },
    [4, 3, 3, 2],
  ),
  'ConvTranspose: groups': transposed({}, [4, 2, 2, 2], 2),
  Gemm: {
    nodes: [node('Gemm', ['x', 'w', 'b'], ['y'], { alpha: { f: 0.5 }, beta: { f: 2 } })],
    weights: { w: [5, 3], b: [3] },
    x: [4, 5],
  },
  'Gemm: transB': {
    nodes: [node('Gemm', ['x', 'w', 'b'], ['y'], { transB: 1 })],
    weights: { w: [3, 5], b: [1] },
    x: [4, 5],
  },
  'Gemm: opset 9': {
    nodes: [node('Gemm', ['x', 'w', 'b'], ['y'])],
    weights: { w: [5, 3], b: [4, 3] },
    x: [4, 5],
    opset: 9,
  },
  MatMul: { nodes: [node('MatMul', ['x', 'w'], ['y'])], weights: { w: [5, 3] }, x: [2, 4, 5] },
  'MatMul of two that are computed': {
    nodes: [
      node('Mul', ['x', 'w'], ['a']),
      node('Transpose', ['a'], ['t'], { perm: [0, 2, 1] }),
      node('MatMul', ['a', 't'], ['y']),
    ],
    weights: { w: [4, 1] },
    x: [2, 4, 5],
  },
  'Add, Sub, Mul, Div': {
    nodes: [
      node('Add', ['x', 'a'], ['p']),
      node('Sub', ['b', 'p'], ['q']),
      node('Mul', ['q', 'p'], ['r']),
      node('Div', ['r', 'd'], ['y']),
    ],
    weights: { a: [3, 1], b: [4], d: [1] },
    x: [2, 3, 4],
  },
  'Max, Min': {
    ...after(node('Max', ['h', 'v'], ['m']), node('Min', ['m', 'u'], ['y'])),
    weights: { w: [1, 4, 1, 1], v: [1], u: [4, 1, 1] },
  },
  MaxPool: after(node('MaxPool', ['h'], ['y'], { kernel_shape: [2, 2], strides: [2, 2] })),
  'MaxPool: overlapping, padded': after(
    node('MaxPool', ['h'], ['y'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  ),
  'MaxPool: ceil_mode': after(
    node('MaxPool', ['h'], ['y'], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  ),
  AveragePool: after(node('AveragePool', ['h'], ['y'], { kernel_shape: [3, 2], strides: [1, 2] })),
  'AveragePool: padded': after(
    node('AveragePool', ['h'], ['y'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }),
  ),
  ...Object.fromEntries(
    ['SAME_UPPER', 'SAME_LOWER'].map((auto_pad) => {
      const attributes = {
        kernel_shape: [3, 2],
        strides: [2, 1],
        auto_pad,
        ceil_mode: 1,
        count_include_pad: 1,
      };
      return [
        `AveragePool: ${auto_pad}, ceil_mode`,
        whole([1, 1, 5, 4], 19, node('AveragePool', ['h'], ['y'], attributes)),
      ];
    }),
  ),
  'LpPool: elements that no window reaches': whole(
    [1, 1, 5, 6],
    18,
    node('LpPool', ['h'], ['y'], {
      kernel_shape: [1, 4],
      dilations: [1, 2],
      pads: [0, 0, 0, 1],
      ceil_mode: 1,
      p: 1,
    }),
  ),
  'ConvTranspose: VALID, with the shape of the output': transposed(
    { strides: [1, 3], auto_pad: 'VALID', output_shape: [4, 10] },
    [4, 2, 3, 2],
  ),
  GlobalAveragePool: after(node('GlobalAveragePool', ['h'], ['y'])),
  ReduceMean: after(node('ReduceMean', ['h'], ['y'], { axes: [2, -1], keepdims: 0 })),
  'ReduceMean: opset 18': {
    ...after(node('ReduceMean', ['h', 'axes'], ['y'])),
    opset: 18,
    constants: [ints('axes', [2], [2, 3])],
  },
  ReduceSum: { ...after(node('ReduceSum', ['h'], ['y'], { axes: [1] })), opset: 11 },
  Transpose: after(node('Transpose', ['h'], ['y'], { perm: [1, 3, 0, 2] })),
  'Reshape, Flatten': {
    ...after(node('Flatten', ['h'], ['f']), node('Reshape', ['f', 'to'], ['y'])),
    constants: [ints('to', [2], [4, -1])],
  },
  'Squeeze, Unsqueeze': {
    ...after(node('Unsqueeze', ['h', 'at'], ['f']), node('Squeeze', ['f', 'at'], ['y'])),
    constants: [ints('at', [1], [0])],
  },
  Concat: { ...after(node('Concat', ['h', 'x', 'h'], ['y'], { axis: -2 })) },
  'an embedding that is the last layer, too': {
    nodes: [
      node('Gather', ['w', 'ids'], ['e']),
      node('Mul', ['e', 'x'], ['h']),
      node('Transpose', ['w'], ['t']),
      node('MatMul', ['h', 't'], ['scores']),
      node('Tanh', ['w'], ['bent']),
      node('ReduceMean', ['bent'], ['mean'], { keepdims: 0 }),
      node('Add', ['scores', 'mean'], ['y']),
    ],
    weights: { w: [5, 3] },
    x: [4, 3],
    constants: [ints('ids', [4], [2, 0, 2, 4])],
  },
  'Gather: as many rows as scattered additions need': {
    nodes: [node('Gather', ['w', 'ids'], ['e']), node('Mul', ['e', 'x'], ['y'])],
    weights: { w: [300, 2] },
    x: [250, 2],
    opset: 16,
    constants: [
      ints(
        'ids',
        [250],
        Array.from({ length: 250 }, (_, at) => ((at * 7) % 23) * (at % 2 ? 1 : -1)),
      ),
    ],
  },
  BatchNormalization: {
    nodes: [node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y'])],
    weights: { s: [4], b: [4] },
    x: [2, 4, 5],
    constants: [floats('m', [4], [0.1, -0.2, 0.3, 0]), floats('v', [4], [1, 2, 0.5, 1.5])],
  },
  Softmax: after(node('Softmax', ['h'], ['y'], { axis: 1 })),
  'Softmax: opset 12, last axis': { ...after(node('Softmax', ['h'], ['y'], { axis: 3 })), opset: 12 },
  Clip: {
    ...after(node('Clip', ['h', 'low', 'high'], ['y'])),
    constants: [floats('low', [], [-0.7]), floats('high', [], [0.9])],
  },
  'Clip: computed bounds': {
    ...after(node('Clip', ['h', 'low', 'high'], ['y'])),
    weights: { w: [1, 4, 1, 1], low: [], high: [] },
    shape: (one) => one + 0.35,
  },
  ...Object.fromEntries(
    [...EINSUMS, ...REPEATED].map(([equation, x, w, v]) => [
      `Einsum: ${equation} of [${x}] and [${w}]`,
      {
        nodes: [node('Einsum', ['x', 'w', ...(v ? ['v'] : [])], ['y'], { equation })],
        weights: { w, ...(v && { v }) },
        x,
      },
    ]),
  ),
  'Clip: opset 10': {
    ...after(node('Clip', ['h'], ['y'], { min: { f: -0.7 }, max: { f: 0.9 } })),
    opset: 10,
  },
  'Log, Sqrt': {
    ...after(node('Log', ['h'], ['l']), node('Sqrt', ['h'], ['s']), node('Add', ['l', 's'], ['y'])),
    shape: (one) => Math.abs(one) + 0.5,
  },
  Cast: after(node('Cast', ['h'], ['y'], { to: 1 })),
  // Below opset 16 no operator scatters sums.
  ...Object.fromEntries(
    ['Gather', 'GatherElements'].flatMap((op) =>
      [11, 13, 16].map((opset) => [
        `${op}: int32 indices, opset ${opset}`,
        whole([3, 4], opset, node(op, ['h', 'at'], ['y'], { axis: 1 }), {
          ...{ name: 'at', dataType: 6, dims: [2, 3], int32Data: [0, -1, 0, 2, -2, 2] },
        }),
      ]),
    ),
  ),
  HardSigmoid: after(node('HardSigmoid', ['h'], ['y'])),
  'two readers': after(
    node('Sigmoid', ['h'], ['a']),
    node('Tanh', ['h'], ['b']),
    node('Mul', ['a', 'b'], ['c']),
    node('Add', ['c', 'h'], ['y']),
  ),
  ...Object.fromEntries(
    ['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'Softplus', 'Exp', 'Neg', 'Identity', 'Dropout'].map((op) => [
      op,
      after(node(op, ['h'], ['y'])),
    ]),
  ),
};

describe('gradients equal finite differences of the loss', () => {
  test.each(Object.entries(CASES))('%s', async (_, one) => {
    expect((await checked(build(one), one)).sort()).toEqual(Object.keys(one.weights).sort());
  });

  test.each([
    ['softplus', 1, 'mish'],
    ['exp', 1, 'mish'],
    ['exp', 4, 'mish'],
    ['softplus', 2, 'mixture'],
    ['exp', 1, 'mixture'],
  ] as const)('Mish in the %s form, β = %d, %s', async (form, beta, leaky) => {
    const one = after(node('LeakyRelu', ['h'], ['y'], { alpha: { f: 0.1 } }));
    const { output } = await swap(build(one), { form, beta, leaky });
    expect(await checked(await output.bytes(), one)).toEqual(['w']);
  });
});

test('no gradient passes an operator without a rule, and other weights still train', async () => {
  const one = after(node('Round', ['h'], ['c']), node('Mul', ['c', 'v'], ['y']));
  const wider = { ...one, weights: { ...one.weights, v: [1, 4, 1, 1] } };
  expect(await checked(build(wider), wider)).toEqual(['v']);
});

const INTEGERS_AND_FLAGS = [3, 6, 7, 9];
test.each([
  ...INTEGERS_AND_FLAGS.map((to) => [`Cast to ${to}`, node('Cast', ['h'], ['c'], { to })] as const),
  ...INTEGERS_AND_FLAGS.map(
    (to) => [`CastLike to ${to}`, node('CastLike', ['h', `like${to}`], ['c'])] as const,
  ),
])('no gradient passes %s, and others still do', async (_, cast) => {
  const one: Case = {
    nodes: [
      node('Add', ['w', 'x'], ['h']),
      ...[cast, node('Cast', ['c'], ['d'], { to: 1 }), node('Add', ['d', 'h'], ['y'])],
    ],
    // Sums that lie between integers.
    ...{ weights: { w: [3, 4] }, x: [1], opset: 15, shape: (value) => Math.round(value) + 0.3 },
    constants: INTEGERS_AND_FLAGS.map((dataType) => ({
      ...{ name: `like${dataType}`, dataType, dims: [1] },
      ...(dataType === 7 ? { int64Data: [1] } : { int32Data: [1] }),
    })),
  };
  expect(await checked(build(one), one)).toEqual(['w']);
});
