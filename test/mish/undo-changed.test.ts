import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { undo } from '../../src/mish/history.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { retargetFile, swapFile, undoFile } from '../../src/node/transform-file.js';
import { digestOf } from '../../src/onnx/digest.js';
import { STRUCTURE_VERSION, scan } from '../../src/onnx/scan.js';
import { toSource } from '../../src/onnx/source.js';
import { viewOf } from '../../src/onnx/view.js';
import { tempFolder } from '../support/folder.js';
import { swapped } from '../support/graph.js';
import { casesOf } from '../support/heavy.js';
import { floats, type ModelParts, model, modelProto, node, value } from '../support/model.js';
import { withOldRecord } from '../support/record.js';

// Whatever was changed in a swapped model, undo gives the original or refuses.

/** More than the scanner reads of a constant. */
const WEIGHTS = Array.from({ length: 400 }, (_, index) => index / 7);
const parts: ModelParts = {
  inputs: [value('x', 1, [1, 40])],
  nodes: [
    node('Mul', ['x', 'w'], ['h'], {}, { name: 'scale', docString: 'text' }),
    node('Relu', ['h'], ['a'], {}, { name: 'act' }),
    node('Pad', ['a'], ['u'], { pads: [0, 0, 0, 0], mode: { strings: ['constant'] } }),
    node('LeakyRelu', ['u'], ['y'], { alpha: { f: 0.3 } }),
  ],
  initializers: [floats('w', [400], WEIGHTS)],
};
const source = model(parts);
const blobOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]);
const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());
const refused = { code: 'cannot-undo' };

/** What undo gives, or the code of its refusal. */
async function outcome(written: Uint8Array | Blob): Promise<Uint8Array | string> {
  try {
    const undone = await undo(written);
    return written instanceof Blob ? await bytesOf(await undone.blob()) : await undone.bytes();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('from bytes', () => {
  test('no byte of the file can be changed without a refusal, unless the result is the original', async () => {
    const { bytes } = await swapped(source, { form: 'exp' });
    for (let at = 0; at < bytes.length; at++) {
      const found = await outcome(bytes.with(at, (bytes[at] ?? 0) ^ (1 + (at % 255))));
      if (typeof found === 'string') continue;
      expect(Buffer.compare(found, source), `byte ${at}`).toBe(0);
    }
  });

  test('what was changed in several places, inserted or taken out is refused as well', async () => {
    const { bytes } = await swapped(source);
    const { size } = JSON.parse(recordOf(bytes)).original;
    expect(size).toBe(source.length);
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(4), fc.uint8Array({ maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        let changed: number[] = [...bytes];
        for (const [at, drop, put] of changes) changed = changed.toSpliced(at, drop, ...put);
        const found = await outcome(Uint8Array.from(changed));
        if (typeof found !== 'string') expect(Buffer.compare(found, source)).toBe(0);
      }),
      { numRuns: casesOf(300), seed: 14 },
    );
  });

  test('weights trained further are refused, at once', async () => {
    const { bytes } = await swapped(source);
    await expect(undo(trained(bytes))).rejects.toMatchObject(refused);
  });

  test('what others append does not matter', async () => {
    const { bytes } = await swapped(source);
    const entry = onnx.ModelProto.encode({ metadataProps: [{ key: 'author', value: 'somebody' }] }).finish();
    const undone = await undo(Uint8Array.from([...bytes, ...entry]));
    expect(undone).toMatchObject({ proof: 'file', notes: [] });
    expect(await undone.bytes()).toEqual(source);
  });

  test('each of several operations is undone to what was there before it', async () => {
    const first = await swapped(source, { only: ['relu'] });
    const { output } = await retarget(first.bytes, { form: 'exp' });
    const second = await output.bytes();
    const third = await swapped(second, { only: ['leakyrelu'] });
    expect(await outcome(third.bytes)).toEqual(second);
    expect(await outcome(second)).toEqual(first.bytes);
    expect(await outcome(first.bytes)).toEqual(source);
    await expect(undo(trained(third.bytes))).rejects.toMatchObject(refused);
  });
});

/** The weights after training, in place. */
function trained(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(Buffer.from(Float32Array.from(WEIGHTS).buffer));
  expect(at).toBeGreaterThan(0);
  copy.writeFloatLE(5, at + 8);
  return new Uint8Array(copy);
}

/** The record of the last operation. */
function recordOf(bytes: Uint8Array): string {
  return onnx.ModelProto.decode(bytes).metadataProps.at(-1)?.value ?? '';
}

describe('from a Blob, whose weights nobody reads', () => {
  test('what was read is compared, the rest is said', async () => {
    const { output } = await swap(blobOf(source), { form: 'exp' });
    const written = await bytesOf(await output.blob());
    expect(recordOf(written)).toMatch(/"digest":"-{64}"}}$/);
    const undone = await undo(blobOf(written));
    expect(undone.proof).toBe('structure');
    expect(undone.notes).toEqual([expect.stringMatching(/weights.*not compared/)]);
    expect(await bytesOf(await undone.blob())).toEqual(source);

    const [from, to] = spanOf(written, Float32Array.from(WEIGHTS));
    const text = new TextDecoder('latin1').decode(written).indexOf('text');
    const unread = (at: number) => (at >= from && at < to) || (at >= text && at < text + 4);
    for (let at = 0; at < written.length; at += 3) {
      const changed = written.with(at, (written[at] ?? 0) ^ (1 + (at % 255)));
      const found = await outcome(blobOf(changed));
      if (typeof found === 'string' || Buffer.compare(found, source) === 0) continue;
      expect(unread(at) || (await undo(blobOf(changed))).proof === 'edits', `byte ${at}`).toBe(true);
    }
  });

  test('the digest of the command line is compared where the bytes are there, and not where they are not', async () => {
    const { bytes } = await swapped(source);
    const changed = await undo(blobOf(trained(bytes)));
    expect(changed.proof).toBe('structure');
    await expect(changed.bytes()).rejects.toMatchObject(refused);
    expect(await bytesOf(await changed.blob())).toHaveLength(source.length);
  });

  test('neither to swap nor to undo reads weights, or anything much oftener than before', async () => {
    const size = 4e6;
    const large = model({ ...parts, initializers: [floats('w', [size], Array(size).fill(0.5))] });
    const counted = (bytes: Uint8Array) => {
      const blob = blobOf(bytes);
      const slice = blob.slice.bind(blob);
      const count = { bytes: 0 };
      blob.slice = (start = 0, end = 0) => {
        count.bytes += end - start;
        return slice(start, end);
      };
      return { blob, count };
    };
    const before = counted(large);
    const { output } = await swap(before.blob);
    expect(before.count.bytes).toBeLessThan(5 * 65536);
    const after = counted((await swapped(large)).bytes);
    await undo(after.blob);
    expect(after.count.bytes).toBeLessThan(9 * 65536);
    expect(output.size).toBe(after.blob.size);
  });
});

