import { describe, expect, test } from 'vitest';
import { FORMS, type FormName } from '../../src/mish/forms.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { fromHalf, toHalf } from '../../src/onnx/scalar.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { sweep, sweepPoints, ulp } from '../../src/validate/kernel-sweep.js';

const cpu = nodeProvider('cpu');
const forms = (Object.keys(FORMS) as FormName[]).filter((form) => FORMS[form].bound === undefined);

describe('the points', () => {
  test.each(['f16', 'f32', 'f64'] as const)('of %s are exact in the type and reach its ends', (type) => {
    const exact = { f16: (x: number) => fromHalf(toHalf(x)), f32: Math.fround, f64: (x: number) => x }[type];
    const points = sweepPoints(type);
    for (const x of points) expect(exact(x)).toBe(x);
    expect(points.length).toBeGreaterThan(2000);
    expect(Math.max(...points)).toBe({ f16: 65504, f32: 3.4028234663852886e38, f64: Number.MAX_VALUE }[type]);
    expect(points.some((x) => Object.is(x, -0))).toBe(true);
    expect(points).toContain({ f16: 2 ** -24, f32: 2 ** -149, f64: 5e-324 }[type]);
  });
});

describe('a unit in the last place', () => {
  test('is the distance to the next float64', () => {
    const bits = new DataView(new ArrayBuffer(8));
    const next = (x: number) => {
      bits.setFloat64(0, x);
      bits.setBigUint64(0, bits.getBigUint64(0) + 1n);
      return bits.getFloat64(0);
    };
    for (const x of sweepPoints('f64').filter((x) => x > 0 && x < Number.MAX_VALUE)) {
      for (const near of [x, next(x), x * (1 - 2 ** -53)]) expect(ulp(near, 'f64')).toBe(next(near) - near);
    }
  });

  test('of other types, by their definitions', () => {
    expect([ulp(1, 'f32'), ulp(-1.99, 'f32'), ulp(2, 'f32')]).toEqual([2 ** -23, 2 ** -23, 2 ** -22]);
    expect([ulp(0, 'f32'), ulp(2 ** -140, 'f32')]).toEqual([2 ** -149, 2 ** -149]);
    expect([ulp(1, 'f16'), ulp(65504, 'f16'), ulp(0, 'f16')]).toEqual([2 ** -10, 32, 2 ** -24]);
  });
});

describe('on the CPU', () => {
  // Bounds from the formats: a few units in the last place of 20, where the relative error peaks.
  test.each(forms.flatMap((form) => ([1, 0.5, 4] as const).map((beta) => [form, beta] as const)))(
    'the %s form with β = %s is Mish in f32',
    async (form, beta) => {
      const result = await sweep(cpu, { kind: 'mish', form, beta }, 'f32', 18);
      expect(result.problem).toBeNull();
      // The native form multiplies by β before and by 1/β after: beyond the largest value / β it overflows.
      expect(result.broken).toBe(form === 'native' && beta > 1 ? 6 : 0);
      expect(result.maxAbs).toBeLessThan(1e-5);
      expect(result).toMatchObject({ atInfinity: 'Infinity', atMinusInfinity: 'NaN', atNaN: 'NaN' });
    },
  );

  test('an infinite result is right where the exact value is beyond the type, as of slopes above 1', async () => {
    const tolerances = { f16: 4e-3, f32: 1e-5, f64: 1e-12 };
    const wrong: unknown[] = [];
    for (const type of ['f16', 'f32', 'f64'] as const)
      for (const alpha of [-8, -3, -1, 1, 1.5, 2, 8])
        for (const kernel of [
          { kind: 'mixture', form: 'exp', beta: 1, alpha },
          { kind: 'mixture', form: 'softplus', beta: 4, alpha },
          { kind: 'leakyrelu', alpha },
        ] as const) {
          const { broken, maxScaled, problem } = await sweep(cpu, kernel, type, 18);
          // A steep slope multiplies the rounding of the gate, which moves the largest float64 beyond the type.
          const most = type === 'f64' && Math.abs(alpha) === 8 ? 1 : 0;
          const isRight = problem === null && broken <= most && (maxScaled ?? 1) <= tolerances[type];
          if (!isRight) wrong.push({ kernel, type, broken, maxScaled, problem });
        }
    expect(wrong).toEqual([]);
  });

  test('the exp form is within an ulp or two in f64, and within rounding in f16', async () => {
    const kernel = { kind: 'mish', form: 'exp', beta: 1 } as const;
    const f64 = await sweep(cpu, kernel, 'f64', 18);
    expect(f64).toMatchObject({ problem: null, broken: 0 });
    expect(f64.maxAbs).toBeLessThan(1e-14);
    const f16 = await sweep(cpu, kernel, 'f16', 18);
    expect(f16).toMatchObject({ problem: null, broken: 0 });
    expect(f16.maxAbs).toBeLessThan(0.02);
  });

  test('a kernel that cannot run has a problem and throws nothing', async () => {
    const kernel = { kind: 'mish', form: 'native', beta: 1 } as const;
    expect((await sweep(cpu, kernel, 'f32', 13)).problem).toMatch(/Mish/);
    expect((await sweep(cpu, kernel, 'bf16', 22)).problem).toMatch(/bf16/);
    expect((await sweep(cpu, kernel, 'unknown' as 'bf16', 22)).problem).toMatch(/takes no unknown tensors/);
  });
});

test('a sweep finds the x of an error in a kernel', async () => {
  // A provider whose kernel is off by 0.001 at one point.
  const broken: typeof cpu = {
    ...cpu,
    open: async (model, options) => {
      const session = await cpu.open(model, options);
      return {
        ...session,
        run: async (feeds) => {
          const results = await session.run(feeds);
          const [x, y] = [feeds.x?.data, results.y?.data];
          if (!(x instanceof Float32Array && y instanceof Float32Array)) throw new Error('no results');
          const at = x.indexOf(1.5);
          y[at] = (y[at] ?? 0) + 0.001;
          return results;
        },
      };
    },
  };
  const { maxAbs, maxAbsAt } = await sweep(broken, { kind: 'mish', form: 'exp', beta: 1 }, 'f32', 18);
  expect(maxAbs).toBeCloseTo(0.001, 5);
  expect(maxAbsAt).toBe(1.5);
});

test('an abort is no problem of a kernel', async () => {
  const aborted = getProvider('wasm', { signal: AbortSignal.abort() });
  await expect(sweep(aborted, { kind: 'relu' }, 'f32', 18)).rejects.toMatchObject({ code: 'aborted' });
});
