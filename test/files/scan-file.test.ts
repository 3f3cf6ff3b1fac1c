import { mkdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { swapToCache } from '../../src/bundler/cache.js';
import { withDocument } from '../../src/files/with-document.js';
import { inspect } from '../../src/mish/inspect.js';
import { inspectDocument } from '../../src/mish/inspect-document.js';
import { swapFile, undoFile } from '../../src/node/transform-file.js';
import { candidateAt } from '../../src/node/validate-files.js';
import { cli, cliJson } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { ops, swapped } from '../support/graph.js';
import { ALL, both, EXPRESSIONS } from '../support/outside-numbers.js';
import { spell } from '../support/spellings.js';

const short = ({ sites, skipped, mish }: Awaited<ReturnType<typeof inspect>>) => ({
  sites: sites.map(({ kind, output, alpha }) => `${kind} ${output} ${alpha}`),
  skipped: skipped.map(({ kind, why }) => `${kind} ${why}`),
  mish: mish.length,
});

test('numbers in a data file tell as much as numbers in the model', async () => {
  const folder = await tempFolder();
  const [first] = EXPRESSIONS;
  for (const expression of EXPRESSIONS) {
    const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(3), vary: false });
    const { inside, outside, data } = both(parts);
    const path = await folder.write('m.onnx', outside);
    await folder.write('m.data', data);
    const name = JSON.stringify(expression);
    const found = await withDocument(path, (document) => inspectDocument(document, { only: ALL }));
    expect(short(found), name).toEqual(short(await inspect(inside, { only: ALL })));
    if (expression === first)
      for (const args of [
        ['inspect', 'm.onnx'],
        ['inspect', 'm.onnx', 'm.onnx'],
      ])
        expect((await cli(args, { cwd: folder.path })).stdout).toMatch(
          args.length > 2 ? / 1\n/ : /1 Mish in it already/,
        );
    const cached = await swapToCache(path, { only: ALL, cacheDir: folder.at('cache') }, () => {});
    expect(ops(new Uint8Array(await readFile(cached.path))), name).toEqual(
      ops((await swapped(inside, { only: ALL })).bytes),
    );
    const { report } = await swapped(inside, { only: ALL });
    const written = await swapFile(path, { only: ALL, output: folder.at('o.onnx'), force: true });
    expect(written.report.sites, name).toEqual(report.sites);
    if (report.sites.length === 0) continue;
    await undoFile(folder.at('o.onnx'), { output: folder.at('u.onnx'), force: true });
    expect(await folder.read('u.onnx'), name).toEqual(outside);
  }
});

test('numbers in a file outside of the folder tell as much where that is allowed, to each that describes a model', async () => {
  const folder = await tempFolder();
  const random = createRandom(3);
  const parts = spell(EXPRESSIONS[0] ?? 'x', { type: 'f32', opset: 17, random, vary: false });
  const { outside, data } = both(parts, '../m.data');
  await mkdir(folder.at('in'));
  await folder.write('in/m.onnx', outside);
  await folder.write('m.data', data);
  const count = async (...args: string[]) => {
    const { json } = await cliJson(['inspect', ...args, '--only', ALL.join()], { cwd: folder.at('in') });
    return json.mish.length;
  };
  const models = [['m.onnx'], ['m.onnx', '--shard', '1/1']];
  for (const model of models) expect(await count(...model), model.join(' ')).toBe(0);
  for (const model of models) expect(await count(...model, '--allow-outside-data'), model.join(' ')).toBe(1);
  const described = (allowOutsideData: boolean) =>
    candidateAt(folder.at('in/m.onnx'), 'm', { session: { allowOutsideData } });
  expect((await described(false)).info.mish).toEqual([]);
  expect((await described(true)).info.mish).toHaveLength(1);
});

test('numbers that cannot be read stay unknown', async () => {
  const folder = await tempFolder();
  const parts = spell(EXPRESSIONS[0] ?? 'x', {
    type: 'f32',
    opset: 17,
    random: createRandom(3),
    vary: false,
  });
  const { outside } = both(parts);
  const path = await folder.write('m.onnx', outside);
  const inspected = () => withDocument(path, (document) => inspectDocument(document, { only: ALL }));
  expect(short(await inspected())).toEqual({ sites: [], skipped: [], mish: 0 });
  expect((await inspected()).notes.slice(-1)).toEqual([
    expect.stringMatching(/^numbers of the model are in data files/),
  ]);
  expect((await inspect(outside)).notes).toHaveLength(1);
  await folder.write('m.data', new Uint8Array(2));
  expect(short(await inspected())).toEqual({ sites: [], skipped: [], mish: 0 });
});
