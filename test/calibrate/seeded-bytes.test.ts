import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { bytesOf } from '../support/models.js';
import { wasmProvider } from '../support/wasm-provider.js';

test('calibrate with gradient steps gives the same bytes on every machine and in every version', async () => {
  const { output, report } = await calibrate(bytesOf('models/lenet5.onnx'), {
    data: (inputs) => seededFeeds(inputs, { seed: 1, count: 4, dims: { N: 8 } }),
    ...{ rows: 32, methods: ['bias'], steps: 8, seed: 3, provider: wasmProvider() },
  });
  expect(report.kept).toBe('calibrated');
  expect(report.tuning?.after).toBeLessThan(report.tuning?.before ?? 0);
  const hash = createHash('sha256').update(await output.bytes());
  expect(hash.digest('hex')).toBe('e771bdf73f82a7101224bebd27550e986298c5fdba759c2739a5a856c787dddc');
});
