import {
  copyFile,
  lstat,
  mkdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { findCacheDir, swapToCache } from '../../src/bundler/cache.js';
import type { MishOptions } from '../../src/bundler/request.js';
import { TARGETS } from '../../src/mish/forms.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { failure, ops, reluModel } from '../support/graph.js';
import { model, node, value } from '../support/model.js';
import { bytesOf } from '../support/models.js';
import { ALL, both, EXPRESSIONS } from '../support/outside-numbers.js';
import { spell } from '../support/spellings.js';
import { modelPath } from '../support/workbench-page.js';

const cached = (folder: Folder, path: string, options: MishOptions = {}, depend = (_: string) => {}) =>
  swapToCache(path, { target: 'wasm', cacheDir: folder.at('cache'), ...options }, depend);

/** Returns what changes when a file is written again. */
async function identity(path: string) {
  const { ino, ctimeMs } = await stat(path);
  return { path, ino, ctimeMs };
}

test('the same content and options are swapped once, whatever the path', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const longAgo = new Date(2020, 1, 1);
  await utimes(path, longAgo, longAgo);
  const first = await cached(folder, path);
  const made = await identity(first.path);
  expect(ops(bytesOf(first.path))).toContain('Exp');
  expect(await identity((await cached(folder, path)).path)).toEqual(made);
  expect(await identity((await cached(folder, path, { target: undefined, form: 'exp' })).path)).toEqual(made);
  await mkdir(folder.at('other'));
  await copyFile(path, folder.at('other', 'net.onnx'));
  expect(await identity((await cached(folder, folder.at('other', 'net.onnx'))).path)).toEqual(made);
  // A watcher compares times with the start of the build.
  expect((await stat(first.path)).mtime).toEqual(longAgo);
});

test('other content or other options give another entry', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const options: MishOptions[] = [
    ...[{}, { form: 'softplus' }, { beta: 2 }, { only: ['relu'] }, { include: ['act'] }],
    ...[
      { exclude: ['act'] },
      { form: 'sigmoid' },
      { form: 'tanh' },
      { form: 'hard' },
      { leaky: 'mixture' },
      { undo: true },
      { fold: true },
      { opset: 20 },
      { strict: true },
    ],
  ] as MishOptions[];
  const paths = new Set<string>();
  for (const option of options) paths.add((await cached(folder, path, option)).path);
  expect(paths.size).toBe(options.length);
  await folder.write('net.onnx', reluModel({ opset: 12 }));
  paths.add((await cached(folder, path)).path);
  expect(paths.size).toBe(options.length + 1);
});

test('for each target the cache gives what an empty one gives', async () => {
  const folder = await tempFolder();
  const conv = (from: string, to: string) => node('Conv', [from, 'w'], [to], { pads: [1, 1, 1, 1] });
  const image = (name: string) => value(name, 1, [1, 1, 'H', 1]);
  const weights = { name: 'w', dims: [1, 1, 3, 3], dataType: 1, floatData: Array(9).fill(0.1) };
  // WebGL loses the Sigmoid after a convolution, which only its target rewrites.
  const nodes = [conv('x', 'c'), node('Relu', ['c'], ['r']), conv('r', 'd'), node('Sigmoid', ['d'], ['y'])];
  const bytes = model({ nodes, inputs: [image('x')], outputs: [image('y')], initializers: [weights] });
  const path = await folder.write('net.onnx', bytes);
  for (const to of ['mish', 'swish'] as const) {
    for (const target of TARGETS) {
      const empty = await cached(folder, path, { target, to, cacheDir: folder.at(`for-${target}-${to}`) });
      expect(bytesOf((await cached(folder, path, { target, to })).path)).toEqual(bytesOf(empty.path));
    }
  }
});

test('concurrent builds share one entry, and each reads it whole', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const made = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const { path: model } = await cached(folder, path);
      return { model, bytes: bytesOf(model) };
    }),
  );
  for (const one of made) expect(one).toEqual(made[0]);
  expect((await folder.list()).filter((name) => /^cache\/.*[^/]$/.test(name))).toHaveLength(2);
});

test('models of the same content and other names are all there, whenever each is imported', async () => {
  const folder = await tempFolder();
  const names = ['net.onnx', 'Net.onnx', 'é.onnx', 'ü.onnx', '$x.ONNX', 'a b.onnx'];
  const paths = await Promise.all(names.map((name) => folder.write(name, reluModel())));
  const made = await Promise.all(
    paths.map(async (path) => ops(bytesOf((await cached(folder, path)).path)).includes('Exp')),
  );
  expect(made).toEqual(paths.map(() => true));
});

test('the warning about a model without sites names the imported model and a skipped activation', async () => {
  const folder = await tempFolder();
  for (const name of ['one.onnx', 'two.onnx', 'two.onnx']) {
    const path = await folder.write(name, reluModel());
    const { warning } = await cached(folder, path, { exclude: ['act'] });
    expect(warning).toBe(
      `${path}: the model has no activation to swap, so the asset is the unchanged model. Skipped: relu act (left out by choice: exclude).`,
    );
  }
});

