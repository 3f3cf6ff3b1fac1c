import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RANGE_RULES, rangeBy, valueMeter } from '../../../src/calibrate/int8/ranges.js';
import { type Quantization, quantizationFor, rangeOf } from '../../../src/mish/quantization.js';
import { DataType } from '../../../src/onnx/types.js';

const numbers = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 1, maxLength: 200 });
const types = fc.constantFrom(DataType.UINT8, DataType.INT8);

function countsOf(values: readonly number[]) {
  const meter = valueMeter();
  meter.add({ elemType: 'f32', dims: [values.length], data: Float32Array.from(values) });
  return meter.result();
}

/** Returns the squared error of numbers that are rounded and clipped. */
function errorOf(values: readonly number[], { scale, zeroPoint, elemType }: Quantization): number {
  const low = elemType === DataType.UINT8 ? 0 : -128;
  return values.reduce((sum, value) => {
    const steps = Math.min(low + 255, Math.max(low, Math.round(value / scale) + zeroPoint));
    return sum + (value - (steps - zeroPoint) * scale) ** 2;
  }, 0);
}

const quantization = (elemType: number): Quantization => ({ scale: 1, zeroPoint: 0, elemType, type: 'f32' });

test('every rule gives a positive, finite scale and a range around 0, symmetric where the old one was', () => {
  fc.assert(
    fc.property(
      numbers,
      types,
      fc.boolean(),
      fc.constantFrom(...RANGE_RULES),
      (values, elemType, isSymmetric, rule) => {
        const counts = countsOf(values);
        const range = counts && rangeBy(rule, counts, quantization(elemType), isSymmetric);
        if (range === undefined) {
          expect(values.every((one) => one === 0)).toBe(true);
          return;
        }
        expect(range.least).toBeLessThanOrEqual(0);
        expect(range.most).toBeGreaterThanOrEqual(0);
        if (isSymmetric) expect(range.least).toBeCloseTo(-range.most, 10);
        const made = quantizationFor(range, quantization(elemType));
        if (Math.max(...values.map(Math.abs)) < 1e-30) return;
        expect((made?.scale ?? 0) > 0 && Number.isFinite(made?.scale)).toBe(true);
      },
    ),
  );
});

test('minmax holds every value within half a step', () => {
  fc.assert(
    fc.property(numbers, types, (values, elemType) => {
      const counts = countsOf(values);
      const range = counts && rangeBy('minmax', counts, quantization(elemType));
      const made = range && quantizationFor(range, quantization(elemType));
      if (made === undefined) return;
      const { least, most } = rangeOf(made);
      for (const value of values) {
        expect(value).toBeGreaterThanOrEqual(least - made.scale);
        expect(value).toBeLessThanOrEqual(most + made.scale);
      }
    }),
  );
});

test('the least squared error is smaller than that of minmax where few values are large', () => {
  const values = [...Array.from({ length: 5000 }, (_, at) => Math.sin(at) * Math.cos(at * 1.7)), 20];
  const counts = countsOf(values);
  if (counts === undefined) throw new Error('no values');
  const [minmax, error] = RANGE_RULES.map((rule) => {
    const made = quantizationFor(
      rangeBy(rule, counts, quantization(DataType.UINT8)) ?? { least: 0, most: 1 },
      {
        ...quantization(DataType.UINT8),
      },
    );
    return errorOf(values, made ?? quantization(DataType.UINT8));
  });
  // A single value of 20 may cost more than the roundings of all others.
  expect(error).toBeLessThanOrEqual((minmax ?? 0) * 1.05);
});

test('zeros, of which a ReLU gives many, do not make the least squared error larger than that of minmax', () => {
  const shares = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 50, maxLength: 200 });
  fc.assert(
    fc.property(shares, fc.integer({ min: 0, max: 20_000 }), types, (some, zeros, elemType) => {
      const values = [...some, ...Array.from({ length: zeros }, () => 0)];
      const counts = countsOf(values);
      const [minmax = 0, error = 0] = RANGE_RULES.map((rule) => {
        const range = counts && rangeBy(rule, counts, quantization(elemType));
        const made = range && quantizationFor(range, quantization(elemType));
        return made && errorOf(values, made);
      });
      expect(error).toBeLessThanOrEqual(1.6 * minmax);
    }),
    { seed: 9, numRuns: 40 },
  );
});

test('numbers that are not finite do not count', () => {
  expect(countsOf([Number.NaN, Number.POSITIVE_INFINITY])).toBeUndefined();
  expect(countsOf([1, Number.NaN, -2, Number.NEGATIVE_INFINITY])).toMatchObject({ least: -2, most: 1 });
});
