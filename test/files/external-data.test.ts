import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { chmod, link, mkdir, rm, stat, symlink } from 'node:fs/promises';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test, vi } from 'vitest';
import type { OnnxMishError } from '../../src/base/error.js';
import { integer } from '../../src/base/plural.js';
import { withDataFiles } from '../../src/files/external-data.js';
import { withDocument } from '../../src/files/with-document.js';
import { retargetFile, swapFile, undoFile } from '../../src/node/index.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { transformFile } from '../../src/node/transform-file.js';
import { BIAS, BIAS_BYTES, externalModel } from '../support/external.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';
import { floats, model, node, value } from '../support/model.js';

const X = [1, -1, 0.5, -4];

/** Runs a model file on ONNX Runtime, which finds the data file itself. */
async function runFile(path: string): Promise<number[]> {
  const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.from(X), [1, 4]) });
  await session.release();
  return Array.from(y?.data as Float32Array);
}

function expectMish(values: readonly number[]): void {
  values.forEach((value, index) => {
    const x = (X[index] ?? 0) + (BIAS[index] ?? 0);
    expect(value).toBeCloseTo(x * Math.tanh(Math.log1p(Math.exp(x))), 5);
  });
  expect(values).toHaveLength(4);
}

/** Makes a folder with `in/net.onnx`, its data file, and an empty `out`. */
async function modelFolder(location = 'net.bin', ...more: string[]): Promise<Folder & { input: string }> {
  const folder = await tempFolder();
  await mkdir(folder.at('in', 'weights', 'deep'), { recursive: true });
  await mkdir(folder.at('out'));
  const input = await folder.write('in/net.onnx', externalModel(location, ...more));
  for (const name of [location, ...more]) await folder.write(`in/${name}`, BIAS_BYTES);
  return { ...folder, input };
}

const outside = async (folder: Folder) =>
  (await folder.list()).filter((name) => !name.startsWith('in/') && name !== 'out/');

test('a model written into the same folder needs no copy of its data, and runs', async () => {
  const folder = await modelFolder();
  const before = await folder.list();
  const { output, copied } = await swapFile(folder.input);
  expect(copied).toEqual([]);
  expect(await folder.list()).toEqual([...before, 'in/net.mish.onnx'].sort());
  expectMish(await runFile(output));
});

test('another path of the same folder counts as the same folder', async () => {
  const folder = await modelFolder();
  await symlink('in', folder.at('alias'));
  const { copied, output } = await swapFile(folder.input, { output: folder.at('alias/net.mish.onnx') });
  expect(copied).toEqual([]);
  expectMish(await runFile(output));
});

test.each(['net.bin', 'weights/deep/net.bin', './weights/./net.bin'])(
  'in another folder the model finds a copy of %s and runs',
  async (location) => {
    const folder = await modelFolder(location);
    const { output, copied } = await swapFile(folder.input, { output: folder.at('out/net.onnx') });
    expect(copied).toEqual([folder.at('out', location)]);
    // ONNX's loader would refuse a hard link to the same data.
    const [source, copy] = await Promise.all(['in', 'out'].map((name) => stat(folder.at(name, location))));
    expect([source?.nlink, copy?.nlink]).toEqual([1, 1]);
    expect(copy?.ino).not.toBe(source?.ino);
    expect(await folder.read(`out/${location}`)).toEqual(BIAS_BYTES);
    await rm(folder.at('in'), { recursive: true });
    expectMish(await runFile(output));
  },
);

test('retarget and undo copy the data, too', async () => {
  const folder = await modelFolder();
  const { output } = await swapFile(folder.input);
  const { copied } = await retargetFile(output, { form: 'exp', output: folder.at('out/net.onnx') });
  expect(copied).toEqual([folder.at('out/net.bin')]);
  expectMish(await runFile(folder.at('out/net.onnx')));

  await mkdir(folder.at('back'));
  const undone = await undoFile(output, { output: folder.at('back/net.onnx') });
  expect(undone.copied).toEqual([folder.at('back/net.bin')]);
  expect(await folder.read('back/net.onnx')).toEqual(await folder.read('in/net.onnx'));
});

