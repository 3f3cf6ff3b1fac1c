import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { sha256, sha256Bytes } from '../../src/base/sha256.js';

const ofNode = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex');

test('the SHA-256 is that of Node, with Web Crypto and without it, as on a page from plain HTTP', async () => {
  const subtle = crypto.subtle;
  onTestFinished(() => void vi.unstubAllGlobals());
  // The lengths around the end of a block, at offsets in their buffer, and others.
  const length = fc.oneof(fc.integer({ min: 0, max: 130 }), fc.integer({ min: 0, max: 5000 }));
  const bytes = length.chain((size) => fc.uint8Array({ minLength: size, maxLength: size }));
  for (const has of [true, false]) {
    vi.stubGlobal('crypto', has ? { subtle } : {});
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 0, max: 9 }), async (data, offset) => {
        const part = data.subarray(Math.min(offset, data.length));
        expect(await sha256(part)).toBe(ofNode(part));
        expect(Buffer.from(await sha256Bytes(part)).toString('hex')).toBe(ofNode(part));
      }),
      { numRuns: 150 },
    );
    expect(await sha256('Mish ✓')).toBe(ofNode('Mish ✓'));
  }
});
