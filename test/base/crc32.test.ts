import { expect, test } from 'vitest';
import { crc32 } from '../../src/base/crc32.js';

test('the CRC-32 has the standard check value', () => {
  const content = new TextEncoder().encode('123456789');
  expect(crc32(content)).toBe(0xcbf43926);
  for (let cut = 0; cut <= content.length; cut++)
    expect(crc32(content.subarray(cut), crc32(content.subarray(0, cut)))).toBe(0xcbf43926);
});
