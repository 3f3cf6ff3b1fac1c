import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { gradientEnds } from '../../src/train/gradient-ends.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { openTraining, wave } from '../support/training.js';

const x = { elemType: 'f32', dims: [2, 3, 4], data: wave(24, 0.9) };

test('a node where gradients end is told with the weights that cannot be trained for it', async () => {
  const nodes = [
    node('Mul', ['x', 'flag'], ['flagged']),
    node('MatMul', ['flagged', 'w'], ['h']),
    node('RNN', ['h', 'W', 'R'], ['r'], { hidden_size: 2, clip: { f: 3 } }, { name: 'cell' }),
    node('Reshape', ['r', 'shape'], ['s']),
    node('MatMul', ['s', 'v'], ['m']),
    node('Hardmax', ['m'], ['t'], {}, { name: 'most' }),
    node('RandomUniformLike', ['m'], ['noise']),
    node('Sum', ['m', 't', 'noise'], ['y']),
  ];
  const initializers = [
    ...[floats('flag', [], [1]), floats('w', [4, 2], [...wave(8, 0.3)])],
    ...[floats('W', [1, 2, 2], [...wave(4, 0.5)]), floats('R', [1, 2, 2], [...wave(4, 0.7)])],
    ...[ints('shape', [3], [2, 3, 2])],
    floats('v', [2, 2], [...wave(4, 0.8)]),
  ];
  const bytes = model({ nodes, initializers, inputs: [value('x', 1, [2, 3, 4])], outputs: [value('y', 1)] });
  const loaded = await modelFromBytes(bytes);
  const { step, session } = await openTraining(loaded, { x }, nodeProvider('cpu'), {
    ...{ output: 'y', loss: 'mse', optimizer: graphOptimizer({ kind: 'sgd' }) },
  });
  await session.close();
  const remarks = gradientEnds(loaded.document, indexGraphs(loaded.document), step);
  expect(remarks).toEqual([
    {
      code: 'gradient-ends',
      text: "No gradient flows through 'Hardmax most': another path reaches every weight",
    },
    { code: 'gradient-ends', text: "No gradient flows through 'RNN cell': 'W', 'R', 'w' cannot be trained" },
  ]);
});

test.each([
  ['Slice', ['h', 'two', 'four', 'given'], 2],
  ['Slice', ['h', 'none', 'four', 'axis', 'given'], 2],
  ['Pad', ['h', 'pads', '', 'given'], 5],
])('gradients end at a %s of %j, whose axes or steps differ between batches', async (op, inputs, columns) => {
  const nodes = [
    node('MatMul', ['x', 'w'], ['h']),
    node(op, inputs, ['e']),
    node('MatMul', ['e', 'v'], ['y']),
  ];
  const initializers = [
    ...[floats('w', [4, 4], [...wave(16, 0.3)]), floats('v', [columns, 2], [...wave(2 * columns, 0.8)])],
    ...[ints('none', [1], [0]), ints('two', [1], [2]), ints('four', [1], [4])],
    ...[ints('axis', [1], [2]), ints('pads', [2], [1, 0])],
  ];
  const bytes = model({
    ...{ nodes, initializers, opset: op === 'Pad' ? 18 : 13, outputs: [value('y', 1)] },
    inputs: [value('x', 1, [2, 3, 4]), value('given', 7, [1])],
  });
  const loaded = await modelFromBytes(bytes);
  const feeds = { x, given: { elemType: 'i64', dims: [1], data: BigInt64Array.of(2n) } };
  const { step, session } = await openTraining(loaded, feeds, nodeProvider('cpu'), {
    ...{ output: 'y', loss: 'mse', optimizer: graphOptimizer({ kind: 'sgd' }) },
  });
  await session.close();
  expect(step.withoutGradient.map(({ opType }) => opType)).toEqual([op]);
  expect(step.unreached.map(({ name }) => name)).toEqual(['w']);
});

/** Prepares a training of the weights w and v, and returns what it tells about the ends of gradients. */
async function endsOf(opset: number, nodes: onnx.INodeProto[]) {
  const initializers = [
    ...[floats('w', [4, 2], [...wave(8, 0.3)]), floats('v', [2, 2], [...wave(4, 0.8)])],
    ...[floats('zeros', [2, 3, 2], [...new Float32Array(12)]), ints('pads', [6], [0, 0, 0, 0, 1, 0])],
    ...[ints('first', [1], [0]), floats('scale', [2], [1, 2])],
  ];
  const bytes = model({
    ...{ nodes, initializers, opset },
    inputs: [value('x', 1, [2, 3, 4])],
    outputs: [value('y', 1)],
  });
  const loaded = await modelFromBytes(bytes);
  const { step, session } = await openTraining(loaded, { x }, nodeProvider('cpu'), {
    ...{ output: 'y', loss: 'mse', optimizer: graphOptimizer({ kind: 'sgd' }) },
  });
  await session.close();
  return gradientEnds(loaded.document, indexGraphs(loaded.document), step).map(({ text }) => text);
}

