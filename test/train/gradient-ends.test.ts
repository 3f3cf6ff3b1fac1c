import { expect, test } from 'vitest';
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
    node('Add', ['m', 't'], ['y']),
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
      text: "No gradient flows through 'Hardmax most': every weight is still reached on another way",
    },
    { code: 'gradient-ends', text: "No gradient flows through 'RNN cell': 'W', 'R', 'w' cannot be trained" },
  ]);
});

test('a node whose attributes its gradient does not cover is told, too', async () => {
  const nodes = [
    node('MatMul', ['x', 'w'], ['h']),
    node('Einsum', ['h'], ['e'], { equation: '...j->...j' }),
    node('MatMul', ['e', 'v'], ['y']),
  ];
  const initializers = [floats('w', [4, 2], [...wave(8, 0.3)]), floats('v', [2, 2], [...wave(4, 0.8)])];
  const bytes = model({ nodes, initializers, inputs: [value('x', 1, [2, 3, 4])], outputs: [value('y', 1)] });
  const loaded = await modelFromBytes(bytes);
  const { step, session } = await openTraining(loaded, { x }, nodeProvider('cpu'), {
    ...{ output: 'y', loss: 'mse', optimizer: graphOptimizer({ kind: 'sgd' }) },
  });
  await session.close();
  expect(gradientEnds(loaded.document, indexGraphs(loaded.document), step)).toEqual([
    { code: 'gradient-ends', text: "No gradient flows through 'Einsum → e': 'w' cannot be trained" },
  ]);
});
