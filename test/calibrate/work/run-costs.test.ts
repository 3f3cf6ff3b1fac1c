import { expect, test } from 'vitest';
import { fitRuns } from '../../../src/calibrate/work/fit-runs.js';
import { measureRunCosts } from '../../../src/calibrate/work/run-costs.js';
import { seededFeeds } from '../../../src/data/dataset.js';
import { scan } from '../../../src/onnx/scan.js';
import { editableModel } from '../../../src/providers/loaded-model.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import { bytesOf } from '../../support/models.js';

const provider = nodeProvider('cpu');
const data = (batch: number) =>
  seededFeeds([{ name: 'images', elemType: 'f32', dims: ['N', 1, 28, 28] }], {
    count: 2,
    dims: { N: batch },
  });

test('the work and sizes of LeNet-5 are those of its layers, whatever the batch', async () => {
  const model = editableModel(await scan(bytesOf('models/lenet5.onnx')));
  const [one, many] = [
    await measureRunCosts(model, data(1).feeds, { provider }),
    await measureRunCosts(model, data(8).feeds, { provider }),
  ];
  // 5 × 5 kernels and three dense layers: the multiplications of the layers, and a share for what is elementwise.
  const layers = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10;
  expect(one.work).toBeGreaterThan(layers);
  expect(one.work).toBeLessThan(2 * layers);
  expect(one.largest).toBe(28 * 28 * 6);
  expect(many.work).toBe(one.work);
  expect(many.elements).toBe(one.elements);
  expect([one.batch, one.splits, many.batch, many.splits]).toEqual([1, false, 8, true]);
});

test('runs are split only as far as their largest tensor asks, and never where they take little memory', async () => {
  const model = editableModel(await scan(bytesOf('models/lenet5.onnx')));
  const dataset = data(8);
  const costs = await measureRunCosts(model, dataset.feeds, { provider });
  expect(fitRuns(dataset, costs).dataset).toBe(dataset);
  const large = fitRuns(dataset, { ...costs, largest: 2 ** 22 });
  expect([large.dataset.feeds.length, large.costs.batch]).toEqual([8, 2]);
  const fixed = { ...costs, largest: 2 ** 30, splits: false };
  expect(fitRuns(dataset, fixed).dataset).toBe(dataset);
});
