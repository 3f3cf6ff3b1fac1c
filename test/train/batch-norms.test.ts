import { expect, test } from 'vitest';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { batchNorms } from '../../src/train/batch-norms.js';
import { floats, model, node, value } from '../support/model.js';

const ones = (name: string) => floats(name, [2], [1, 1]);

test('the affine steps of an approximate form are not batch normalisations', async () => {
  const bytes = model({
    opset: 17,
    inputs: [value('x', 1, [1, 2, 3, 3])],
    outputs: [value('y', 1, [1, 2, 3, 3])],
    initializers: [ones('s'), ones('b'), ones('m'), ones('v')],
    nodes: [
      node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['n'], {}, { name: 'norm' }),
      node('Relu', ['n'], ['y']),
    ],
  });
  for (const form of ['sigmoid', 'tanh'] as const) {
    const { graph } = await scan(await (await swap(bytes, { form })).output.bytes());
    const all = graph.nodes.filter(({ opType }) => opType === 'BatchNormalization');
    expect(all.length).toBeGreaterThan(1);
    expect(batchNorms(graph).map(({ name }) => name)).toEqual(['norm']);
  }
});
