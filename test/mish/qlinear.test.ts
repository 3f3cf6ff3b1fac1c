import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type QlinearMish, qlinearAt } from '../../src/mish/qlinear.js';
import { DataType } from '../../src/onnx/types.js';
import { floats, model, node, value } from '../support/model.js';
import { load } from '../support/run.js';

const LOWEST: Readonly<Record<number, number>> = { [DataType.UINT8]: 0, [DataType.INT8]: -128 };
const domain = { domain: 'com.microsoft' };

/** Scales of which many products lie halfway between two integers, and any others. */
const scale = fc.oneof(
  fc.integer({ min: -7, max: -2 }).map((power) => 2 ** power),
  fc.double({ min: 0.005, max: 0.2, noNaN: true }).map(Math.fround),
);
const parts = fc
  .record({
    elemType: fc.constantFrom(DataType.UINT8, DataType.INT8),
    scales: fc.tuple(scale, scale),
    slope: fc.double({ min: 0.9, max: 1.8, noNaN: true }),
    zeros: fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 0, max: 255 }))),
  })
  .map(({ elemType, scales: [x, y], slope, zeros }): QlinearMish => {
    const low = LOWEST[elemType] ?? 0;
    const [xZero = 0, yZero = 0, shiftedZero = 0] = zeros.map((zero) => low + zero);
    const shared = { elemType, type: 'f32' } as const;
    return {
      x: { ...shared, scale: x, zeroPoint: xZero },
      y: { ...shared, scale: y, zeroPoint: yZero },
      shifted: { scale: Math.fround(slope * x), zeroPoint: shiftedZero },
      gate: { scale: Math.fround(1 / 255), zeroPoint: low },
    };
  });

/** The integers that ONNX Runtime computes for all integers. */
async function computed({ x, y, shifted, gate }: QlinearMish): Promise<number[]> {
  const low = LOWEST[x.elemType] ?? 0;
  const zero = (name: string, at: number) => ({
    ...{ name, dataType: x.elemType, dims: [] },
    rawData: Uint8Array.of(at & 255),
  });
  const all = { x, y, s: shifted, g: gate };
  const session = await load(
    model({
      nodes: [
        node('QLinearSigmoid', ['q', 's_s', 's_z', 'g_s', 'g_z'], ['gate'], {}, domain),
        node('QLinearMul', ['q', 'x_s', 'x_z', 'gate', 'g_s', 'g_z', 'y_s', 'y_z'], ['r'], {}, domain),
        node('Cast', ['r'], ['y'], { to: 1 }),
      ],
      domains: { 'com.microsoft': 1 },
      initializers: [
        ...Object.entries(all).flatMap(([name, one]) => [
          floats(`${name}_s`, [], [one.scale]),
          zero(`${name}_z`, one.zeroPoint),
        ]),
        {
          ...{ name: 'q', dataType: x.elemType, dims: [256] },
          rawData: Uint8Array.from({ length: 256 }, (_, at) => low + at),
        },
      ],
      inputs: [value('unused', 1, [1])],
      outputs: [value('y', 1, [256])],
    }),
  );
  const { Tensor } = await import('onnxruntime-node');
  const { y: out } = await session.run({ unused: new Tensor('float32', [0], [1]) });
  await session.release();
  return Array.from(out?.data as Float32Array);
}

test('the result on integers is that of ONNX Runtime, also where it lies halfway', async () => {
  await fc.assert(
    fc.asyncProperty(parts, async (mish) => {
      const low = LOWEST[mish.x.elemType] ?? 0;
      const expected = await computed(mish);
      const found = expected.map((_, at) => qlinearAt(low + at, mish) / mish.y.scale + mish.y.zeroPoint);
      expect(found.map(Math.round)).toEqual(expected);
    }),
    { seed: 27, numRuns: 120 },
  );
});
