import { expect, test, vi } from 'vitest';
import type { CalibrateOptions } from '../../src/calibrate/options.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { bytesOf } from '../support/models.js';

const data = (inputs: Parameters<typeof seededFeeds>[0]) =>
  seededFeeds(inputs, { seed: 1, count: 8, dims: { N: 8 } });

/** Calibrates on a machine whose clock advances by this many seconds whenever it is read. */
async function onSlowMachine(seconds: number, options: Pick<CalibrateOptions, 'steps' | 'methods'> = {}) {
  const real = performance.now.bind(performance);
  let reads = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => real() + 1000 * seconds * reads++);
  try {
    return await calibrate(bytesOf('models/lenet5.onnx'), { data, rows: 64, beta: 1, ...options });
  } finally {
    clock.mockRestore();
  }
}

test('when the time is over, the other layers stay and are told, no steps are made, and the result is no worse', async () => {
  const { report } = await onSlowMachine(24);
  const late = report.leftAlone.filter(({ why }) => why === 'the time was over');
  expect(late.length).toBeGreaterThan(0);
  expect(report.layers.length).toBeGreaterThan(0);
  expect(late.length + report.layers.length).toBe(4);
  expect(report.notes).toContain('no gradient steps: the time was over');
  const [before, after] = [report.swapped, report.calibrated].map(({ drift }) => drift[0]?.sqnr ?? 0);
  expect(after).toBeGreaterThan(before ?? 0);
});

test('a number of steps is made whatever the clock tells', async () => {
  const { report } = await onSlowMachine(60, { steps: 3, methods: ['bias'] });
  expect(report.leftAlone).toEqual([]);
  expect(report.tuning?.steps).toBe(3);
});
