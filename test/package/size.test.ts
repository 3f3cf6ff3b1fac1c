import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BUDGET, bundle, inOneFile } from '../bench/size.js';
import { bytesOf } from '../support/models.js';

test('the core stays within its budget', async () => {
  const { bytes, code } = await bundle('*');
  expect(bytes).toBeLessThanOrEqual(BUDGET);
  expect(code).not.toMatch(/\beval\(|new Function|from ?"node:/);
});

test('a bundle of inspect leaves out what writes', async () => {
  const [one, all] = await Promise.all([bundle('inspect'), bundle('*')]);
  expect(one.bytes).toBeLessThan(0.85 * all.bytes);
});

test('the core in one file, as benchmarks and conformance take it into a page, swaps a model', async () => {
  const code = await inOneFile('swap');
  const core = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
  const { report } = await core.swap(
    bytesOf(fileURLToPath(new URL('../../models/lenet5.onnx', import.meta.url))),
    { form: 'exp' },
  );
  expect(report.sites).toHaveLength(4);
});
