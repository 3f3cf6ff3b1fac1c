import { expect, test } from 'vitest';
import { BUDGET, bundle } from '../bench/size.js';

test('the core stays within its budget', async () => {
  const { bytes, code } = await bundle('*');
  expect(bytes).toBeLessThanOrEqual(BUDGET);
  expect(code).not.toMatch(/\beval\(|new Function|from ?"node:/);
});

test('a bundle of inspect leaves out what writes', async () => {
  const [one, all] = await Promise.all([bundle('inspect'), bundle('*')]);
  expect(one.bytes).toBeLessThan(0.85 * all.bytes);
});
