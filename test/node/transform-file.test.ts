import { appendFileSync } from 'node:fs';
import { link, mkdir, realpath, stat, symlink } from 'node:fs/promises';
import { relative } from 'node:path';
import { expect, test } from 'vitest';
import { outputName, retargetFile, swapFile, undoFile } from '../../src/node/index.js';
import { tempFolder } from '../support/folder.js';
import { failure, ops, reluModel } from '../support/graph.js';
import { floats, model, node } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { f32, run } from '../support/run.js';

const MISH = ['Softplus', 'Tanh', 'Mul'];

test.each([
  ['net.onnx', 'net.mish.onnx'],
  ['models/net.onnx', 'models/net.mish.onnx'],
  ['/models/net.v1.onnx', '/models/net.v1.mish.onnx'],
  ['/net.onnx', '/net.mish.onnx'],
  ['net', 'net.mish.onnx'],
  ['.onnx', '.onnx.mish.onnx'],
  ['../net.ONNX', '../net.mish.ONNX'],
])('%s becomes %s', (input, output) => {
  expect(outputName(input, 'mish')).toBe(output);
});

test('swap, retarget and undo write beside the input, each under a name of its own', async () => {
  const folder = await tempFolder();
  const bytes = reluModel();
  const input = await folder.write('net.onnx', bytes);
  const swapped = await swapFile(input);
  expect(swapped).toMatchObject({ output: folder.at('net.mish.onnx'), copied: [] });
  expect(swapped.report).toMatchObject({ form: 'softplus', bytesIn: bytes.length });
  expect(ops(await folder.read('net.mish.onnx'))).toEqual(MISH);
  expect(swapped.report.bytesOut).toBe((await stat(swapped.output)).size);

  const retargeted = await retargetFile(swapped.output, { target: 'webgl' });
  expect(retargeted.output).toBe(folder.at('net.mish.webgl.onnx'));
  expect(ops(await folder.read('net.mish.webgl.onnx'))).toContain('Exp');
  const native = await retargetFile(swapped.output, { form: 'native' });
  expect(native.output).toBe(folder.at('net.mish.native.onnx'));
  expect(ops(await folder.read('net.mish.native.onnx'))).toEqual(['Mish']);

  const undone = await undoFile(swapped.output);
  expect(undone).toMatchObject({
    output: folder.at('net.mish.undone.onnx'),
    report: { bytes: bytes.length },
  });
  expect(await folder.read('net.mish.undone.onnx')).toEqual(bytes);
  expect(await folder.read('net.onnx')).toEqual(bytes);
  expect(await folder.list()).toHaveLength(5);
});

test('the file that is written runs, and gives Mish', async () => {
  const folder = await tempFolder();
  const { output } = await swapFile(await folder.write('net.onnx', reluModel()), { form: 'exp' });
  const x = [-3, -0.5, 0, 2];
  const { y } = await run(await folder.read(relative(folder.path, output)), { x: f32(x, [1, 4]) });
  x.forEach((value, index) => {
    expect(y?.[index]).toBeCloseTo(value * Math.tanh(Math.log1p(Math.exp(value))), 5);
  });
});

test('a model without a site comes out byte for byte', async () => {
  const folder = await tempFolder();
  const bytes = model({ nodes: [node('Sigmoid', ['x'], ['y'])] });
  const input = await folder.write('net.onnx', bytes);
  await swapFile(input);
  expect(await folder.read('net.mish.onnx')).toEqual(bytes);
  await retargetFile(input, { form: 'exp' });
  expect(await folder.read('net.exp.onnx')).toEqual(bytes);
});

test('a model that others trained: swapped, swapped again in place, and undone', async () => {
  const folder = await tempFolder();
  const bytes = bytesOf(REAL_MODELS.detector);
  const input = await folder.write('net.onnx', bytes);
  const { output } = await swapFile(input, { output: folder.at('net.onnx'), force: true });
  expect(output).toBe(input);
  const once = await folder.read('net.onnx');
  expect(once.length).toBeGreaterThan(bytes.length);
  await swapFile(input, { output: input, force: true });
  expect(Buffer.compare(await folder.read('net.onnx'), once)).toBe(0); // toEqual takes seconds here
  await undoFile(input, { output: input, force: true });
  expect(Buffer.compare(await folder.read('net.onnx'), bytes)).toBe(0);
  expect(await folder.list()).toEqual(['net.onnx']);
});