test('a data file that several tensors share is copied once, whatever the path by which they name it', async () => {
  const folder = await modelFolder(
    'net.bin',
    'net.bin',
    './net.bin',
    'weights/more.bin',
    'weights/./more.bin',
  );
  const { copied } = await swapFile(folder.input, { output: folder.at('out/net.onnx') });
  expect(copied).toEqual([folder.at('out/net.bin'), folder.at('out/weights/more.bin')]);
});

test('large data is copied completely, and progress counts it', async () => {
  const folder = await modelFolder();
  const data = new Uint8Array(Float64Array.from({ length: 2_000_000 }, (_, index) => Math.sin(index)).buffer);
  data.set(BIAS_BYTES);
  await folder.write('in/net.bin', data);
  const told: number[] = [];
  const { output } = await swapFile(folder.input, {
    output: folder.at('out/net.onnx'),
    onProgress: (done, total) => told.push(done / total),
  });
  expect(Buffer.compare(await folder.read('out/net.bin'), data)).toBe(0);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  expect(told.length).toBeGreaterThan(1);
  expect(told.at(-1)).toBe(1);
  expectMish(await runFile(output));
});

test('missing data stops a model that moves, before anything is written', async () => {
  const folder = await modelFolder('net.bin', 'weights/gone.bin');
  await rm(folder.at('in/weights/gone.bin'));
  const error = await failure(swapFile(folder.input, { output: folder.at('out/net.onnx') }));
  expect(error).toMatchObject({
    code: 'external-data',
    where: folder.at('in/weights/gone.bin'),
    what: "the file does not exist, and tensor 'more_0' in graph needs it",
  });
  expect(await outside(folder)).toEqual([]);
  // In the same folder the model's references stay as valid as they were.
  expect((await swapFile(folder.input)).copied).toEqual([]);
});

test.each([
  ['', 'has an empty location'],
  ['/etc/passwd', "has the absolute location '/etc/passwd'"],
  ['../net.bin', "is outside of the model’s folder: '../net.bin'"],
  ['weights/../../net.bin', 'is outside of the model’s folder'],
  // The path stays inside, but a reader that opens folder by folder leaves.
  ['weights/../net.bin', 'is outside of the model’s folder'],
  ['..', 'is outside of the model’s folder'],
  ['C:net.bin', "has the absolute location 'C:net.bin'"],
  ['c:\\data\\net.bin', 'has the absolute location'],
  ['\\\\host\\share\\net.bin', 'has the absolute location'],
  ['\\net.bin', 'has the absolute location'],
  ['..\\net.bin', 'is outside of the model’s folder'],
  ['weights\\..\\..\\net.bin', 'is outside of the model’s folder'],
  ['net\0.bin', 'has a NUL character in its location'],
])('the location %j is refused, wherever the output goes', async (location, what) => {
  const folder = await tempFolder();
  await mkdir(folder.at('in'));
  await mkdir(folder.at('out'));
  await folder.write('net.bin', BIAS_BYTES);
  await folder.write('in/net.bin', BIAS_BYTES);
  const input = await folder.write('in/net.onnx', externalModel('net.bin', location));
  for (const output of [folder.at('in/net.mish.onnx'), folder.at('out/net.onnx')]) {
    const error = await failure(swapFile(input, { output }));
    expect(error).toMatchObject({
      code: 'external-data',
      where: input,
      what: expect.stringContaining(`the data of tensor 'more_0' in graph ${what}`),
    });
  }
  expect(await folder.list()).toEqual(['in/', 'in/net.bin', 'in/net.onnx', 'net.bin', 'out/']);
});

