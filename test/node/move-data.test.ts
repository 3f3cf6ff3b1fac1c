import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { inlineExternalData, swap } from '../../src/index.js';
import { getProvider, retargetFile, swapFile, undoFile } from '../../src/node/index.js';
import { scan } from '../../src/onnx/scan.js';
import { cli, cliJson } from '../support/cli.js';
import { BIAS, BIAS_BYTES, externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';
import { ALL, both, EXPRESSIONS } from '../support/outside-numbers.js';
import { spell } from '../support/spellings.js';

/** Makes a folder with a model and its data file, and an empty folder. */
async function modelFolder(location = 'net.bin') {
  const folder = await tempFolder();
  for (const name of ['in', 'out']) await mkdir(folder.at(name));
  const input = await folder.write('in/net.onnx', externalModel(location));
  await folder.write(`in/${location}`, BIAS_BYTES);
  await folder.write('out/.keep', '');
  return { ...folder, input };
}

const mish = (x: number) => x * Math.tanh(Math.log1p(Math.exp(x)));

async function expectMish(model: string | Uint8Array): Promise<void> {
  const session = await getProvider('cpu').open(model);
  const { y } = await session.run({ x: { elemType: 'f32', dims: [1, 4], data: new Float32Array(4) } });
  await session.close();
  const values = Array.from((y?.data ?? []) as Float32Array);
  expect(values).toHaveLength(BIAS.length);
  values.forEach((value, at) => {
    expect(value).toBeCloseTo(mish(BIAS[at] ?? 0), 5);
  });
}

test('inline writes one file, and undo restores the model with its weights inside', async () => {
  const folder = await modelFolder();
  const output = folder.at('out/net.onnx');
  const { copied, data, report } = await swapFile(folder.input, { output, externalData: 'inline' });
  expect([copied, data, report.sites.length]).toEqual([[], undefined, 1]);
  expect((await folder.list()).filter((name) => name.startsWith('out/'))).toEqual([
    'out/',
    'out/.keep',
    'out/net.onnx',
  ]);
  await expectMish(output);
  const undone = await undoFile(output);
  const whole = await inlineExternalData(await readFile(folder.input), [
    { path: 'net.bin', data: BIAS_BYTES },
  ]);
  expect(new Uint8Array(await readFile(undone.output))).toEqual(await whole.bytes());
});

test('file moves weights out, and undo restores the model that refers to the new file', async () => {
  const folder = await modelFolder();
  const inside = folder.at('out/inside.onnx');
  await swapFile(folder.input, { output: inside, externalData: 'inline', include: ['none'] });
  for (const input of [folder.input, inside]) {
    const output = folder.at('out/moved.onnx');
    const { data } = await swapFile(input, { output, externalData: 'file', force: true });
    // The bias is smaller than a weight that moves out of a model.
    expect(data).toBe(input === inside ? undefined : `${output}.data`);
    await expectMish(output);
    const undone = await undoFile(output, { output: folder.at('out/undone.onnx'), force: true });
    const { external } = await scan(await readFile(undone.output));
    expect(external.map(({ tensor }) => tensor.external?.get('location'))).toEqual(
      input === inside ? [] : ['moved.onnx.data'],
    );
  }
  expect(new Uint8Array(await readFile(folder.at('out/moved.onnx.data')))).toEqual(BIAS_BYTES);
});

test('retarget moves weights, and the result is one whose Mish is in another form', async () => {
  const folder = await modelFolder();
  const { output } = await swapFile(folder.input);
  const moved = await retargetFile(output, {
    form: 'exp',
    externalData: 'inline',
    output: folder.at('out/exp.onnx'),
  });
  expect(moved.report.sites).toHaveLength(1);
  await expectMish(moved.output);
});

test('folding reads the weights where they were moved', async () => {
  const folder = await modelFolder();
  for (const externalData of ['inline', 'file'] as const) {
    const output = folder.at(`out/${externalData}.onnx`);
    const { report } = await swapFile(folder.input, { output, externalData, fold: true, beta: 4 });
    expect(report.sites).toHaveLength(1);
  }
});

test('numbers in a data file tell as much where the weights move as where they stay', async () => {
  const folder = await tempFolder();
  for (const expression of EXPRESSIONS) {
    const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(5), vary: false });
    const { inside, outside, data } = both(parts);
    const path = await folder.write('m.onnx', outside);
    await folder.write('m.data', data);
    const { report } = await swap(inside, { only: ALL });
    for (const externalData of ['keep', 'inline', 'file'] as const) {
      const moved = await swapFile(path, {
        only: ALL,
        externalData,
        output: folder.at('o.onnx'),
        force: true,
      });
      expect(moved.report.sites, `${externalData} ${JSON.stringify(expression)}`).toEqual(report.sites);
    }
  }
});

