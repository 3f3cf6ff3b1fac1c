import { describe, expect, test } from 'vitest';
import { sniff } from '../../src/onnx/sniff.js';

const bytes = (...parts: (string | number)[]) =>
  Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'number' ? [part] : [...part].map((char) => char.charCodeAt(0)),
    ),
  );

test.each([
  ['PNG', bytes(0x89, 'PNG\r\n')],
  ['JPEG', bytes(0xff, 0xd8, 0xff)],
  ['the end of a character', bytes(0xa9, 'text')],
])('a few bytes of %s are not called text', (_, whole) => {
  for (let length = 1; length <= whole.length; length++)
    expect(sniff(whole.subarray(0, length))?.what ?? '').not.toContain('text');
});

test.each(['é', 'ж', '日本', '😀'])('text may begin with %s', (text) => {
  expect(sniff(new TextEncoder().encode(`${text} = 1`))?.what).toContain('text file');
});

describe('a file is recognised by its first bytes', () => {
  test.each<[RegExp, RegExp, Uint8Array]>([
    [/empty/, /finished/, bytes()],
    [/ORT format/, /convert the swapped model again/, bytes(8, 0, 0, 0, 'ORTM')],
    [/TensorFlow Lite/, /tf2onnx/, bytes(8, 0, 0, 0, 'TFL3')],
    [/zip archive/, /Unpack it.*export/, bytes('PK', 3, 4, 20, 0)],
    [/gzip/, /Unpack/, bytes(0x1f, 0x8b, 8)],
    [/Zstandard/, /Unpack/, bytes(0x28, 0xb5, 0x2f, 0xfd, 0)],
    [/xz archive/, /Unpack/, bytes(0xfd, '7zXZ', 0)],
    [/HDF5/, /tf2onnx/, bytes(0x89, 'HDF', 13, 10)],
    [/pickle/, /torch\.onnx\.export/, bytes(0x80, 2, 0x7d)],
    [/pickle/, /torch\.onnx\.export/, bytes(0x80, 5, 0x95)],
    [/HTML/, /Download the file itself/, bytes(' \n<!DOCTYPE html>')],
    [/HTML/, /Download/, bytes('<head><title>404')],
    [/JSON/, /\.onnx file/, bytes('\n { "a": 1 }')],
    [/JSON/, /\.onnx file/, bytes('[1]')],
    [/text file/, /onnxtxt/, bytes('ir_version: 8 {')],
    [/text file/, /onnxtxt/, bytes('see <html> and [1] below')],
  ])('%s', (what, fix, head) => {
    expect(sniff(head)).toMatchObject({ what: expect.stringMatching(what), fix: expect.stringMatching(fix) });
  });

  test('or may be a model that is damaged', () => {
    expect(sniff(bytes(8, 7, 18, 4, 'test', 0))).toBeUndefined();
  });

  test.each([
    ['a pickle of no protocol', bytes(0x80, 1, 0x7d)],
    ['a pickle of a protocol to come', bytes(0x80, 6, 0x7d)],
    ['the first byte of a pickle', bytes(0x80, 0)],
    ['a number that is no pickle’s', bytes(0x90, 3, 1)],
    ['JSON with binary after it', bytes('{', 0, 1)],
    ['an archive that begins later', bytes(0, 'PK', 3, 4)],
    ['PK and something else', bytes('PK', 9, 9, 0)],
    ['text and a control character', bytes('text', 0x1b)],
    ['text and DEL', bytes('text', 0x7f)],
  ])('or is of another kind, which has no name: %s', (_, head) => {
    expect(sniff(head)?.what).toBe('this is not an ONNX model: no model begins with these bytes');
  });
});
