import fc from 'fast-check';
import { expect, test } from 'vitest';
import { driftMeter } from '../../src/metrics/drift.js';
import type { Tensor } from '../../src/providers/tensor.js';
import { judge } from '../../src/validate/thresholds.js';

/** Compares the class of each pixel, or whole numbers in a type of quantities, with those of the CPU. */
function driftOf(elemType: string, wanted: readonly number[], given: readonly number[]) {
  const tensor = (values: readonly number[]): Tensor => {
    const data = { i64: BigInt64Array.from(values, BigInt), i32: Int32Array.from(values), bool: Uint8Array.from(values), f32: Float32Array.from(values) }[elemType]; // biome-ignore format: one line
    return { elemType, dims: [1, values.length], data: data ?? new Float32Array() };
  };
  const meter = driftMeter('map');
  meter.add(tensor(wanted), tensor(given));
  return meter.result();
}

test('parity of labels is the share that differs from the CPU, or their distance as a share, whichever is less', () => {
  const places = 20_000;
  fc.assert(
    fc.property(
      fc.constantFrom('i64', 'i32', 'bool', 'f32'),
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 1, max: 30 }),
      (elemType, flips, distance) => {
        const most = elemType === 'bool' ? 1 : 1000;
        const by = elemType === 'bool' ? 1 : distance;
        const wanted = Array.from({ length: places }, (_, at) => (at % 2 === 0 ? most : 0));
        const given = wanted.map((label, at) => (at >= flips ? label : Math.abs(label - by)));
        const swapped = [driftOf(elemType, wanted, given)];
        const parity = { original: [driftOf(elemType, wanted, wanted)], swapped };
        const row = { drift: [], accuracy: null, latency: null, kernel: [], parity };
        const [verdict] = judge('wasm', row, {}).filter(({ threshold }) => threshold === 'maxParity');
        const byDistance = flips === 0 ? 0 : by / most;
        const share = elemType === 'f32' ? byDistance : Math.min(byDistance, flips / places);
        expect(verdict?.value).toBeCloseTo(share, 12);
        expect(verdict?.passed).toBe((verdict?.value ?? 1) <= 1e-4);
      },
    ),
    { seed: 2, numRuns: 15 },
  );
});
