import { expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { floats, model, node } from '../support/model.js';

test('a swap that computes NaN before a layer is refused, with the layer and what helps', async () => {
  // Behind log(1 + r) no search sees that the Relu keeps the root's operand from being negative.
  const bytes = model({
    nodes: [
      node('Relu', ['x'], ['r']),
      node('Add', ['r', 'one'], ['s']),
      node('Log', ['s'], ['l']),
      node('Sqrt', ['l'], ['q']),
      node('MatMul', ['q', 'w'], ['y']),
    ],
    initializers: [
      floats('one', [], [1]),
      floats(
        'w',
        [4, 4],
        Array.from({ length: 16 }, (_, at) => at % 5),
      ),
    ],
  });
  const data = (inputs: Parameters<typeof seededFeeds>[0]) =>
    seededFeeds(inputs, { seed: 1, count: 8, dims: { N: 16 } });
  await expect(calibrate(bytes, { data, beta: 1, include: ['r'] })).rejects.toMatchObject({
    code: 'bad-data',
    what: 'the swapped model computes NaN or infinity on these samples',
    where: expect.stringContaining('y'),
    option: { exclude: null },
  });
});

test('an output that the model lacks is refused before any work', async () => {
  const bytes = model({ nodes: [node('Relu', ['x'], ['y'])] });
  const data = (): never => {
    throw new Error('the samples were read');
  };
  await expect(calibrate(bytes, { data, outputs: ['z'] })).rejects.toThrow("the model has no output 'z'");
});
