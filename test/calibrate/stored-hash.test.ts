import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { calibrate } from '../../src/calibrate/calibrate.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { wasmProvider } from '../support/wasm-provider.js';

/** WebAssembly and the repair in JavaScript give the same bytes on every machine. */
const STORED = {
  mlp: 'b23396cdd16ad9b82db83e3207434e013db2330f997e8ffe04d45671e0fc2fe7',
  lenet5: 'e771bdf73f82a7101224bebd27550e986298c5fdba759c2739a5a856c787dddc',
};

test.each(Object.entries(STORED))('the bytes of a calibrated %s are the stored ones', async (name, stored) => {
  const bytes = new Uint8Array(readFileSync(new URL(`../../models/${name}.onnx`, import.meta.url)));
  const { output, report } = await calibrate(bytes, {
    data: (inputs) => seededFeeds(inputs, { seed: 1, count: 4, dims: { N: 8 } }),
    ...{ rows: 32, methods: ['bias'], steps: 8, seed: 3, provider: wasmProvider() },
  });
  expect(report.kept).toBe('calibrated');
  expect(report.tuning?.after).toBeLessThan(report.tuning?.before ?? 0);
  expect(createHash('sha256').update(await output.bytes()).digest('hex')).toBe(stored);
});
