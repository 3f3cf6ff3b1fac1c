import { expect, test } from 'vitest';
import { scan } from '../../src/onnx/scan.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { probeModel, probeWithSession } from '../../src/train/probe.js';
import { floats, ints, model, node, value } from '../support/model.js';

test('a single run finds shapes and constants', async () => {
  const nodes = [
    node('Shape', ['x'], ['shape']),
    node('Concat', ['shape', 'one'], ['longer'], { axis: 0 }),
    node('ArgMax', ['x'], ['largest'], { axis: 1 }),
    node('Reshape', ['x', 'longer'], ['r']),
    node('Mul', ['r', 'w'], ['y']),
  ];
  const initializers = [
    ints('one', [1], [1]),
    floats('w', [2], [0.5, -1]),
    ints('many', [70_000], Array(70_000).fill(0)),
  ];
  const document = await scan(
    model({
      nodes,
      initializers,
      inputs: [value('x', 1, ['N', 4])],
      outputs: [value('y', 1), value('largest', 7)],
    }),
  );
  const feeds = { x: { elemType: 'f32', dims: [3, 4], data: new Float32Array(12) } };
  const { dims, constant } = await probeModel(document, feeds, async (copy) => {
    const session = await nodeProvider('cpu').open(await copy.bytes());
    return session.run(feeds);
  });
  expect([dims('x'), dims('r'), dims('y'), dims('w'), dims('none')]).toEqual([
    [3, 4],
    [3, 4, 1],
    [3, 4, 2],
    [2],
    [],
  ]);
  expect([constant('longer'), constant('one'), constant('w')]).toEqual([[3, 4, 1], [1], [0.5, -1]]);
  for (const name of ['x', 'r', 'largest', 'many', 'none']) expect(constant(name), name).toBeUndefined();
});

test('a Constant with a sparse tensor, which ONNX Runtime does not output, has a shape', async () => {
  const sparse = { values: floats('', [2], [3, 5]), indices: ints('', [2], [1, 2]), dims: [2, 2] };
  const constant = { name: 'sparse_value', type: 11, sparseTensor: sparse };
  const bytes = model({
    nodes: [
      node('Constant', [], ['w'], {}, { attribute: [constant] }),
      node('MatMul', ['x', 'w'], ['h']),
      node('Relu', ['h'], ['y']),
    ],
    inputs: [value('x', 1, ['N', 2])],
    outputs: [value('y', 1)],
  });
  const x = { elemType: 'f32', dims: [3, 2], data: new Float32Array(6) };
  const provider = nodeProvider('cpu');
  const { dims, constant: numbers } = await probeWithSession(
    await modelFromBytes(bytes),
    { x },
    { provider },
  );
  expect([dims('w'), dims('h')]).toEqual([
    [2, 2],
    [3, 2],
  ]);
  expect(numbers('w')).toBeUndefined();
});

test('tensors that depend on the data are not returned, only their shapes; sequences are', async () => {
  const nodes = [
    node('Exp', ['x'], ['large']),
    node('Neg', ['large'], ['negative']),
    node('SequenceConstruct', ['negative'], ['sequence']),
    node('ConcatFromSequence', ['sequence'], ['joined'], { axis: 0 }),
    node('ReduceSum', ['joined'], ['y'], { keepdims: 0 }),
  ];
  const document = await scan(model({ nodes, inputs: [value('x', 1, ['N', 4])], outputs: [value('y', 1)] }));
  const feeds = { x: { elemType: 'f32', dims: [3, 4], data: new Float32Array(12) } };
  let returned: string[] = [];
  const { dims } = await probeModel(document, feeds, async (copy) => {
    const session = await nodeProvider('cpu').open(await copy.bytes());
    const tensors = await session.run(feeds);
    returned = Object.entries(tensors).map(([name, { elemType, dims }]) => `${name} ${elemType} [${dims}]`);
    return tensors;
  });
  expect([dims('large'), dims('joined')]).toEqual([
    [3, 4],
    [3, 4],
  ]);
  // The provider returns what a sequence is made of.
  expect(returned.filter((one) => one.includes('[3,4]'))).toEqual(['negative f32 [3,4]']);
});

test('a model that ONNX Runtime’s optimisers make invalid once its tensors are exposed is probed', async () => {
  const branch = (name: string, op: string) => ({
    graph: { name, node: [node(op, ['p'], ['b'])], output: [value('b', 1)] },
  });
  const bytes = model({
    opset: 17,
    nodes: [
      node('Tanh', ['x'], ['t']),
      node('Pad', ['t', 'pads'], ['padded']),
      node('AveragePool', ['padded'], ['p'], { kernel_shape: [1, 1], count_include_pad: 1 }),
      node('Shape', ['p'], ['s']),
      node('Gather', ['s', 'first'], ['n'], { axis: 0 }),
      node('Equal', ['n', 'first'], ['c']),
      node('If', ['c'], ['i'], { then_branch: branch('then', 'Neg'), else_branch: branch('else', 'Abs') }),
      node('Mul', ['i', 't'], ['y']),
    ],
    initializers: [ints('pads', [8], [0, 0, 0, 0, 0, 0, 0, 0]), ints('first', [1], [0])],
    inputs: [value('x', 1, [2, 1, 3, 3])],
    outputs: [value('y', 1)],
  });
  const x = { elemType: 'f32', dims: [2, 1, 3, 3], data: new Float32Array(18).fill(0.5) };
  const probe = await probeWithSession(await modelFromBytes(bytes), { x }, { provider: nodeProvider('cpu') });
  expect(probe.dims('p')).toEqual([2, 1, 3, 3]);
});