test('a model that is read in blocks is swapped and undone', async () => {
  const folder = await tempFolder();
  const weights = Array.from({ length: 2_500_000 }, (_, index) => Math.sin(index));
  const bytes = reluModel({ initializers: [floats('w', [weights.length], weights)] });
  const { output } = await swapFile(await folder.write('net.onnx', bytes));
  expect((await stat(output)).size).toBeGreaterThan(bytes.length);
  await undoFile(output, { output: folder.at('undone.onnx') });
  expect(Buffer.compare(await folder.read('undone.onnx'), bytes)).toBe(0);
});

test('the input is not written over, whatever name it goes by', async () => {
  const folder = await tempFolder();
  const bytes = reluModel();
  const input = await folder.write('net.onnx', bytes);
  await symlink('net.onnx', folder.at('soft.onnx'));
  await link(input, folder.at('hard.onnx'));
  await symlink('.', folder.at('here'));
  const cases = {
    'net.onnx': 'the output is the input itself',
    'here/net.onnx': 'the output is the input itself',
    'soft.onnx': 'the output is the input itself under another name',
    'hard.onnx': 'the output is the input itself under another name',
  };
  for (const [name, what] of Object.entries(cases)) {
    const where = folder.at(name);
    // By another name it is not what --force asks for, either.
    for (const force of name.endsWith('/net.onnx') || name === 'net.onnx' ? [false] : [false, true]) {
      const refused = { code: 'io', what };
      expect(await failure(swapFile(input, { output: where, force })), name).toMatchObject({
        ...refused,
        where,
      });
      expect(await failure(swapFile(where, { output: input, force })), name).toMatchObject(refused);
    }
  }
  expect(await realpath(folder.at('soft.onnx'))).toBe(await realpath(input));
  expect(await folder.read('net.onnx')).toEqual(bytes);
});

test('an existing output is refused before the input is even read', async () => {
  const folder = await tempFolder();
  const input = await folder.write('net.onnx', 'no model at all');
  const output = await folder.write('out.onnx', 'old');
  expect(await failure(swapFile(input, { output }))).toMatchObject({
    code: 'io',
    where: output,
    what: 'the file exists already',
  });
  expect(await failure(swapFile(input, { output: folder.path, force: true }))).toMatchObject({
    what: 'this is a folder',
  });
});

test('what is wrong with the input leaves no output', async () => {
  const folder = await tempFolder();
  await mkdir(folder.at('folder'));
  await folder.write('text', 'no model at all');
  await folder.write('plain.onnx', reluModel());
  const output = folder.at('out.onnx');
  expect(await failure(swapFile(folder.at('absent'), { output }))).toMatchObject({ code: 'io' });
  expect(await failure(swapFile(folder.at('folder'), { output }))).toMatchObject({ code: 'io' });
  expect(await failure(swapFile(folder.at('text'), { output }))).toMatchObject({ code: 'not-onnx' });
  expect(await failure(undoFile(folder.at('plain.onnx'), { output }))).toMatchObject({ code: 'cannot-undo' });
  expect(await folder.list()).toEqual(['folder/', 'plain.onnx', 'text']);
});

test('a check of the caller is made before anything has its name', async () => {
  const folder = await tempFolder();
  const input = await folder.write('net.onnx', reluModel());
  const verify = async () => {
    throw new Error('not like this');
  };
  expect(await failure(swapFile(input, { verify }))).toMatchObject({ message: 'not like this' });
  expect(await folder.list()).toEqual(['net.onnx']);
});

test('an input that is written to meanwhile gives no output', async () => {
  const folder = await tempFolder();
  const input = await folder.write('net.onnx', reluModel());
  const onProgress = () => appendFileSync(input, 'x');
  for (const start of [swapFile, retargetFile]) {
    const work = start(input, { form: 'exp', onProgress });
    expect(await failure(work)).toMatchObject({
      code: 'io',
      where: input,
      what: 'the file was changed by another process while it was being read',
    });
    await folder.write('net.onnx', reluModel());
  }
  expect(await folder.list()).toEqual(['net.onnx']);
});
