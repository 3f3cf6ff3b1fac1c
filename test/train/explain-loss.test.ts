import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { lossExplainer } from '../../src/train/explain-loss.js';
import { graphOptimizer } from '../../src/train/graph-optimizers.js';
import { createStepper } from '../../src/train/stepper.js';
import { floats, model, node, value } from '../support/model.js';
import { openTraining, wave } from '../support/training.js';

const provider = nodeProvider('cpu');
const optimizer = graphOptimizer({ kind: 'sgd' });
const SAMPLES = 6;
const x = { elemType: 'f32', dims: [SAMPLES, 3], data: wave(3 * SAMPLES, 0.9) };
const targets = new Float32Array(2 * SAMPLES);
const layers = [
  node('Gemm', ['x', 'w'], ['h'], {}, { name: 'layer_1' }),
  node('Relu', ['h'], ['r'], {}, { name: 'act' }),
  node('Log', ['r'], ['l'], {}, { name: 'log' }),
  node('Gemm', ['l', 'v'], ['y'], {}, { name: 'layer_2' }),
];
const linear = [node('Gemm', ['x', 'w'], ['h'], {}, { name: 'layer_1' }), node('Gemm', ['h', 'v'], ['y'])];

/** Takes steps of a net of two layers, and gives the error in which they end. */
async function failure(
  nodes: onnx.INodeProto[],
  rate: number,
  feeds = { x },
  given = targets,
): Promise<unknown> {
  const bytes = model({
    ...{ nodes, inputs: [value('x', 1, ['N', 3])], outputs: [value('y', 1)] },
    initializers: [floats('w', [3, 2], [...wave(6, 0.4)]), floats('v', [2, 2], [...wave(4, 0.8)])],
  });
  const loaded = await modelFromBytes(bytes);
  const { step, session, stepper } = await openTraining(loaded, { x }, provider, {
    ...{ output: 'y', loss: 'mse', optimizer },
  });
  const explain = lossExplainer(loaded, step, { provider });
  const initial = stepper.state();
  const explaining = createStepper(session, step, { optimizer, initial, explain });
  try {
    for (let turn = 0; turn < 200; turn++) await explaining.step(feeds, given, rate);
  } catch (error) {
    return error;
  } finally {
    await session.close();
  }
  return undefined;
}

test('an input that is not finite is named with its sample', async () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const data = x.data.map((one, at) => (at === 7 ? bad : one));
    expect(await failure(linear, 0.1, { x: { ...x, data } })).toMatchObject({
      code: 'bad-data',
      what: `the loss of step 1 is NaN: the input 'x' has the value ${bad} in sample 2 of the batch`,
    });
  }
});

test('a target that is not finite is named with its sample', async () => {
  const bad = targets.map((one, at) => (at === 11 ? Number.NaN : one));
  expect(await failure(linear, 0.1, { x }, bad)).toMatchObject({
    code: 'bad-data',
    what: expect.stringContaining('the target has the value NaN in sample 5'),
  });
});

test('the first node that computes a value that is not finite is named', async () => {
  expect(await failure(layers, 0.1)).toMatchObject({
    code: 'run-failed',
    what: expect.stringMatching(/^the loss of step 1 is .*: the output 'l' is not finite$/),
    where: "Log 'log'",
  });
});

test('too large a rate ends with a weight or a node', async () => {
  const error = await failure(linear, 1e6);
  expect(error).toMatchObject({ code: 'run-failed', fix: expect.stringContaining('learning rate') });
  expect(error).toMatchObject({
    what: expect.stringMatching(
      /the weight '[wv]' has the value|the output '[hy]' is not finite|although all tensors/,
    ),
  });
});

test('a mask with -Infinity is not named', async () => {
  const nodes = [
    node('Constant', [], ['mask'], { value: { tensor: floats('', [2], [Number.NEGATIVE_INFINITY, 0]) } }),
    node('Gemm', ['x', 'w'], ['h']),
    node('Add', ['h', 'mask'], ['masked']),
    node('Softmax', ['masked'], ['s']),
    node('Log', ['s'], ['l'], {}, { name: 'log' }),
    node('Gemm', ['l', 'v'], ['y']),
  ];
  expect(await failure(nodes, 0.1)).toMatchObject({
    code: 'run-failed',
    where: "Log 'log'",
  });
});
