import { expect, test } from 'vitest';
import { gainOf } from '../../src/experiment/gain.js';

test('ReLU and LeakyReLU have the gains of He and others', () => {
  expect(gainOf('relu')).toBeCloseTo(Math.SQRT2, 9);
  expect(gainOf('leakyrelu')).toBeCloseTo(Math.sqrt(2 / (1 + 0.01 ** 2)), 9);
});

test('the other gains are those of NumPy’s Gauss-Legendre quadrature', () => {
  // numpy.polynomial.legendre.leggauss(200) on each part between -10, -3, 0, 3 and 10
  const expected = {
    swish: 1.6765324703310889,
    mish: 1.4868475812732056,
    gelu: 1.533530441195533,
    hardswish: 1.7366572127665398,
    elu: 1.2451983007007041,
  } as const;
  for (const name of ['swish', 'mish', 'gelu', 'hardswish', 'elu'] as const)
    expect(gainOf(name), name).toBeCloseTo(expected[name], 8);
});

test('the gain of a sharp Mish goes to ReLU’s', () => {
  const distances = [1, 2, 4, 8, 16].map((beta) => Math.abs(gainOf('mish', beta) - Math.SQRT2));
  expect(distances).toEqual(distances.toSorted((a, b) => b - a));
  expect(distances.at(-1)).toBeLessThan(0.01);
});
