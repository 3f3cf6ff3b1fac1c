import { expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTrainer } from '../../src/train/train-model.js';
import { floats, ints, model, node, value } from '../support/model.js';
import { wave } from '../support/training.js';

const [PLACES, FEATURES, HIDDEN, SAMPLES] = [5, 3, 4, 6];

test.each([
  ['LSTM', 4, ['', 'last']],
  ['LSTM', 4, ['', 'last', 'cells']],
  ['LSTM', 4, ['all', 'last']],
  ['GRU', 3, ['', 'last']],
  ['RNN', 1, ['', 'last']],
] as const)(
  'a classifier that reads the last state of a recurrence is trained: %s of %i gates, %j',
  async (op, gates, outputs) => {
    const wide = gates * HIDDEN;
    const weight = (name: string, dims: number[], pace: number) =>
      floats(name, dims, [
        ...wave(
          dims.reduce((product, dim) => product * dim),
          pace,
          0.5,
        ),
      ]);
    const bytes = model({
      nodes: [
        node('Transpose', ['x'], ['t'], { perm: [1, 0, 2] }),
        node(op, ['t', 'W', 'R', 'B'], [...outputs], { hidden_size: HIDDEN }),
        node('Squeeze', ['last', 'first'], ['s']),
        node('MatMul', ['s', 'v'], ['y']),
      ],
      initializers: [
        weight('W', [1, wide, FEATURES], 0.7),
        weight('R', [1, wide, HIDDEN], 0.9),
        weight('B', [1, 2 * wide], 1.1),
        weight('v', [HIDDEN, 2], 1.3),
        ints('first', [1], [0]),
      ],
      inputs: [value('x', 1, ['N', PLACES, FEATURES])],
      outputs: [value('y', 1, ['N', 2])],
      opset: 17,
    });
    const data = wave(SAMPLES * PLACES * FEATURES, 0.7);
    const trainer = await createTrainer(bytes, {
      inputs: { x: { elemType: 'f32', dims: [SAMPLES, PLACES, FEATURES], data } },
      targets: { elemType: 'f32', dims: [SAMPLES, 2], data: wave(SAMPLES * 2, 0.4) },
      ...{ loss: 'mse', epochs: 30, rate: 0.02, provider: nodeProvider('cpu') },
    });
    const losses: number[] = [];
    for await (const { loss } of trainer) losses.push(loss);
    await trainer.close();
    expect(trainer.trained.toSorted()).toEqual(['B', 'R', 'W', 'v']);
    expect(losses.at(-1)).toBeLessThan(0.98 * (losses[0] ?? 0));
  },
);
