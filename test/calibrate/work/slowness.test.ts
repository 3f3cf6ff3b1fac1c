import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { affordableSamples, affordableWork } from '../../../src/calibrate/work/budget.js';
import { measureRunCosts, withMoreWork } from '../../../src/calibrate/work/run-costs.js';
import { measureSlowness } from '../../../src/calibrate/work/slowness.js';
import { firstFeed, seededFeeds } from '../../../src/data/dataset.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import { bytesOf } from '../../support/models.js';

const provider = nodeProvider('cpu');
const inputs = [{ name: 'images', elemType: 'f32', dims: ['N', 1, 28, 28] }];
const { feeds } = seededFeeds(inputs, { count: 2, dims: { N: 4 } });
const feed = async () => (await firstFeed(feeds)) ?? {};

test('a run that takes longer than its work says counts as more work, and one that takes less as the same', async () => {
  const model = await modelFromBytes(bytesOf('models/lenet5.onnx'));
  const slowness = (seconds: number, wait = 0) =>
    measureSlowness(model, () => setTimeout(wait).then(feed), affordableWork(seconds), {
      provider,
    });
  expect(await slowness(100)).toBe(1);
  expect(await slowness(0)).toBe(1);
  for (const [wait, seconds] of [
    [20, 0.01],
    [40, 0.01],
    [30, 0.002],
  ] as const) {
    const found = await slowness(seconds, wait);
    expect(found).toBeGreaterThanOrEqual((0.95 * wait) / (1000 * seconds)); // timers may be early by a millisecond
    const costs = withMoreWork(await measureRunCosts(model, feeds, { provider }), found);
    const plain = await measureRunCosts(model, feeds, { provider });
    expect(costs.work / plain.work).toBeCloseTo(found, 6);
    expect(costs.workTo('scores') / plain.workTo('scores')).toBeCloseTo(found, 6);
    expect(costs.elementsOf('scores')).toBe(plain.elementsOf('scores'));
    expect(affordableSamples(10, costs.work)).toBeLessThan(affordableSamples(10, plain.work));
  }
});

test('an aborted measurement ends at its next run', async () => {
  const model = await modelFromBytes(bytesOf('models/lenet5.onnx'));
  const { signal, abort } = abortable();
  let feedsTaken = 0;
  const aborting = async () => {
    if (++feedsTaken === 2) abort();
    return feed();
  };
  await expect(measureSlowness(model, aborting, 1e6, { provider, signal })).rejects.toMatchObject({
    code: 'aborted',
  });
  expect(feedsTaken).toBe(2);
});

function abortable() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