test('a new data file replaces no file, and no file that is read', async () => {
  const folder = await modelFolder('moved.onnx.data');
  const before = await folder.list();
  const output = folder.at('in/moved.onnx');
  const own = await failure(swapFile(folder.input, { output, externalData: 'file', force: true }));
  expect(own).toMatchObject({ code: 'external-data', message: expect.stringContaining('file that is read') });
  await folder.write('out/new.onnx.data', 'precious');
  const taken = await failure(
    swapFile(folder.input, { output: folder.at('out/new.onnx'), externalData: 'file' }),
  );
  expect(taken).toMatchObject({ code: 'io', message: expect.stringContaining('exists already') });
  expect(await folder.list()).toEqual([...before, 'out/new.onnx.data'].sort());
  expect(await readFile(folder.at('out/new.onnx.data'), 'utf8')).toBe('precious');
});

test('an outside location is refused for each choice', async () => {
  const folder = await modelFolder('../secret.bin');
  for (const externalData of ['inline', 'file', 'keep'] as const) {
    const error = await failure(swapFile(folder.input, { output: folder.at('out/a.onnx'), externalData }));
    expect(error).toMatchObject({ code: 'external-data', option: { allowOutsideData: null } });
  }
  const wrong = { output: folder.at('out/a.onnx'), allowOutsideData: true, externalData: 'else' as 'file' };
  expect(await failure(swapFile(folder.input, wrong))).toMatchObject({ code: 'bad-usage' });
});

test('a model in memory takes its data from memory', async () => {
  const model = externalModel('net.bin');
  const whole = await inlineExternalData(model, [{ path: 'net.bin', data: new Blob([BIAS_BYTES]) }]);
  const { output } = await swap(await whole.bytes());
  await expectMish(await output.bytes());
  const missing = await failure(inlineExternalData(model, []));
  expect(missing).toMatchObject({ code: 'external-data', fix: "Pass the file: { path: 'net.bin', data }" });
});

test('the command says where the weights are, and writes one file to a pipe', async () => {
  const folder = await modelFolder();
  const swapped = await cli(['swap', 'net.onnx', '--external-data', 'file'], { cwd: folder.at('in') });
  expect(swapped.stdout).toContain('the weights are in net.mish.onnx.data, where undo leaves them');
  const { json } = await cliJson(['swap', 'net.onnx', '--external-data', 'file', '-o', 'b.onnx'], {
    cwd: folder.at('in'),
  });
  expect(json.data).toBe('b.onnx.data');
  const piped = await cli([
    'swap',
    join(folder.at('in'), 'net.onnx'),
    '--external-data',
    'inline',
    '-o',
    '-',
  ]);
  await expectMish(piped.bytes);
  const device = await cli(['swap', 'net.onnx', '--external-data', 'file', '-o', '/dev/null'], {
    cwd: folder.at('in'),
  });
  expect(device).toMatchObject({ code: 2, stderr: expect.stringContaining('has no folder for a data file') });
});

test('validate swaps a model with external data without a second file', async () => {
  const folder = await modelFolder();
  const before = await folder.list();
  const { json } = await cliJson(['validate', folder.input, '--no-latency']);
  expect(json.providers[0]).toMatchObject({ provider: 'cpu', status: 'ran' });
  expect(await folder.list()).toEqual(before);
});