function spanOf(bytes: Uint8Array, data: Float32Array): [number, number] {
  const at = Buffer.from(bytes).indexOf(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return [at, at + data.byteLength];
}

describe('records of older versions', () => {
  test('are read, and what they cannot prove is said', async () => {
    const { bytes } = await swapped(source);
    const old = withOldRecord(bytes);
    for (const input of [old, blobOf(old)]) {
      const undone = await undo(input);
      expect(undone).toMatchObject({ proof: 'edits', notes: [expect.stringContaining('not compared')] });
      expect(await undone.bytes()).toEqual(source);
    }
    expect(await (await undo(trained(old))).bytes()).not.toEqual(source);
  });

  test('one that such a version wrote gives the original, and says what it cannot prove', async () => {
    // `onnx-mish swap original.onnx -o swapped.onnx` of commit ee4419a, the last before records held a digest.
    const read = async (name: string) =>
      new Uint8Array(await readFile(new URL(`old-record/${name}.onnx`, import.meta.url)));
    const [original, old] = [await read('original'), await read('swapped')];
    expect(JSON.parse(recordOf(old))).not.toHaveProperty('original');
    const undone = await undo(old);
    expect(undone).toMatchObject({ proof: 'edits', notes: [expect.stringContaining('not compared')] });
    expect(await undone.bytes()).toEqual(original);
    const folder = await tempFolder();
    const path = await folder.write('m.mish.onnx', old);
    const { report } = await undoFile(path, { output: folder.at('m.onnx') });
    expect(report).toMatchObject({ proof: 'edits', notes: [expect.stringContaining('not compared')] });
    expect(await folder.read('m.onnx')).toEqual(original);
    // A node that the swap wrote is noticed, and another byte of the file is not.
    const at = Buffer.from(old).indexOf('Softplus');
    expect(await outcome(old.with(at, 's'.charCodeAt(0)))).toBe('cannot-undo');
    const weight = Buffer.from(old).indexOf(Buffer.from(Float32Array.of(-0.5).buffer));
    expect(await outcome(old.with(weight, 1))).toEqual(
      original.with(Buffer.from(original).indexOf(Buffer.from(Float32Array.of(-0.5).buffer)), 1),
    );
  });
});

describe('from path to path', () => {
  const large = model({
    ...parts,
    initializers: [
      floats('w', [3e6], Float32Array.from({ length: 3e6 }, (_, index) => index / 7) as unknown as number[]),
    ],
  });

  test.each([
    ['a small file', source],
    ['a file that is not held in memory', large],
  ])('%s: changed weights are refused, and nothing is left', async (_, original) => {
    const folder = await tempFolder();
    const path = await folder.write('m.onnx', original);
    const { output } = await swapFile(path, { form: 'exp' });
    const written = await folder.read('m.mish.onnx');
    expect(Buffer.compare(written, (await swapped(original, { form: 'exp' })).bytes)).toBe(0);
    expect(recordOf(written)).toContain(`"digest":"${await digestOf(toSource(original))}"}}`);

    const changed = trained(written);
    await folder.write('m.mish.onnx', changed);
    await expect(undoFile(output)).rejects.toMatchObject(refused);
    expect(await folder.list()).toEqual(['m.mish.onnx', 'm.onnx']);

    await folder.write('m.mish.onnx', written);
    const undone = await undoFile(output);
    expect(undone.report).toEqual({ bytes: original.length, proof: 'file', notes: [] });
    expect(Buffer.compare(await folder.read('m.mish.undone.onnx'), original)).toBe(0);
  });

  test('a swap after a swap, and a retarget, each by path', async () => {
    const folder = await tempFolder();
    const path = await folder.write('m.onnx', source);
    const first = await swapFile(path, { only: ['relu'], output: folder.at('1.onnx') });
    const second = await swapFile(first.output, { only: ['leakyrelu'], output: folder.at('2.onnx') });
    const third = await retargetFile(second.output, { form: 'exp', output: folder.at('3.onnx') });
    for (const [from, to] of [
      [third, '2.onnx'],
      [second, '1.onnx'],
      [first, 'm.onnx'],
    ] as const) {
      await undoFile(from.output, { output: folder.at('again.onnx'), force: true });
      expect(await folder.read('again.onnx')).toEqual(await folder.read(to));
    }
  });

  test('external data is not covered, and that is said', async () => {
    const folder = await tempFolder();
    const {
      raw: _,
      rawData: __,
      ...tensor
    } = { ...floats('w', [400], WEIGHTS), raw: 0, rawData: 0, floatData: [] };
    const proto = modelProto({
      ...parts,
      initializers: [{ ...tensor, dataLocation: 1, externalData: [{ key: 'location', value: 'w.bin' }] }],
    });
    await folder.write('w.bin', new Uint8Array(160));
    const path = await folder.write('m.onnx', onnx.ModelProto.encode(proto).finish());
    const { output } = await swapFile(path);
    await folder.write('w.bin', new Uint8Array(160).fill(1));
    const { report } = await undoFile(output);
    expect(report).toMatchObject({ proof: 'file', notes: [expect.stringContaining('external data')] });
  });

  test('a model that was swapped in a page is compared as far as its record goes', async () => {
    const folder = await tempFolder();
    const { output } = await swap(blobOf(source));
    await folder.write('m.onnx', await bytesOf(await output.blob()));
    await copyFile(folder.at('m.onnx'), join(folder.path, 'copy.onnx'));
    expect((await undoFile(folder.at('m.onnx'))).report).toMatchObject({ proof: 'structure' });
    const renamed = Buffer.from(await folder.read('m.onnx'));
    renamed.write('scald', renamed.indexOf('scale'));
    await folder.write('m.onnx', new Uint8Array(renamed));
    await expect(undoFile(folder.at('m.onnx'), { force: true })).rejects.toMatchObject(refused);
  });
});

describe('the digest and the checksum of the structure', () => {
  test('do not change from version to version, or old records could not be compared', async () => {
    // Whoever changes what the scanner decodes changes this: then STRUCTURE_VERSION has to be raised.
    expect(STRUCTURE_VERSION).toBe(1);
    expect((await scan(source)).structure).toBe('1:5f22c31de24e32d1');
    // printf of the same bytes into sha256sum, in blocks of 1 MiB, and once more over the digests.
    expect(await digestOf(toSource(new Uint8Array(0)))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  test('the digest is the SHA-256 of the SHA-256s of blocks of 1 MiB, from any source', async () => {
    const { createHash } = await import('node:crypto');
    const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
    for (const size of [1, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 2 * 2 ** 20 + 5]) {
      const bytes = Uint8Array.from({ length: size }, (_, at) => at % 251);
      const blocks = [];
      for (let at = 0; at < size; at += 2 ** 20) blocks.push(sha(bytes.subarray(at, at + 2 ** 20)));
      const expected = sha(Buffer.concat(blocks)).toString('hex');
      expect(await digestOf(toSource(bytes))).toBe(expected);
      expect(await digestOf(toSource(blobOf(bytes)))).toBe(expected);
    }
  });

  test('the structure is the same for the same model, however it is read', async () => {
    const { output } = await swap(source, { form: 'exp' });
    const { structure } = await scan(await output.bytes());
    const view = viewOf({ ...output, pieces: [await output.bytes()] });
    expect((await scan(view)).structure).toBe(structure);
  });
});
