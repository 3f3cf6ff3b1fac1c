import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32 } from '../../src/base/crc32.js';
import { OnnxMishError } from '../../src/base/error.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '../../src/train/checkpoint.js';

const epoch = {
  ...{ epoch: 1, loss: 0.5, accuracy: 0.25, rate: 0.001, seconds: 2, steps: 3 },
  validation: { loss: 0.75, accuracy: null },
};
const checkpoint: Checkpoint = {
  ...{ digest: 'ab12', epochs: [epoch, { ...epoch, epoch: 2, validation: null }], best: 1 },
  state: new Map([
    ['w', Float32Array.of(1.5, -0, Number.MIN_VALUE, 3e38)],
    ['', new Float32Array(0)],
    ['onnx-mish/train/mean/ü', Float32Array.of(0.1)],
  ]),
  bestWeights: new Map([['w', Float32Array.of(4, 3, 2, 1)]]),
};

/** Gives altered bytes the right checksum. */
function sealed(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - 4;
  new DataView(bytes.buffer).setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

/** The bytes of a checkpoint with another header. */
function withHeader(change: (header: Record<string, unknown>) => unknown): Uint8Array {
  const bytes = encodeCheckpoint(checkpoint);
  const view = new DataView(bytes.buffer);
  const length = view.getUint32(20, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(24, 24 + length)));
  const text = new TextEncoder().encode(JSON.stringify(change(header)));
  const out = new Uint8Array(bytes.length - length + text.length);
  out.set(bytes.subarray(0, 24));
  out.set(text, 24);
  out.set(bytes.subarray(24 + length), 24 + text.length);
  new DataView(out.buffer).setUint32(20, text.length, true);
  return sealed(out);
}

const refusal = (bytes: Uint8Array) => {
  try {
    decodeCheckpoint(bytes);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(OnnxMishError);
    return error as OnnxMishError;
  }
};

test('a checkpoint is read as it was written, wherever its bytes lie', () => {
  const bytes = encodeCheckpoint(checkpoint);
  expect(decodeCheckpoint(bytes)).toEqual(checkpoint);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(decodeCheckpoint(shifted.subarray(3))).toEqual(checkpoint);
  expect(encodeCheckpoint(decodeCheckpoint(bytes))).toEqual(bytes);
});

describe('a checkpoint is refused', () => {
  test('if it is cut, at every length', () => {
    const bytes = encodeCheckpoint(checkpoint);
    for (let length = 0; length < bytes.length; length++)
      expect(refusal(bytes.slice(0, length))?.code, `${length} bytes`).toBe('bad-data');
  });

  test('if a byte is different', () => {
    const bytes = encodeCheckpoint(checkpoint);
    for (let at = 0; at < bytes.length; at++)
      expect(refusal(bytes.with(at, (bytes[at] ?? 0) ^ 64))?.code, `byte ${at}`).toBe('bad-data');
  });

  test('if it is of another version', () => {
    const bytes = encodeCheckpoint(checkpoint);
    new DataView(bytes.buffer).setUint32(16, 2, true);
    expect(refusal(sealed(bytes))?.what).toBe('the checkpoint has version 2');
  });

  test.each<[string, (header: Record<string, unknown>) => unknown]>([
    ['its header is no object', () => null],
    ['its header is a list', () => []],
    ['a name is no text', (header) => ({ ...header, state: [[7, 4]] })],
    ['a length is negative', (header) => ({ ...header, state: [['w', -4]] })],
    ['a length is a fraction', (header) => ({ ...header, state: [['w', 0.5]] })],
    ['a length is larger than the bytes', (header) => ({ ...header, state: [['w', 2 ** 40]] })],
    ['lengths are too small', (header) => ({ ...header, bestWeights: [['w', 1]] })],
    ['epochs are missing', (header) => ({ ...header, epochs: undefined })],
    ['an epoch is null', (header) => ({ ...header, epochs: [null] })],
    ['epochs are out of order', (header) => ({ ...header, epochs: [{ ...epoch, epoch: 2 }] })],
    [
      'a validation has no loss',
      (header) => ({ ...header, epochs: [{ ...epoch, validation: {} }], best: 1 }),
    ],
    ['the best epoch is to come', (header) => ({ ...header, best: 3 })],
    ['the digest is missing', (header) => ({ ...header, digest: 1 })],
  ])('if %s', (_, change) => {
    expect(refusal(withHeader(change))).toMatchObject({
      code: 'bad-data',
      what: 'the checkpoint is damaged',
    });
  });

  test('whatever its header and its bytes are', () => {
    fc.assert(
      fc.property(fc.json(), fc.uint8Array({ maxLength: 64 }), (json, rest) => {
        refusal(withHeader(() => JSON.parse(json)));
        refusal(rest);
        const bytes = encodeCheckpoint(checkpoint);
        bytes.set(rest.subarray(0, bytes.length - 40), 20);
        refusal(sealed(bytes));
      }),
      { seed: 16, numRuns: 200 },
    );
  });
});
