import { expect, test } from 'vitest';
import { experiment } from '../../src/node/experiment.js';
import { classifier } from '../support/classified.js';
import { labelledSamples } from '../support/experiment.js';

test('an experiment in this process tells its epochs and runs, and gives a report', async () => {
  const events: string[] = [];
  const report = await experiment(classifier(), {
    ...{ data: labelledSamples(100), activations: ['relu', 'silu'], epochs: 2, seeds: 1, landscape: false },
    onEvent: ({ kind, key }) => void events.push(`${kind} ${key.activation}`),
  });
  expect(events).toEqual(
    ['relu', 'swish'].flatMap((name) => [`epoch ${name}`, `epoch ${name}`, `run ${name}`]),
  );
  expect(report.settings).toMatchObject({ activations: ['relu', 'swish'], epochs: 2, batch: 64 });
  expect(report.data).toMatchObject({ train: 90, test: 10, testFrom: 'data' });
  expect(report.hosts[0]?.onnxruntime).toMatch(/^\d/);
});
