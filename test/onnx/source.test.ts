import { expect, test } from 'vitest';
import { swap } from '../../src/mish/swap.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { withoutDigest } from '../support/record.js';

test('bytes, a Blob and a stream are the same model', async () => {
  const bytes = new Uint8Array(bytesOf(REAL_MODELS.classifier));
  const expected = await (await swap(bytes)).output.bytes();
  for (const input of [new Blob([bytes]), new Blob([bytes]).stream()]) {
    const { output } = await swap(input);
    const written = new Uint8Array(await (await output.blob()).arrayBuffer());
    // Of a Blob or stream no weights are read, so the record has no digest of them.
    expect(Buffer.compare(withoutDigest(written), withoutDigest(expected))).toBe(0);
  }
});
