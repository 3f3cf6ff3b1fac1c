import { expect, test, vi } from 'vitest';
import { createRandom } from '../../../src/base/random.js';
import { type LayerLoad, planSamples, workOf } from '../../../src/calibrate/repair/layer-samples.js';
import { samplePlan } from '../../../src/calibrate/repair/sample-plan.js';
import { affordableWork, PART_SECONDS, secondsFor } from '../../../src/calibrate/work/budget.js';

const SECONDS = PART_SECONDS.rows;
const MOST = SECONDS + PART_SECONDS.large;
const LIMITS = { rows: 15_000, available: 100_000 };

/** Returns convolutions of which a sample takes up to `most` seconds. */
function loadsOf(count: number, most: number, seed: number): LayerLoad[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => ({
    geometry: { groups: 1, depth: Math.ceil(400 * random()), outputs: 8 },
    rowsOfSample: 20_000,
    work: affordableWork(most * random()),
  }));
}

/** Solves all layers `slowness` times slower than planned, after `overhead` seconds each. Returns samples and seconds. */
function solved(loads: readonly LayerLoad[], slowness: number, overhead: number, most = MOST) {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const start = performance.now();
    const plan = samplePlan(loads, { ...LIMITS, share: 1, deadline: start + 1000 * most });
    const samples = loads.map((load) => {
      const count = plan.next();
      vi.advanceTimersByTime(1000 * (overhead + slowness * secondsFor(workOf(load, count))));
      return count;
    });
    return { samples, seconds: (performance.now() - start) / 1000 };
  } finally {
    vi.useRealTimers();
  }
}

test('layers that take as long as planned get the planned samples, and so do all without a limit by the clock', () => {
  for (const [seed, most] of [
    [1, 0.001],
    [2, 0.02],
    [3, 0.1],
  ] as const) {
    const loads = loadsOf(12, most, seed);
    const planned = planSamples(loads, { ...LIMITS, seconds: SECONDS });
    expect(solved(loads, 1, 0.5).samples).toEqual(planned);
    expect(solved(loads, 40, 3, Number.POSITIVE_INFINITY).samples).toEqual(planned);
  }
});

test('a deadline that is nearer leaves fewer samples', () => {
  const loads = loadsOf(12, 0.1, 1);
  const { samples, seconds } = solved(loads, 1, 0.1, 15);
  expect(seconds).toBeLessThan(30);
  expect(samples.at(-1)).toBeLessThan(solved(loads, 1, 0.1).samples.at(-1) ?? 0);
});

test('slow layers leave the others fewer samples, so that the time is kept but for the least that each needs', () => {
  for (const [seed, slowness] of [
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 8],
  ] as const) {
    const loads = loadsOf(12, 0.1, seed);
    const planned = planSamples(loads, { ...LIMITS, seconds: SECONDS });
    const { samples, seconds } = solved(loads, slowness, 0.2);
    expect(samples[0]).toBe(planned[0]);
    expect(samples.at(-1)).toBeLessThan(planned.at(-1) ?? 0);
    const least = loads.reduce((sum, load) => sum + slowness * secondsFor(workOf(load, 4)), 0);
    const first = slowness * secondsFor(workOf(loads[0] as LayerLoad, planned[0] ?? 0));
    expect(seconds).toBeLessThan(MOST * 1.1 + least + first);
    for (const count of samples) expect(count).toBeGreaterThan(0);
  }
});

test('a layer that takes all of the time does not leave the last ones a few samples only', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const loads = loadsOf(6, 0.02, 7);
    const planned = planSamples(loads, { ...LIMITS, seconds: SECONDS });
    const start = performance.now();
    const plan = samplePlan(loads, { ...LIMITS, share: 1, deadline: start + 1000 * MOST });
    for (const [at, load] of loads.entries()) {
      const count = plan.next();
      expect(count).toBeGreaterThan(0.05 * (planned[at] ?? 0));
      // At a usual speed but for the third, in whose time another program had the machine.
      vi.advanceTimersByTime(1000 * (secondsFor(workOf(load, count)) + (at === 2 ? MOST : 0)));
    }
  } finally {
    vi.useRealTimers();
  }
});
