import { describe, expect, test } from 'vitest';
import { LEARNING_RATE, RATE_DIVISOR, type TrainOptions, train, VALIDATIONS } from '../../src/train/loop.js';

const OPTIMUM = [0.9, -1.2, 1.1];

const squares = (values: Float32Array) =>
  values.reduce((sum, value, index) => sum + (value - (OPTIMUM[index] ?? 0)) ** 2, 0);

/** A loss that is least at a known place, with steps of the size of the rate against the gradient. */
function problem(more: Partial<TrainOptions> = {}) {
  const start = Float32Array.of(1, -1, 1);
  const values = start.slice();
  const options: TrainOptions = {
    steps: 100,
    restart: () => values.set(start),
    async step(rate) {
      const loss = squares(values);
      for (const [index, value] of values.entries())
        values[index] = value - rate * Math.sign(value - (OPTIMUM[index] ?? 0));
      return loss;
    },
    validationLoss: async () => squares(values),
    values: () => [values.slice()],
  };
  return { values, options: { ...options, ...more } };
}

describe('training', () => {
  test('finds a known optimum', async () => {
    const { options } = problem();
    const { before, after, values } = await train(options);
    expect(before).toBeCloseTo(0.06, 6);
    expect(after).toBeLessThan(1e-4);
    for (const [index, value] of OPTIMUM.entries()) expect(values?.[0]?.[index]).toBeCloseTo(value, 2);
  });

  test('keeps no values where no step lowers the validation loss', async () => {
    const { options } = problem({ validationLoss: async () => 1 });
    expect(await train(options)).toEqual({ before: 1, after: 1, values: undefined, steps: 100 });
  });

  test('keeps the values with the lowest validation loss', async () => {
    let validations = 0;
    const losses = [3, 2, 1, 2, 3];
    const { values: current, options } = problem();
    const seen: Float32Array[] = [];
    const validationLoss = async () => {
      seen.push(current.slice());
      return losses[validations++] ?? 4;
    };
    const { after, values } = await train({ ...options, validationLoss });
    expect(after).toBe(1);
    expect(values).toEqual([seen[2]]);
    expect(validations).toBe(1 + VALIDATIONS);
  });

  test('restarts with a lower rate and the first batch if it diverges', async () => {
    const { values: current, options } = problem({ steps: 1 });
    const moves: number[] = [];
    let starts = 0;
    const validationLoss = async () => {
      moves.push(Math.abs((current[0] ?? 0) - 1));
      return moves.length === 1 ? 1 : Number.POSITIVE_INFINITY;
    };
    const restart = () => {
      starts++;
      options.restart();
    };
    await train({ ...options, restart, validationLoss });
    expect(starts).toBe(3);
    const rates = [1, RATE_DIVISOR, RATE_DIVISOR ** 2].map((divisor) => LEARNING_RATE / divisor);
    expect(moves).toHaveLength(4);
    for (const [index, rate] of rates.entries()) expect(moves[index + 1]).toBeCloseTo(rate, 6);
  });

  test('reports each step before taking it', async () => {
    const told: string[] = [];
    const { options } = problem({ steps: 3, onProgress: (done, of) => told.push(`${done}/${of}`) });
    await train(options);
    expect(told).toEqual(['0/3', '1/3', '2/3']);
  });
});
