import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { calibrate } from '../../src/node/calibrate-files.js';
import { bytesOf } from '../support/models.js';
import { wasmProvider } from '../support/wasm-provider.js';

test('calibrate with gradient steps gives the same bytes on every machine and in every version', async () => {
  const { output, report } = await calibrate(bytesOf('models/lenet5.onnx'), {
    data: (inputs) => seededFeeds(inputs, { seed: 1, count: 3, dims: { N: 8 } }),
    ...{ beta: 1, rows: 32, methods: ['bias'], steps: 6, seed: 3, provider: wasmProvider() },
    // The smaller layers, since WebAssembly is slow.
    layers: ({ weight }) => (weight.tensor.dims[1] ?? 0) <= 120,
  });
  expect(report.kept).toBe('calibrated');
  expect(report.tuning?.after).toBeLessThan(report.tuning?.before ?? 0);
  const hash = createHash('sha256').update(await output.bytes());
  expect(hash.digest('hex')).toBe('8611c47614c5c4506fe533be8676a1a3c93f47570217150ab5caaf423eb5f6e0');
});
