import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeFinetuneCheckpoint,
  encodeFinetuneCheckpoint,
  type FinetuneCheckpoint,
} from '../../src/finetune/checkpoint.js';
import { FINETUNE_REPORT } from '../support/finetune-report.js';

const [first, second] = FINETUNE_REPORT.runs;
if (first === undefined || second === undefined) throw new Error('the report has no runs');

const checkpoint: FinetuneCheckpoint = {
  ...{ digest: 'abc', seconds: 12.5, before: first.before, isRepaired: true, notes: ['a note'] },
  runs: [
    { run: first, losses: [0.5, 1e-7], correct: [1, 0] },
    { run: second, losses: [0.25], correct: null },
  ],
  start: Uint8Array.of(1, 2, 3),
  finished: [Uint8Array.of(4), undefined],
  current: Uint8Array.of(5, 6),
};
const bytes = encodeFinetuneCheckpoint(checkpoint);

test('a checkpoint is read as it was written', () => {
  expect(decodeFinetuneCheckpoint(bytes)).toEqual(checkpoint);
});

test('any change and any cut gives one error', () => {
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ change;
      for (const wrong of [damaged, bytes.subarray(0, at)])
        expect(() => decodeFinetuneCheckpoint(wrong)).toThrow(expect.objectContaining({ code: 'bad-data' }));
    }),
    { seed: 2, numRuns: 300 },
  );
});

test('a header that lies with a right checksum gives one error', async () => {
  const { crc32 } = await import('../../src/base/crc32.js');
  const forged = (change: (text: string) => string) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const length = view.getUint32(23, true);
    const text = change(new TextDecoder().decode(bytes.subarray(27, 27 + length)));
    const header = new TextEncoder().encode(text);
    const out = new Uint8Array(bytes.length - length + header.length);
    out.set(bytes.subarray(0, 27));
    out.set(header, 27);
    out.set(bytes.subarray(27 + length), 27 + header.length);
    const to = new DataView(out.buffer);
    to.setUint32(23, header.length, true);
    to.setUint32(out.length - 4, crc32(out.subarray(0, out.length - 4)), true);
    return out;
  };
  expect(decodeFinetuneCheckpoint(forged((text) => text))).toEqual(checkpoint);
  for (const change of [
    (text: string) => text.replace('"start":3', '"start":4000000000'),
    (text: string) => text.replace('"start":3', '"start":-3'),
    (text: string) => text.replace('"start":3', '"start":2'),
    (text: string) => text.replace('"finished":[1,null]', '"finished":[1]'),
    (text: string) => text.replace('"seconds":12.5', '"seconds":"long"'),
    () => 'no JSON',
    () => '[]',
  ]) {
    expect(() => decodeFinetuneCheckpoint(forged(change))).toThrow(
      expect.objectContaining({ code: 'bad-data', what: 'the checkpoint is damaged' }),
    );
  }
});