test('a link out of the folder is rejected, for a file or a folder', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('in'));
  await mkdir(folder.at('secret'));
  await folder.write('secret/net.bin', BIAS_BYTES);
  await symlink('../secret/net.bin', folder.at('in/net.bin'));
  await symlink('../secret', folder.at('in/weights'));
  for (const location of ['net.bin', 'weights/net.bin']) {
    const input = await folder.write('in/net.onnx', externalModel(location));
    expect(await failure(swapFile(input, { output: folder.at('out.onnx') })), location).toMatchObject({
      code: 'external-data',
      what: expect.stringMatching(
        /^the data of tensor 'bias' in graph is outside .* is a link to '.*net\.bin'$/,
      ),
    });
  }
});

test('a link within the folder is followed, and its target copied', async () => {
  const folder = await modelFolder('weights/real.bin');
  await symlink('weights/real.bin', folder.at('in/net.bin'));
  await folder.write('in/net.onnx', externalModel('net.bin'));
  const { output } = await swapFile(folder.input, { output: folder.at('out/net.onnx') });
  await rm(folder.at('in'), { recursive: true });
  expectMish(await runFile(output));
});

test('no file is opened that the model does not name', async () => {
  const folder = await modelFolder();
  await folder.write('secret.bin', BIAS_BYTES);
  await folder.write('in/other.bin', BIAS_BYTES);
  await withDocument(folder.input, (document) =>
    withDataFiles(folder.input, document, async (open) => {
      expect((await open('net.bin')).size).toBe(BIAS_BYTES.length);
      for (const location of ['../secret.bin', 'other.bin', folder.at('secret.bin'), ''])
        expect(await failure(open(location)), location).toMatchObject({ code: 'external-data' });
    }),
  );
});

test('names that only resemble `..` are valid', async () => {
  const folder = await modelFolder('..net.bin', '...', 'weights..bin');
  const { copied } = await swapFile(folder.input, { output: folder.at('out/net.onnx') });
  expect(copied).toHaveLength(3);
});

test('existing data is not replaced, and copies are removed after the error', async () => {
  const folder = await modelFolder('weights/deep/first.bin', 'second.bin', 'net.bin');
  await folder.write('out/net.bin', 'somebody else’s');
  const attempt = swapFile(folder.input, { output: folder.at('out/net.onnx') });
  expect(await failure(attempt)).toMatchObject({
    code: 'io',
    where: folder.at('out/net.bin'),
    what: 'the file exists already',
  });
  expect(await outside(folder)).toEqual(['out/net.bin']);

  const { output } = await swapFile(folder.input, { output: folder.at('out/net.onnx'), force: true });
  expect(await folder.read('out/net.bin')).toEqual(BIAS_BYTES);
  expectMish(await runFile(output));
});

test('data with the same content is no conflict, and stays when the second model fails', async () => {
  const folder = await modelFolder('weights/first.bin', 'net.bin');
  const options = { output: folder.at('out/a.onnx') };
  expect((await swapFile(folder.input, options)).copied).toHaveLength(2);
  const before = await stat(folder.at('out/net.bin'));
  const second = await swapFile(folder.input, { output: folder.at('out/b.onnx') });
  expect(second.copied).toEqual([]);
  expect((await stat(folder.at('out/net.bin'))).mtimeMs).toBe(before.mtimeMs);
  expectMish(await runFile(second.output));
  for (const shared of [undefined, new Map()]) {
    const verify = () => Promise.reject(new Error('not like this'));
    const attempt = swapFile(folder.input, { output: folder.at('out/c.onnx'), verify, shared });
    expect(await failure(attempt)).toMatchObject({ message: 'not like this' });
  }
  const there = ['out/a.onnx', 'out/b.onnx', 'out/net.bin', 'out/weights/', 'out/weights/first.bin'];
  expect(await outside(folder)).toEqual(there);

  await rm(folder.at('out/net.bin'));
  await folder.write('in/twin.bin', BIAS_BYTES);
  await symlink('../in/twin.bin', folder.at('out/net.bin')); // ONNX Runtime's loader would refuse it
  const taken = { code: 'io', where: folder.at('out/net.bin'), what: 'the file exists already' };
  expect(await failure(swapFile(folder.input, { output: folder.at('out/c.onnx') }))).toMatchObject(taken);
});

