import { expect, test } from 'vitest';
import { createRandom, normal } from '../../src/base/random.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { floats, model, node, value } from '../support/model.js';

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

test('outputs of another shape than the original’s are told, since nothing judges the repair', async () => {
  const random = createRandom(4);
  const weights = (name: string) =>
    floats(
      name,
      [6, 6],
      Array.from({ length: 36 }, () => normal(random)),
    );
  const bytes = (more: string[]) =>
    model({
      nodes: [
        node('MatMul', ['x', 'v'], ['h']),
        node('Relu', ['h'], ['r']),
        node('MatMul', ['r', 'w'], ['s']),
        node('Relu', ['s'], ['places'], {}, { name: 'kept' }),
        node('NonZero', ['places'], ['y']),
      ],
      initializers: [weights('v'), weights('w')],
      inputs: [value('x', 1, ['N', 6])],
      outputs: [value('y', 7, [2, 'K']), ...more.map((name) => value(name, 1, ['N', 6]))],
    });
  const data = (inputs: Parameters<typeof seededFeeds>[0]) =>
    seededFeeds(inputs, { seed: 1, count: 8, dims: { N: 16 } });
  for (const more of [[], ['s']]) {
    const { report } = await calibrate(bytes(more), { data, steps: 0, exclude: ['kept'] });
    const told = report.notes.filter((note) => /^no output can be compared .*'y': its shape is/.test(note));
    expect(told).toHaveLength(more.length === 0 ? 1 : 0);
  }
});
