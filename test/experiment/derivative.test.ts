import { describe, expect, test } from 'vitest';
import { derivativeOverInputs } from '../../src/experiment/derivative.js';
import { ACTIVATIONS } from '../../src/mish/activations.js';
import { mishDerivative } from '../../src/mish/reference.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { floats, model, node, value } from '../support/model.js';

const provider = nodeProvider('cpu');
const bytes = model({
  nodes: [
    node('Mul', ['x', 'two'], ['h']),
    node('Relu', ['h'], ['a']),
    node('Add', ['a', 'two'], ['k']),
    node('Relu', ['k'], ['y']),
  ],
  initializers: [floats('two', [1], [2])],
  inputs: [value('x', 1, ['N'])],
  outputs: [value('y', 1, ['N'])],
});
const data = Float32Array.from({ length: 400 }, (_, at) => (at - 199.5) / 100);
const feeds = Object.assign([{ x: { elemType: 'f32', dims: [400], data } }], { samples: 400 });
const measure = async (f: (x: number) => number, inputs = ['h']) => {
  const found = await derivativeOverInputs(await modelFromBytes(bytes), { f, inputs, feeds, provider });
  if (found === undefined) throw new Error('nothing was measured');
  return found;
};
const shape = (name: keyof typeof ACTIVATIONS) => (x: number) => ACTIVATIONS[name].f(x, { beta: 1 });

describe('the inputs of all sites are counted', () => {
  test('shares are those of a direct count', async () => {
    const { x, share, below, above, samples } = await measure(shape('relu'));
    expect(samples).toBe(400);
    expect(share.reduce((sum, one) => sum + one, below + above)).toBeCloseTo(1, 12);
    const width = (x[1] ?? 0) - (x[0] ?? 0);
    for (const [bin, centre] of x.entries()) {
      const inside = data.filter((one) => Math.abs(Math.fround(2 * one) - centre) < width / 2).length;
      expect(share[bin]).toBeCloseTo(inside / 400, 2);
    }
  });

  test('several inputs are counted together', async () => {
    const { x, share } = await measure(shape('relu'), ['h', 'k', 'h']);
    // Half of h is positive, all of k is 2 or above.
    const positive = share.reduce((sum, one, bin) => sum + ((x[bin] ?? 0) > 0 ? one : 0), 0);
    expect(positive).toBeCloseTo(0.75, 12);
  });

  test('a model without finite inputs has no derivative', async () => {
    const none = Object.assign([{ x: { elemType: 'f32', dims: [1], data: Float32Array.of(Number.NaN) } }], {
      samples: 1,
    });
    const options = { f: shape('relu'), inputs: ['h'], feeds: none, provider };
    expect(await derivativeOverInputs(await modelFromBytes(bytes), options)).toBeUndefined();
  });
});

describe('the derivative is that of the function', () => {
  test('Mish has the closed form of its paper', async () => {
    const { x, derivative } = await measure(shape('mish'));
    expect(x.length).toBeGreaterThan(4);
    for (const [at, centre] of x.entries()) expect(derivative[at]).toBeCloseTo(mishDerivative(centre), 8);
  });

  test.each([
    ['relu', (x: number) => (x > 0 ? 1 : 0)],
    ['leakyrelu', (x: number) => (x > 0 ? 1 : 0.01)],
    ['elu', (x: number) => (x > 0 ? 1 : Math.exp(x))],
    ['hardswish', (x: number) => (x > 3 ? 1 : x < -3 ? 0 : x / 3 + 0.5)],
    [
      'swish',
      (x: number) => {
        const s = 1 / (1 + Math.exp(-x));
        return s + x * s * (1 - s);
      },
    ],
  ] as const)('%s', async (name, exact) => {
    const { x, derivative } = await measure(shape(name));
    for (const [at, centre] of x.entries())
      expect(derivative[at], `at ${centre}`).toBeCloseTo(exact(centre), 8);
  });
});