test('other data is a conflict before the work begins', async () => {
  const folder = await modelFolder('net.bin');
  await folder.write('out/net.bin', 'somebody else’s');
  const work = vi.fn();
  const attempt = transformFile(folder.input, { output: folder.at('out/net.onnx') }, 'mish', work);
  expect(await failure(attempt)).toMatchObject({ code: 'io', where: folder.at('out/net.bin') });
  expect(work).not.toHaveBeenCalled();
});

test('folders stay if they existed before or another process uses them', async () => {
  const folder = await modelFolder('weights/deep/first.bin');
  await mkdir(folder.at('out/weights'));
  const verify = async () => {
    throw new Error('not like this');
  };
  const attempt = swapFile(folder.input, { output: folder.at('out/net.onnx'), verify });
  expect(await failure(attempt)).toMatchObject({ message: 'not like this' });
  expect(await outside(folder)).toEqual(['out/weights/']);
});

test('an interrupted copy leaves nothing', async () => {
  const folder = await modelFolder('first.bin', 'second.bin');
  await folder.write('in/second.bin', new Uint8Array(20_000_000));
  const controller = new AbortController();
  const error = await failure(
    swapFile(folder.input, {
      output: folder.at('out/net.onnx'),
      signal: controller.signal,
      onProgress: () => controller.abort(),
    }),
  );
  expect(error).toMatchObject({ code: 'aborted' });
  expect(await outside(folder)).toEqual([]);
});

test('a model cannot replace its own data', async () => {
  const folder = await modelFolder();
  for (const output of ['in/net.bin', 'out/net.bin']) {
    const attempt = swapFile(folder.input, { output: folder.at(output), force: true });
    expect(await failure(attempt), output).toMatchObject({
      code: 'external-data',
      where: folder.at(output),
      what: "the model would overwrite the data of tensor 'bias' in graph",
    });
  }
  expect(await folder.read('in/net.bin')).toEqual(BIAS_BYTES);
  expect(await outside(folder)).toEqual([]);
});

test('a model cannot replace its own data through another path of the folder', async () => {
  const folder = await modelFolder();
  await symlink('in', folder.at('alias'));
  const output = folder.at('alias/net.bin');
  expect(await failure(swapFile(folder.input, { output, force: true }))).toMatchObject({
    code: 'external-data',
  });
  expect(await folder.read('in/net.bin')).toEqual(BIAS_BYTES);
});

test('a missing output folder is not created', async () => {
  const folder = await modelFolder();
  expect(await failure(swapFile(folder.input, { output: folder.at('absent/net.onnx') }))).toMatchObject({
    code: 'io',
    what: `the folder '${folder.at('absent')}' does not exist`,
  });
  expect(await outside(folder)).toEqual([]);
});

test('a folder in place of a data file is rejected', async () => {
  const folder = await modelFolder();
  await folder.write('in/net.onnx', externalModel('weights'));
  expect(await failure(swapFile(folder.input, { output: folder.at('out/net.onnx') }))).toMatchObject({
    code: 'external-data',
    where: folder.input,
    what: "the data of tensor 'bias' in graph is a folder: 'weights'",
  });
});

test('read-only data is copied, too', async () => {
  const folder = await modelFolder();
  await chmod(folder.at('in/net.bin'), 0o444);
  const { output } = await swapFile(folder.input, { output: folder.at('out/net.onnx') });
  expectMish(await runFile(output));
});

test('with force a copy does not replace a file that is read', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('in/in'), { recursive: true });
  // Seen from the parent folder, the data's location is the path of the model, or of other data.
  for (const location of ['in/net.onnx', 'in/net.bin']) {
    await folder.write('in/net.bin', BIAS_BYTES);
    await folder.write(`in/${location}`, BIAS_BYTES);
    const bytes = externalModel('net.bin', location);
    const input = await folder.write('in/net.onnx', bytes);
    const attempt = swapFile(input, { output: folder.at('out.onnx'), force: true });
    expect(await failure(attempt), location).toMatchObject({
      code: 'external-data',
      where: folder.at(location),
      what: 'a copy of a data file would overwrite a file that is read',
    });
    expect(await folder.read('in/net.onnx')).toEqual(bytes);
    expect(await folder.read('in/net.bin')).toEqual(BIAS_BYTES);
  }
});

