import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  leakyRelu,
  mish,
  mishDerivative,
  mishDerivativeBySwish,
  relu,
  sigmoid,
  softplus,
  swish,
} from '../../src/mish/reference.js';
import { casesOf } from '../support/heavy.js';
import table from './reference-table.json' with { type: 'json' };

/** Relative error, or absolute where the exact value is below the smallest normal number. */
function error(got: number, exact: number): number {
  return Math.abs(got - exact) / Math.max(Math.abs(exact), 2 ** -1022);
}

const ULP = 2 ** -52;
const anywhere = fc.double({ noNaN: true, noDefaultInfinity: true });
const near = fc.double({ min: -60, max: 60, noNaN: true });

describe('against 50 digits', () => {
  test.each(table.rows)('at $x', ({ x, mish: exact, derivative }) => {
    expect(error(mish(x), Number(exact))).toBeLessThan(8 * ULP);
    // Close to its zero at -1.1924 the derivative is a difference, and only its absolute error can be small.
    expect(Math.abs(mishDerivative(x) - Number(derivative))).toBeLessThan(
      Math.max(
        16 * ULP * Math.abs(Number(derivative)),
        Math.abs(x + 1.1924) < 1e-3 ? 8 * ULP : 0,
        5e-324 * 2,
      ),
    );
  });

  test('the minimum is where and what it is', () => {
    const x = Number(table.minimum.x);
    expect(error(mish(x), Number(table.minimum.mish))).toBeLessThan(4 * ULP);
    expect(Math.abs(mishDerivative(x))).toBeLessThan(2 * ULP);
    expect(mish(x)).toBeGreaterThan(-0.30885);
  });
});

