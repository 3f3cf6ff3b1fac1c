import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { freeBytes } from '../../src/base/free-bytes.js';

test('the memory of bytes is free before a garbage collection, and the array is empty', async () => {
  const bytes = new Uint8Array(2 ** 26);
  const before = process.memoryUsage().arrayBuffers;
  freeBytes(bytes);
  expect(bytes.length).toBe(0);
  await setTimeout(50);
  expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(2 ** 25);
});