test('a truncated or missing cached model or entry is written again', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const { path: made } = await cached(folder, path);
  const bytes = bytesOf(made);
  await truncate(made, 10);
  expect(bytesOf((await cached(folder, path)).path)).toEqual(bytes);
  await writeFile(join(made, '..', 'entry.json'), '{"bytes":');
  expect(bytesOf((await cached(folder, path)).path)).toEqual(bytes);
  await rm(made);
  expect(bytesOf((await cached(folder, path)).path)).toEqual(bytes);
  expect((await folder.list()).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('entries unused for a month are removed when a new one is written', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const [old, used] = [await cached(folder, path), await cached(folder, path, { beta: 2 })];
  const longAgo = new Date(Date.now() - 31 * 24 * 3600 * 1000);
  for (const { path: model } of [old, used]) {
    await utimes(join(model, '..', 'entry.json'), longAgo, longAgo);
  }
  await cached(folder, path, { beta: 2 });
  await writeFile(folder.at('cache', 'not-ours.txt'), '');
  await cached(folder, path, { beta: 3 });
  await expect(stat(old.path)).rejects.toThrow('ENOENT');
  await stat(used.path);
  await stat(folder.at('cache', 'not-ours.txt'));
});

test('every external data file is a dependency, and its content is in the key only when it is read', async () => {
  const folder = await tempFolder();
  for (const name of ['vgg-leaky.onnx', 'vgg-leaky.onnx.data'])
    await copyFile(modelPath(name), folder.at(name));
  const path = folder.at('vgg-leaky.onnx');
  const told: string[] = [];
  const plain = await cached(folder, path, {}, (file) => told.push(file));
  expect(told).toEqual([folder.at('vgg-leaky.onnx.data')]);
  expect(plain.data).toMatchObject([
    { location: 'vgg-leaky.onnx.data', path: folder.at('vgg-leaky.onnx.data') },
  ]);
  const folded = await cached(folder, path, { fold: true, beta: 2 });

  const data = bytesOf(folder.at('vgg-leaky.onnx.data'));
  data.fill(0, 0, 4);
  await folder.write('vgg-leaky.onnx.data', data);
  expect((await cached(folder, path)).path).toBe(plain.path);
  expect((await cached(folder, path, { fold: true, beta: 2 })).path).not.toBe(folded.path);
});

test('a number that changes in a data file gives what an empty cache gives', async () => {
  const folder = await tempFolder();
  for (const [at, expression] of EXPRESSIONS.entries()) {
    const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(3), vary: false });
    const { outside, data } = both(parts);
    const path = await folder.write('m.onnx', outside);
    const cachedIn = async (cache: string) =>
      bytesOf((await cached(folder, path, { only: ALL, cacheDir: folder.at(cache) })).path);
    await folder.write('m.data', data);
    await cachedIn('cache');
    const numbers = new Float32Array(data.buffer).map((number) => 0.5 - number);
    await folder.write('m.data', new Uint8Array(numbers.buffer));
    expect(await cachedIn('cache'), JSON.stringify(expression)).toEqual(await cachedIn(`empty-${at}`));
  }
});

test('an error leaves nothing in the cache', async () => {
  const folder = await tempFolder();
  const broken = await folder.write('net.onnx', reluModel().subarray(0, 30));
  expect(await failure(cached(folder, broken))).toMatchObject({
    code: 'malformed',
    where: expect.stringContaining(broken),
  });
  expect(await failure(cached(folder, folder.at('none.onnx')))).toMatchObject({ code: 'io' });
  const old = await folder.write('net.onnx', reluModel({ opset: 13 }));
  expect(await failure(cached(folder, old, { form: 'native' }))).toMatchObject({ code: 'unsupported-form' });
  expect(await folder.list()).toEqual(['net.onnx']);
});

test('the default cache belongs to the nearest package', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('a', 'b'), { recursive: true });
  await folder.write('package.json', '{}');
  const there = folder.at('node_modules', '.cache', 'onnx-mish');
  expect(await findCacheDir(folder.at('a', 'b'))).toBe(there);
  expect(await findCacheDir(folder.path)).toBe(there);
});

test('a changed cached model is swapped again, whether its length changed or not', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const { path: model } = await cached(folder, path);
  const whole = bytesOf(model);
  for (const at of [0, whole.length >> 1, whole.length - 1]) {
    const changed = Uint8Array.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await writeFile(model, changed);
    expect(bytesOf((await cached(folder, path)).path)).toEqual(whole);
  }
});

test('symbolic links in the cache are followed neither for reading nor for writing', async () => {
  const folder = await tempFolder();
  const path = await folder.write('net.onnx', reluModel());
  const { path: model } = await cached(folder, path);
  const whole = bytesOf(model);
  const entry = dirname(model);
  await mkdir(folder.at('outside'));
  for (const place of [model, join(entry, 'entry.json'), entry]) {
    await rm(folder.at('outside'), { recursive: true });
    await rename(place, folder.at('outside'));
    await symlink(folder.at('outside'), place);
    const before = (await folder.list()).filter((name) => name.startsWith('outside'));
    expect(bytesOf((await cached(folder, path)).path)).toEqual(whole);
    expect((await lstat(place)).isSymbolicLink(), place).toBe(false);
    expect((await folder.list()).filter((name) => name.startsWith('outside'))).toEqual(before);
  }
});
