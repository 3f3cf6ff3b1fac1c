import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyPatch } from '../../src/onnx/apply-patch.js';
import { toSource } from '../../src/onnx/source.js';
import { type Replacement, replace } from '../../src/onnx/splice.js';
import { inversePatch } from '../../src/onnx/undo-record.js';

const bytesOf = (...bytes: number[]) => Uint8Array.from(bytes);

/** A source, and replacements that do not overlap. */
const splices = fc
  .tuple(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(fc.tuple(fc.nat(60), fc.nat(8), fc.uint8Array({ maxLength: 8 })), { maxLength: 5 }),
  )
  .map(([source, wanted]) => {
    const replacements: Replacement[] = [];
    let at = 0;
    for (const [start, length, bytes] of wanted.toSorted((a, b) => a[0] - b[0])) {
      if (start < at || start + length > source.length) continue;
      replacements.push({ start, end: start + length, bytes });
      at = start + length + 1;
    }
    return { source, replacements };
  });

describe('a patch', () => {
  test('restores the source after any replacement and any append', async () => {
    await fc.assert(
      fc.asyncProperty(
        splices,
        fc.uint8Array({ maxLength: 9 }),
        async ({ source, replacements }, appended) => {
          const spliced = replace(toSource(source), replacements);
          const written = Uint8Array.from([...(await spliced.bytes()), ...appended]);
          const { output: again } = await applyPatch(toSource(written), await inversePatch(spliced, '1:'));
          expect(Buffer.compare(await again.bytes(), source)).toBe(0);
        },
      ),
      { numRuns: 300, seed: 3 },
    );
  });

  const source = bytesOf(10, 11, 12, 13, 14, 15);
  const spliced = replace(toSource(source), [
    { start: 1, end: 3, bytes: bytesOf(200, 201, 202) },
    { start: 5, end: 6, bytes: bytesOf(203) },
  ]);
  const refused = {
    code: 'cannot-undo',
    where: 'file',
    what: expect.stringContaining('changed since'),
    fix: expect.stringMatching(/original file/),
  };
  const apply = async (bytes: Uint8Array, record: string) =>
    (await applyPatch(toSource(bytes, 'file'), record)).output.bytes();

  test('detects a change of any byte that it drops', async () => {
    const [written, record] = [await spliced.bytes(), await inversePatch(spliced, '1:')];
    for (const at of [1, 2, 3, 6]) {
      await expect(apply(written.with(at, 7), record)).rejects.toMatchObject(refused);
    }
    await expect(apply(written.subarray(0, -1), record)).rejects.toMatchObject(refused);
  });

  test('has the FNV-1a of what it takes out, so that other programs can check it', async () => {
    const hello = replace(toSource(bytesOf()), [
      { start: 0, end: 0, bytes: new TextEncoder().encode('foobar') },
    ]);
    // http://www.isthe.com/chongo/tech/comp/fnv/ has this value.
    expect(JSON.parse(await inversePatch(hello, '1:'))).toEqual({
      v: 1,
      size: 6,
      check: 0xbf9cf968,
      edits: [[0, 6, '']],
      original: { size: 0, structure: '1:', digest: '-'.repeat(64) },
    });
  });

  test.each<[string, (patch: Record<string, unknown>) => unknown]>([
    ['of another version', (patch) => ({ ...patch, v: 2 })],
    ['without a size', ({ size, ...patch }) => patch],
    ['with a negative size', (patch) => ({ ...patch, size: -1 })],
    ['of a longer file', (patch) => ({ ...patch, size: 100 })],
    ['without a checksum', ({ check, ...patch }) => patch],
    ['with a checksum that is no number', (patch) => ({ ...patch, check: '1' })],
    ['without edits', ({ edits, ...patch }) => patch],
    ['with edits that are no list', (patch) => ({ ...patch, edits: {} })],
    ['with an edit that is no list', (patch) => ({ ...patch, edits: [{ 0: 1, 1: 3, 2: '' }] })],
    [
      'with a negative distance',
      (patch) => ({
        ...patch,
        edits: [
          [-1, 3, ''],
          [4, 1, ''],
        ],
      }),
    ],
    ['with a fraction', (patch) => ({ ...patch, edits: [[1, 2.5, '']] })],
    [
      'with bytes that are no text',
      (patch) => ({
        ...patch,
        edits: [
          [1, 3, 7],
          [2, 1, ''],
        ],
      }),
    ],
    [
      'with bytes that are no base64',
      (patch) => ({
        ...patch,
        edits: [
          [1, 3, '*'],
          [2, 1, ''],
        ],
      }),
    ],
    [
      'with an edit beyond the end',
      (patch) => ({
        ...patch,
        edits: [
          [1, 3, ''],
          [2, 9, ''],
        ],
      }),
    ],
    ['with an original that is no object', (patch) => ({ ...patch, original: 7 })],
    [
      'with an original of another size',
      ({ original, ...patch }) => ({ ...patch, original: { ...(original as object), size: 5 } }),
    ],
    [
      'with a digest that is none',
      ({ original, ...patch }) => ({ ...patch, original: { ...(original as object), digest: 'x' } }),
    ],
    [
      'with another digest',
      ({ original, ...patch }) => ({
        ...patch,
        original: { ...(original as object), digest: '0'.repeat(64) },
      }),
    ],
    [
      'with a structure that is no text',
      ({ original, ...patch }) => ({ ...patch, original: { ...(original as object), structure: 1 } }),
    ],
    ['that is null', () => null],
    ['that is a number', () => 7],
    ['that is a list', () => []],
  ])('is refused %s', async (_, change) => {
    const [written, record] = [await spliced.bytes(), await inversePatch(spliced, '1:')];
    expect(await apply(written, record)).toEqual(source);
    await expect(apply(written, JSON.stringify(change(JSON.parse(record))))).rejects.toMatchObject(refused);
    await expect(apply(written, '{')).rejects.toMatchObject(refused);
  });
});

test('bytes of any length come back', async () => {
  for (const length of [0, 1, 3 * 2 ** 13 - 1, 3 * 2 ** 13, 3 * 2 ** 13 + 1, 200_000]) {
    const source = Uint8Array.from({ length: length + 2 }, (_, at) => (at * 31) % 256);
    const spliced = replace(toSource(source), [{ start: 1, end: length + 1, bytes: bytesOf(7) }]);
    const { output: again } = await applyPatch(
      toSource(await spliced.bytes()),
      await inversePatch(spliced, '1:'),
    );
    expect(Buffer.compare(await again.bytes(), source)).toBe(0);
  }
});

test('a record that no string could hold is refused before it is read', async () => {
  const read = () => Promise.reject(new Error('it was read'));
  const source = { name: 'huge', size: 9e8, read };
  const spliced = (length: number) => replace(source, [{ start: 5e8, end: 5e8 + length, bytes: bytesOf() }]);
  await expect(inversePatch(spliced(375_000_001), '1:')).rejects.toMatchObject({
    code: 'bad-usage',
    what: 'the undo record would be larger than 500 MB',
    where: 'huge',
    fix: expect.stringContaining('Leave it out'),
    option: { undo: false },
  });
  await expect(inversePatch(spliced(374_999_000), '1:')).rejects.toThrow('it was read');
});