describe('mish', () => {
  test('is x · tanh(softplus(x))', () => {
    fc.assert(
      fc.property(fc.double({ min: -30, max: 700, noNaN: true }), (x) => {
        expect(error(mish(x), x * Math.tanh(softplus(x)))).toBeLessThan(16 * ULP);
      }),
    );
  });

  test('is finite, bounded below and at most x on the positive side, everywhere', () => {
    fc.assert(
      fc.property(anywhere, (x) => {
        const y = mish(x);
        expect(Number.isFinite(y)).toBe(true);
        expect(y).toBeGreaterThan(-0.3089);
        expect(Math.abs(y)).toBeLessThanOrEqual(Math.abs(x));
      }),
      { numRuns: casesOf(2000) },
    );
  });

  test('with a sharpness is mish(βx) / β and comes within 0.30884 / β of ReLU', () => {
    fc.assert(
      fc.property(near, fc.double({ min: 0.25, max: 16, noNaN: true }), (x, beta) => {
        expect(mish(x, beta)).toBeCloseTo(mish(beta * x) / beta, 12);
        expect(Math.abs(mish(x, beta) - relu(x))).toBeLessThanOrEqual(0.30885 / beta);
      }),
    );
  });

  test('has its limits at the infinities, and passes NaN on', () => {
    expect(mish(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(mish(Number.NEGATIVE_INFINITY)).toBe(-0);
    expect(mish(Number.NaN)).toBeNaN();
  });
});

describe('the derivative', () => {
  test('is the same in both of the paper’s forms', () => {
    fc.assert(
      fc.property(anywhere, (x) => {
        const [one, other] = [mishDerivative(x), mishDerivativeBySwish(x)];
        expect(Number.isFinite(one)).toBe(true);
        // The sums behind both forms have terms of the size of (|x| + 1) · e^x for x < 0.
        const scale = x < 0 ? (Math.abs(x) + 2) * Math.exp(x) : 1;
        expect(Math.abs(one - other)).toBeLessThanOrEqual(16 * ULP * scale + 1e-320);
      }),
      { numRuns: casesOf(2000) },
    );
  });

  test('is what numerical differentiation says', () => {
    fc.assert(
      fc.property(fc.double({ min: -25, max: 25, noNaN: true }), (x) => {
        const h = 1e-3;
        // Five points: the error is of the order of h^4.
        const slope = (8 * (mish(x + h) - mish(x - h)) - (mish(x + 2 * h) - mish(x - 2 * h))) / (12 * h);
        expect(mishDerivative(x)).toBeCloseTo(slope, 9);
      }),
      { numRuns: casesOf(1000) },
    );
  });

  test('has its limits at the infinities', () => {
    for (const derivative of [mishDerivative, mishDerivativeBySwish]) {
      expect(derivative(Number.POSITIVE_INFINITY)).toBe(1);
      expect(derivative(Number.NEGATIVE_INFINITY)).toBe(-0);
      expect(derivative(Number.MAX_VALUE)).toBe(1);
      expect(derivative(0)).toBeCloseTo(0.6, 15);
    }
  });
});

test('the other activations', () => {
  expect([relu(-1), relu(0), relu(2)]).toEqual([0, 0, 2]);
  expect([leakyRelu(-2), leakyRelu(-2, 0.1), leakyRelu(3, 0.1)]).toEqual([-0.02, -0.2, 3]);
  expect([relu(Number.NaN), leakyRelu(Number.NaN)]).toEqual([Number.NaN, Number.NaN]);
  expect(swish(1)).toBeCloseTo(0.7310585786300049, 15);
  expect(swish(Number.NEGATIVE_INFINITY)).toBe(-0);
  expect(swish(-Number.MAX_VALUE)).toBe(-0);
  // e^-720 alone is subnormal and has lost digits; the product must not. With 1 + e^x = 1 it is mish.
  for (const x of [-700.5, -709, -720]) expect(error(swish(x), mish(x))).toBeLessThan(4 * ULP);
  expect(Math.abs(swish(-720) - -720 * Math.exp(-700) * Math.exp(-20))).toBeLessThan(1e-323);
  fc.assert(
    fc.property(near, (x) => {
      expect(sigmoid(x) + sigmoid(-x)).toBeCloseTo(1, 14);
      expect(softplus(x) - softplus(-x)).toBeCloseTo(x, 12);
    }),
  );
});

describe('point by point', () => {
  // Eighths from -50 to 50: both sides of every branch, and the branches themselves.
  const points = Array.from({ length: 801 }, (_, at) => at / 8 - 50);

  test('both forms of the derivative agree, and so does a sigmoid with its mirror', () => {
    for (const x of points) {
      const scale = x < 0 ? (Math.abs(x) + 2) * Math.exp(x) : 1;
      expect(Math.abs(mishDerivative(x) - mishDerivativeBySwish(x)) / scale, String(x)).toBeLessThan(
        16 * ULP,
      );
      expect(sigmoid(x), String(x)).toBeCloseTo(1 / (1 + Math.exp(-x)), 14);
      expect(error(sigmoid(-x), Math.exp(-x) * sigmoid(x)), String(x)).toBeLessThan(4 * ULP);
    }
  });

  test('nothing jumps: left and right of every branch the values are the same', () => {
    for (const f of [mish, mishDerivative, mishDerivativeBySwish, swish, sigmoid]) {
      for (const x of [-760, -700, 0, 20, 40]) {
        const step = Math.max(Math.abs(x), 1) * 2 ** -40;
        const [left, here, right] = [f(x - step), f(x), f(x + step)];
        // None of them is steeper than 1.1; where they are next to nothing, so is what they change by.
        const allowed = 1e-8 * Math.abs(here) + (x < -100 ? 5e-324 : 2 * step);
        expect(Math.abs(left - here), `${f.name} below ${x}`).toBeLessThanOrEqual(allowed);
        expect(Math.abs(right - here), `${f.name} above ${x}`).toBeLessThanOrEqual(allowed);
      }
    }
  });

  test('the sigmoid does not overflow where its exponential would', () => {
    expect([sigmoid(800), sigmoid(-800), sigmoid(0)]).toEqual([1, 0, 0.5]);
    expect(sigmoid(-740)).toBeGreaterThan(0);
  });

  test('the far tail keeps its digits, in the derivative too', () => {
    // At -705 e^x is normal; at -735 it is not, and what it is multiplied with is near its size.
    for (const x of [-702, -705, -735, -744]) {
      const exact = (x + 1) * Math.exp(x + 100) * Math.exp(-100);
      for (const derivative of [mishDerivative, mishDerivativeBySwish])
        expect(Math.abs(derivative(x) - exact), `${derivative.name} at ${x}`).toBeLessThan(
          1e-13 * Math.abs(exact) + 1e-323,
        );
    }
  });
});