test('with force a model cannot replace its data through a link', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('weights'));
  await symlink('weights', folder.at('alias'));
  const input = await folder.write('net.onnx', externalModel('alias/net.bin'));
  await folder.write('weights/net.bin', BIAS_BYTES);
  const attempt = swapFile(input, { output: folder.at('weights/net.bin'), force: true });
  expect(await failure(attempt)).toMatchObject({
    code: 'external-data',
    where: folder.at('weights/net.bin'),
  });
  expect(await folder.read('weights/net.bin')).toEqual(BIAS_BYTES);
});

test('with force an error leaves the old model with its old data', async () => {
  const folder = await modelFolder();
  await folder.write('out/net.onnx', 'old model');
  await folder.write('out/net.bin', 'old data');
  const verify = () => Promise.reject(new Error('not like this'));
  const attempt = swapFile(folder.input, { output: folder.at('out/net.onnx'), force: true, verify });
  expect(await failure(attempt)).toMatchObject({ message: 'not like this' });
  expect(await outside(folder)).toEqual(['out/net.bin', 'out/net.onnx']);
  expect(new TextDecoder().decode(await folder.read('out/net.bin'))).toBe('old data');
});

describe('data that is not a regular file of the folder', () => {
  /** Makes a model with data at `location`, and an empty folder beside its folder. */
  async function hostile(location: string): Promise<Folder & { input: string }> {
    const folder = await tempFolder();
    await mkdir(folder.at('in'));
    await mkdir(folder.at('out'));
    await mkdir(folder.at('secret'));
    await folder.write('secret/net.bin', BIAS_BYTES);
    return { ...folder, input: await folder.write('in/net.onnx', externalModel(location)) };
  }

  test.each([
    ['a pipe', (path: string) => execFileSync('mkfifo', [path]), 'is a pipe, a device or a socket'],
    ['a device', (path: string) => symlinkSync('/dev/zero', path), "is a link to '/dev/zero'"],
    ['a dangling link', (path: string) => symlinkSync('nowhere', path), undefined],
  ] as const)('%s is refused at once by every reader', async (_, make, what) => {
    const folder = await hostile('net.bin');
    make(folder.at('in/net.bin'));
    const options = { output: folder.at('out/net.onnx'), beta: 2, fold: true };
    const error = await failure(swapFile(folder.input, options));
    expect(error).toMatchObject({
      code: 'external-data',
      what: expect.stringContaining("tensor 'bias' in graph"),
    });
    if (what !== undefined) {
      expect(error).toMatchObject({ what: expect.stringContaining(what) });
      // Permission to read outside data does not include pipes.
      const allowed = await failure(swapFile(folder.input, { ...options, allowOutsideData: true }));
      expect(allowed).toMatchObject({ what: expect.stringContaining('is a pipe, a device or a socket') });
      const session = await failure(getProvider('cpu').open(folder.input));
      expect(session).toMatchObject({ code: 'external-data', what: (error as OnnxMishError).what });
    }
    expect((await folder.list()).filter((name) => name.startsWith('out/'))).toEqual(['out/']);
  });

  test('a hard link is rejected, as by ONNX’s loader', async () => {
    const folder = await hostile('net.bin');
    await link(folder.at('secret/net.bin'), folder.at('in/net.bin'));
    const output = folder.at('out/net.onnx');
    expect(await failure(swapFile(folder.input, { output }))).toMatchObject({
      code: 'external-data',
      what: expect.stringMatching(/^the data of tensor 'bias' in graph has 2 hard links/),
      fix: expect.stringContaining('if you trust the model, allow it'),
      option: { allowOutsideData: null },
    });
    const { copied } = await swapFile(folder.input, { output, allowOutsideData: true });
    expect(copied).toEqual([folder.at('out/net.bin')]);
    expect((await stat(folder.at('out/net.bin'))).nlink).toBe(1);
    expectMish(await runFile(output));
  });

  test('a link out of the folder is followed if allowed, and its content copied', async () => {
    const folder = await hostile('net.bin');
    await symlink('../secret/net.bin', folder.at('in/net.bin'));
    const output = folder.at('out/net.onnx');
    await swapFile(folder.input, { output, allowOutsideData: true });
    expect(await folder.read('out/net.bin')).toEqual(BIAS_BYTES);
  });

  test('data with an absolute location is not copied', async () => {
    const folder = await tempFolder();
    await mkdir(folder.at('in'));
    await mkdir(folder.at('out'));
    const data = await folder.write('net.bin', BIAS_BYTES);
    const input = await folder.write('in/net.onnx', externalModel(data));
    const options = { output: folder.at('out/net.onnx'), allowOutsideData: true };
    expect(await swapFile(input, options)).toMatchObject({ copied: [] });
    expect(await folder.list()).toEqual(['in/', 'in/net.onnx', 'net.bin', 'out/', 'out/net.onnx']);
  });

  test('data read from outside is not written outside of the output’s folder', async () => {
    const folder = await hostile('../secret/net.bin');
    await mkdir(folder.at('out/deep'));
    const before = await folder.list();
    const options = { output: folder.at('out/deep/net.onnx'), allowOutsideData: true };
    expect(await failure(swapFile(folder.input, options))).toMatchObject({
      code: 'external-data',
      what: "the data of tensor 'bias' in graph cannot be copied to '../secret/net.bin', outside of the output’s folder",
    });
    expect(await folder.list()).toEqual(before);
    const { copied } = await swapFile(folder.input, { allowOutsideData: true });
    expect(copied).toEqual([]);
  });

  test('files whose names differ only in case or accents are not copied', async () => {
    const folder = await modelFolder('é.bin', 'e\u0301.bin', 'É.bin');
    const attempt = swapFile(folder.input, { output: folder.at('out/net.onnx'), force: true });
    expect(await failure(attempt)).toMatchObject({
      code: 'external-data',
      what: expect.stringContaining('only in case or accents'),
    });
    expect(await outside(folder)).toEqual([]);
    expect((await swapFile(folder.input)).copied).toEqual([]);
  });

  test('a model is not written to a name that differs from its data only in case', async () => {
    const folder = await modelFolder();
    const attempt = swapFile(folder.input, { output: folder.at('out/NET.bin'), force: true });
    expect(await failure(attempt)).toMatchObject({ code: 'external-data', where: folder.at('out/NET.bin') });
  });
});

