import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { parseNpy } from '../../src/data/npy.js';
import { readSamples } from '../../src/node/read-samples.js';
import { npy, raw } from '../support/numpy.js';

const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, data: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

async function arrays(path: string) {
  const samples = await readSamples(path);
  if (samples.kind !== 'arrays') throw new Error('no arrays');
  return new Map([...samples.files].map(([name, bytes]) => [name, parseNpy(bytes, name)]));
}

/**
 * numpy 2.4.6: numpy.savez_compressed(file, x=numpy.asfortranarray(numpy.arange(6, dtype='f4').reshape(2, 3)),
 * y=numpy.array([1, 2**60 + 1]), h=numpy.array([1.5, -2], dtype='f2')): deflated, with zip64 local headers.
 */
const NPZ = Buffer.from(
  [
    'UEsDBC0AAAAIAAAAIQDOLODT//////////8FABQAeC5ucHkBABAAmAAAAAAAAABWAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxc',
    'pG6loG6TZqKuo6Cell9UUpSYF59flJIKEg8pKk0FChdnJBakArkaRjoKxpo6CrUK5AMuBjBwcGBgaLAHYgcQh4FhgQMAUEsD',
    'BC0AAAAIAAAAIQCL6yR6//////////8FABQAeS5ucHkBABAAkAAAAAAAAABKAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6l',
    'oG6TaaGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC5GBgiA0gIAUEsDBC0AAAAIAAAAIQCzwYIM',
    '//////////8FABQAaC5ucHkBABAAhAAAAAAAAABIAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqSuo6Cell9UUpSY',
    'F59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC4GO4YDAFBLAQItAy0AAAAIAAAAIQDOLODTVgAAAJgAAAAFAAAAAAAA',
    'AAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQCL6yR6SgAAAJAAAAAFAAAAAAAAAAAAAACAAY0AAAB5Lm5weVBLAQIt',
    'Ay0AAAAIAAAAIQCzwYIMSAAAAIQAAAAFAAAAAAAAAAAAAACAAQ4BAABoLm5weVBLBQYAAAAAAwADAJkAAACNAQAAAAA=',
  ].join(''),
  'base64',
);

describe('an .npz that NumPy wrote', () => {
  test('gives its arrays, in row-major order and to the last bit', async () => {
    expect(Object.fromEntries(await arrays(file('numpy.npz', NPZ)))).toEqual({
      x: { elemType: 'f32', dims: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
      y: { elemType: 'i64', dims: [2], data: BigInt64Array.of(1n, 2n ** 60n + 1n) },
      h: { elemType: 'f16', dims: [2], data: Uint16Array.of(0x3e00, 0xc000) },
    });
  });

  test('cut anywhere is refused, not misread', async () => {
    for (let length = 0; length < NPZ.length; length += 7) {
      const path = file('cut.npz', NPZ.subarray(0, length));
      await expect(readSamples(path), `${length} bytes`).rejects.toThrow(
        expect.objectContaining({ code: 'bad-data', where: path }),
      );
    }
  });

  test('without arrays is refused', async () => {
    const empty = new Uint8Array(22);
    empty.set([0x50, 0x4b, 5, 6]); // the end of a zip archive that holds nothing
    await expect(readSamples(file('empty.npz', empty))).rejects.toThrow(/contains no \.npy/);
  });
});

test('an .npy is one array under the name of its file', async () => {
  const path = file('pictures.npy', npy('<f4', [1], raw(Float32Array.of(7))));
  expect([...(await arrays(path)).keys()]).toEqual(['pictures']);
});

describe('the ONNX test layout', () => {
  const tensor = (name: string, ...int64Data: number[]) =>
    onnx.TensorProto.encode({ name, dataType: 7, dims: [int64Data.length], int64Data }).finish();

  test('is read in the order of its numbers, with or without test_data_set folders', async () => {
    const model = join(folder, 'model');
    for (const [set, first] of [
      ['test_data_set_10', 10],
      ['test_data_set_2', 2],
    ] as const) {
      const path = join(model, set);
      mkdirSync(path, { recursive: true });
      for (let input = 0; input < 11; input++) {
        writeFileSync(join(path, `input_${input}.pb`), tensor(`i${input}`, first + input));
      }
      writeFileSync(join(path, 'output_0.pb'), tensor('y', 1));
    }
    const cases = async (path: string) => {
      const samples = await readSamples(path);
      if (samples.kind !== 'cases') throw new Error('no cases');
      return samples.cases;
    };
    const names = async (path: string) =>
      (await cases(path)).map(({ inputs, outputs }) =>
        [inputs, outputs].map((list) => list.map(({ name }) => name)),
      );
    const order = Array.from({ length: 11 }, (_, input) => `i${input}`);
    expect(await names(model)).toEqual([
      [order, ['y']],
      [order, ['y']],
    ]);
    expect(await names(join(model, 'test_data_set_2'))).toEqual([[order, ['y']]]);
    const [first] = await cases(model);
    expect(first?.inputs[0]?.data[0]).toBe(2); // set 2 before set 10
  });

  test('without inputs is refused', async () => {
    const path = join(folder, 'nothing');
    mkdirSync(path);
    await expect(readSamples(path)).rejects.toThrow(/no input_0\.pb/);
  });
});

test('what is not there or something else is refused', async () => {
  await expect(readSamples(join(folder, 'missing.npz'))).rejects.toThrow(
    expect.objectContaining({ code: 'io' }),
  );
  await expect(readSamples(file('text.npz', Buffer.from('hello')))).rejects.toThrow(/not an \.npz archive/);
});