const first = node('MatMul', ['x', 'w'], ['h']);

test('a node whose attributes its gradient does not cover is told, too', async () => {
  const ends = await endsOf(18, [
    first,
    node('Einsum', ['h', 'v'], ['e'], { equation: '...j,kk->...j' }),
    node('MatMul', ['e', 'v'], ['y']),
  ]);
  expect(ends).toEqual(["No gradient flows through 'Einsum → e': 'v', 'w' cannot be trained"]);
});

test.each(['MaxPool', 'AveragePool', 'LpPool'])(
  'gradients end at a %s that ONNX Runtime pads otherwise than ONNX',
  async (op) => {
    const pooled = (dilation: number) =>
      endsOf(19, [
        first,
        node('Unsqueeze', ['h', 'first'], ['h4']),
        node(op, ['h4'], ['p'], {
          ...{ kernel_shape: [3, 1], strides: [3, 1], dilations: [dilation, 1], auto_pad: 'SAME_UPPER' },
        }),
        node('MatMul', ['p', 'v'], ['y']),
      ]);
    expect(await pooled(1)).toEqual([]);
    expect(await pooled(2)).toEqual([`No gradient flows through '${op} → p': 'w' cannot be trained`]);
  },
);

test('a node that passes a gradient to one input only is told', async () => {
  const ends = await endsOf(18, [
    first,
    node('ReduceMax', ['h'], ['top'], { keepdims: 0 }),
    node('Pad', ['h', 'pads', 'top'], ['p']),
    node('MatMul', ['p', 'v'], ['y']),
  ]);
  expect(ends).toEqual(["No gradient flows through 'Pad → p': another path reaches every weight"]);
});

test('a OneHot is told whose values depend on a weight, and not one whose indices do', async () => {
  const ends = await endsOf(17, [
    first,
    node('ArgMax', ['h'], ['places'], { axis: 2, keepdims: 0 }),
    node('ReduceMean', ['h'], ['values'], { axes: [0, 1], keepdims: 0 }),
    node('Shape', ['values'], ['depth']),
    node('OneHot', ['places', 'depth', 'scale'], ['places1']),
    node('OneHot', ['places', 'depth', 'values'], ['values1']),
    node('Sum', ['h', 'places1', 'values1'], ['s']),
    node('MatMul', ['s', 'v'], ['y']),
  ]);
  expect(ends).toEqual(["No gradient flows through 'OneHot → values1': another path reaches every weight"]);
});

test('what depends on a weight only by a type or by whole numbers has no gradient to tell of', async () => {
  const ends = await endsOf(18, [
    first,
    node('CastLike', ['zeros', 'h'], ['like']),
    node('Add', ['h', 'like'], ['sum']),
    node('ArgMax', ['h'], ['places'], { axis: 2 }),
    node('Cast', ['h'], ['rounded'], { to: 7 }),
    node('ReduceMin', ['rounded'], ['least'], { keepdims: 0 }),
    node('Mul', ['least', 'first'], ['index']),
    node('Gather', ['sum', 'index'], ['row'], { axis: 1 }),
    node('MatMul', ['row', 'v'], ['y']),
  ]);
  expect(ends).toEqual([]);
});

test.each([
  ['LayerNormalization', ['h', 'scale'], ['n', 'mean'], 17, "'scale' cannot be trained"],
  ['Attention', ['h4', 'h4', 'h4'], ['n', 'keys'], 23, 'another path reaches every weight'],
])('a node is told whose further output another node reads: %s', async (op, inputs, outputs, opset, what) => {
  const read = outputs[1] ?? '';
  const ends = await endsOf(opset, [
    first,
    node('Unsqueeze', ['h', 'first'], ['h4']),
    node(op, inputs, outputs, {}, { name: 'it' }),
    node('ReduceMean', [read], ['m'], { keepdims: 0 }),
    node('Mul', ['h', 'm'], ['y']),
  ]);
  expect(ends).toEqual([`No gradient flows through '${op} it': ${what}`]);
});