test('with data beyond the end of its file, a swap succeeds and a fold is rejected', async () => {
  const folder = await tempFolder();
  await folder.write('net.bin', BIAS_BYTES);
  for (const [offset, length] of [
    ['9', '16'],
    ['-4', '16'],
    ['4611686018427387904', '16'],
    ['0', '4611686018427387904'],
    ['1e3', '16'],
    ['nonsense', '16'],
  ] as const) {
    const input = await folder.write('net.onnx', foldable({ location: 'net.bin', offset, length }));
    const { report } = await swapFile(input, { beta: 2, fold: true, force: true });
    expect(report.fold, `${offset} ${length}`).toMatchObject({
      folded: [],
      kept: [
        {
          why:
            "the tensor 'w' should have 16 bytes of '" +
            folder.at('net.bin') +
            `' from byte ${integer(Number(offset))} on`,
        },
      ],
    });
    expect(await failure(getProvider('cpu').open(input))).toMatchObject({ code: 'run-failed' });
  }
});

/** Builds MatMul, Relu and MatMul, with the first weight in another file. */
function foldable(entries: Record<string, string>): Uint8Array {
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  return model({
    inputs: [value('x', 1, [2, 2])],
    outputs: [value('y', 1, [2, 2])],
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['a']), node('MatMul', ['a', 'v'], ['y'])],
    initializers: [
      { name: 'w', dataType: 1, dims: [2, 2], dataLocation: 1, externalData },
      floats('v', [2, 2], [1, 0, 0, 1]),
    ],
  });
}
