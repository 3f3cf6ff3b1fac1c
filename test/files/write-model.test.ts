import { appendFile } from 'node:fs/promises';
import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openModel, streamModel, writeModel } from '../../src/node/index.js';
import { toSource } from '../../src/onnx/source.js';
import { replace } from '../../src/onnx/splice.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';

const MiB = 2 ** 20;

const WORDS = new Uint32Array(10 * MiB).map((_, index) => Math.imul(index, 2654435761));

/** Returns bytes that depend on their offset, so that a misplaced block is detected. */
const pattern = (size: number) => new Uint8Array(WORDS.buffer, 0, size);

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Edits at the start, inside, at the end, large, and thousands of small edits. */
const EDITS = [
  { start: 0, end: 0, bytes: pattern(3) },
  { start: 100, end: 200, bytes: new Uint8Array(0) },
  { start: 5000, end: 5000, bytes: pattern(5 * MiB + 7) },
  ...Array.from({ length: 3000 }, (_, index) => ({
    start: 10_000 + 20 * index,
    end: 10_003 + 20 * index,
    bytes: pattern(index % 9),
  })),
  { start: 100_000, end: 100_000, bytes: pattern(2) },
];

async function collected(model: ReturnType<typeof replace>, options = {}): Promise<Uint8Array> {
  const stream = new PassThrough();
  const read = buffer(stream);
  await streamModel(model, stream, options);
  stream.end();
  return new Uint8Array(await read);
}

// In memory, from a small file, and from a file that is read in blocks.
test.each([
  ['bytes', 100_000],
  ['small file', 100_000],
  ['large file', 9 * MiB + 1],
] as const)('pieces of every size are written in order from a %s', async (kind, size) => {
  const folder = await tempFolder();
  const bytes = pattern(size);
  const file = kind === 'bytes' ? undefined : await openModel(await folder.write('in', bytes));
  const model = replace(file ?? toSource(bytes), EDITS);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { start, end, bytes: inserted } of EDITS) {
    parts.push(bytes.subarray(at, start), inserted);
    at = end;
  }
  const expected = Buffer.concat([...parts, bytes.subarray(at)]);

  await writeModel(model, folder.at('out'));
  expect(same(await folder.read('out'), expected)).toBe(true);
  expect(same(await collected(model), expected)).toBe(true);
  await file?.close();
});

test('a source without a file, such as a Blob, is written', async () => {
  const folder = await tempFolder();
  const bytes = pattern(5 * MiB);
  const model = replace(toSource(new Blob([Uint8Array.from(bytes)])), []);
  await writeModel(model, folder.at('out'));
  expect(same(await folder.read('out'), bytes)).toBe(true);
});

test('an empty model is an empty file', async () => {
  const folder = await tempFolder();
  await writeModel(replace(toSource(new Uint8Array(0)), []), folder.at('out'));
  expect(await folder.read('out')).toHaveLength(0);
  expect(await collected(replace(toSource(new Uint8Array(0)), []))).toHaveLength(0);
});

test('progress increases to the total', async () => {
  const folder = await tempFolder();
  const model = replace(toSource(pattern(9 * MiB + 5)), []);
  for (const write of [
    (options: object) => writeModel(model, folder.at('out'), options),
    (options: object) => collected(model, options),
  ]) {
    const told: [number, number][] = [];
    await write({ onProgress: (done: number, total: number) => told.push([done, total]) });
    expect(told.length).toBeGreaterThan(2);
    expect(told.at(-1)).toEqual([model.size, model.size]);
    expect(told.every(([, total]) => total === model.size)).toBe(true);
    const done = told.map(([bytes]) => bytes);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
  }
});

/** Returns options that abort a write after the first block. */
function stopping() {
  const controller = new AbortController();
  return { signal: controller.signal, onProgress: () => controller.abort() };
}

test('an aborted write leaves nothing', async () => {
  const folder = await tempFolder();
  const model = replace(toSource(pattern(40 * MiB)), []);
  const error = await failure(writeModel(model, folder.at('out'), stopping()));
  expect(error).toMatchObject({ code: 'aborted', where: folder.at('out') });
  expect(await folder.list()).toEqual([]);
  expect(await failure(collected(model, stopping()))).toMatchObject({ code: 'aborted' });
});

test('with force an aborted write leaves the old file', async () => {
  const folder = await tempFolder();
  const path = await folder.write('out', 'old');
  const model = replace(toSource(pattern(40 * MiB)), []);
  expect(await failure(writeModel(model, path, { ...stopping(), force: true }))).toMatchObject({
    code: 'aborted',
  });
  expect(await folder.list()).toEqual(['out']);
  expect(new TextDecoder().decode(await folder.read('out'))).toBe('old');
});

test('with an aborted signal nothing is written', async () => {
  const folder = await tempFolder();
  const signal = AbortSignal.abort();
  const model = replace(toSource(pattern(10)), []);
  expect(await failure(writeModel(model, folder.at('out'), { signal }))).toMatchObject({ code: 'aborted' });
  expect(await folder.list()).toEqual([]);
});

test('a model that changes while it is read gives no output', async () => {
  const folder = await tempFolder();
  const file = await openModel(await folder.write('in', pattern(9 * MiB)));
  let changed: Promise<void> | undefined;
  const attempt = writeModel(replace(file, []), folder.at('out'), {
    onProgress: () => {
      changed ??= appendFile(file.path, 'more');
    },
    verify: async () => {
      await changed;
      await file.checkUnchanged();
    },
  });
  expect(await failure(attempt)).toMatchObject({ code: 'io', where: file.path });
  expect(await folder.list()).toEqual(['in']);
  await file.close();
});

test('an error of the source leaves nothing, and is thrown unchanged', async () => {
  const folder: Folder = await tempFolder();
  const bytes = pattern(30 * MiB);
  const source = {
    name: 'broken',
    size: bytes.length,
    read: async (offset: number, length: number) => {
      if (offset > 10 * MiB) throw new Error(`no byte ${10 * MiB}`);
      return bytes.subarray(offset, offset + length);
    },
  };
  const model = replace(source, []);
  const error = { message: `no byte ${10 * MiB}` };
  expect(await failure(writeModel(model, folder.at('out')))).toMatchObject(error);
  expect(await folder.list()).toEqual([]);
  expect(await failure(collected(model))).toMatchObject(error);
});

test('a stream is written no faster than it is read', async () => {
  const model = replace(toSource(pattern(20 * MiB)), []);
  let waiting = 0;
  const slow = new Writable({
    highWaterMark: 1,
    write(_chunk, _encoding, taken) {
      waiting = Math.max(waiting, slow.writableLength);
      setImmediate(taken);
    },
  });
  await streamModel(model, slow);
  expect(waiting).toBeLessThanOrEqual(2 * MiB);
});

test('a broken stream throws', async () => {
  const broken = new Writable({
    write(_chunk, _encoding, taken) {
      taken(Object.assign(new Error('gone'), { code: 'ENOSPC' }));
    },
  });
  broken.on('error', () => {});
  const error = await failure(streamModel(replace(toSource(pattern(10)), []), broken));
  expect(error).toMatchObject({ code: 'io', where: 'standard output', what: 'the disk is full' });
});
