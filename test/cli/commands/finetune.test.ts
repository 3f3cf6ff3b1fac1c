import { writeFile } from 'node:fs/promises';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { parseFinetuneReport } from '../../../src/finetune/report-schema.js';
import { CLASSES, classified, classifiedArchive, classifier, FEATURES } from '../../support/classified.js';
import { cli, cliJson, outcome, start } from '../../support/cli.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { npy, raw } from '../../support/numpy.js';
import { NO_MOUNT, smallDisk } from '../../support/small-disk.js';

async function prepared(count = 200): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', classifier());
  await folder.write('s.npz', classifiedArchive(count));
  return folder;
}

const labelled = ['finetune', 'm.onnx', '--data', 's.npz', '--labels', 'y'];
const quick = [...labelled, '--epochs', '2', '--batch', '16', '--no-calibrate', '--threads', '1'];
const files = ['m.mish.onnx', 'm.onnx', 's.npz'];

test('finetune writes a model, prints its scores and a conclusion, and removes the checkpoint', async () => {
  const folder = await prepared();
  const { code, stdout, stderr } = await cli(quick, { cwd: folder.path });
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/^note: all trainings take about [\d.]+ s\n$/);
  expect(await folder.list()).toEqual(files);
  expect(stdout.split('\n')[0]).toBe('m.onnx → m.mish.onnx');
  for (const part of ['1 site → Mish', 'Mish, trained', 'original, trained', 'interval', 'McNemar', 'note: '])
    expect(stdout).toContain(part);
});

test('--json is a report, which `report` shows again, also as a page', async () => {
  const folder = await prepared();
  const { code, json } = await cliJson([...quick, '--json', '--no-control'], { cwd: folder.path });
  expect(code).toBe(0);
  const report = parseFinetuneReport(json);
  expect(json).toMatchObject({ input: 'm.onnx', output: 'm.mish.onnx', model: 'm.onnx', comparison: null });
  await folder.write('r.json', JSON.stringify(json));
  const shown = await cli(['report', 'r.json'], { cwd: folder.path });
  expect(shown.stdout).toContain(report.conclusion);
  const page = await cli(['report', 'r.json', '--html', 'r.html'], { cwd: folder.path });
  expect(page.stdout).toBe('r.json → r.html\n');
  expect(new TextDecoder().decode(await folder.read('r.html'))).toContain('onnx-mish finetune');
  const again = await cliJson(['report', 'r.json', '--json'], { cwd: folder.path });
  expect(again.json).toEqual(report);
  for (const [args, what] of [
    [['--junit', 'r.xml'], 'no verdicts'],
    [['r.json'], 'cannot be compared'],
  ] as const) {
    const wrong = await cli(['report', 'r.json', ...args], { cwd: folder.path });
    expect([wrong.code, wrong.stderr.includes(what)]).toEqual([2, true]);
  }
});

test('the patience of a configuration is for runs with a validation part', async () => {
  const folder = await prepared(64);
  await folder.write('onnx-mish.config.json', JSON.stringify({ finetune: { patience: 2 } }));
  const at = { cwd: folder.path };
  const { code, json } = await cliJson([...quick, '--no-control', '--validation', '0'], at);
  expect([code, json.settings.patience, json.data.validation]).toEqual([0, null, 0]);
  const refused = await cli([...quick, '--validation', '0', '--patience', '2'], at);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    'onnx-mish: --patience has no effect with --validation 0\n  Leave it out.\n',
  ]);
});

test('several labels of a sample are trained with bce, and one line says so', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', classifier());
  const { x, labels } = classified(96);
  const several = Uint8Array.from({ length: 96 * CLASSES }, (_, at) =>
    Number((labels[Math.floor(at / CLASSES)] ?? 0) <= at % CLASSES),
  );
  const y = npy('|u1', [96, CLASSES], several);
  await folder.write('s.npz', zipSync({ 'x.npy': npy('<f4', x.dims, raw(x.data)), 'y.npy': y }));
  const { code, json, stderr } = await cliJson([...quick, '--no-control', '--json'], { cwd: folder.path });
  const note = 'The loss is bce, since each score of the model has a label of its own, 0 or 1';
  expect([code, json.settings.loss, json.notes[0]]).toEqual([0, 'bce', note]);
  expect(stderr.split('\n')[0]).toBe(`note: ${note} (--loss)`);
});

test('--images takes a folder for each class', async () => {
  const sharp = (await import('sharp')).default;
  const { mkdir } = await import('node:fs/promises');
  const { floats, model, node, value } = await import('../../support/model.js');
  const folder = await tempFolder();
  for (const [index, name] of ['a', 'b'].entries()) {
    await mkdir(folder.at('images', name), { recursive: true });
    for (let at = 0; at < 12; at++) {
      const background = { r: 200 * index + at, g: 30, b: 200 - 200 * index };
      await sharp({ create: { width: 9, height: 8, channels: 3, background } })
        .png()
        .toFile(folder.at('images', name, `${at}.png`));
    }
  }
  const weights = Array.from({ length: 27 * 4 }, (_, at) => Math.sin(at));
  await folder.write(
    'm.onnx',
    model({
      nodes: [
        node('Conv', ['x', 'w'], ['c']),
        node('Relu', ['c'], ['a']),
        node('GlobalAveragePool', ['a'], ['p']),
        node('Flatten', ['p'], ['f']),
        node('Gemm', ['f', 'v'], ['y']),
      ],
      initializers: [floats('w', [4, 3, 3, 3], weights), floats('v', [4, 2], [1, 0, 0, 1, 1, 1, -1, 1])],
      inputs: [value('x', 1, ['N', 3, 8, 8])],
      outputs: [value('y', 1, ['N', 2])],
    }),
  );
  const args = ['finetune', 'm.onnx', '--images', 'images', '--augment', 'flip,crop', '--batch', '4'];
  const { code, json, stderr } = await cliJson(
    [...args, '--epochs', '2', '--no-calibrate', '--no-control', '--json'],
    { cwd: folder.path },
  );
  expect(code, stderr).toBe(0);
  expect(json).toMatchObject({ data: { source: 'images', classes: 2, train: 20, validation: 2, test: 2 } });
});

test('a stopped training goes on with --resume to the bytes of a training without a stop', async () => {
  const [whole, folder] = [await prepared(), await prepared()];
  await cli([...quick, '--no-control'], { cwd: whole.path });
  const long = [...quick, '--no-control'];
  // The checkpoint of the first epoch, as a stop leaves it.
  const child = start([...labelled, '--epochs', '200000', '--batch', '16', '--no-calibrate'], {
    cwd: folder.path,
  });
  const ended = outcome(child);
  while (!(await folder.list()).includes('m.mish.onnx.checkpoint') && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  expect(code, stderr).toBe(130);
  expect(stderr).toContain(
    "The checkpoint 'm.mish.onnx.checkpoint' has what was done before, up to the last whole epoch",
  );
  expect(stderr).toContain('--resume');
  expect(await folder.list()).toEqual(['m.mish.onnx.checkpoint', 'm.onnx', 's.npz']);

  const refused = await cli(long, { cwd: folder.path });
  expect([refused.code, refused.stderr.includes('checkpoint of an earlier training')]).toEqual([2, true]);
  const other = await cli([...long, '--resume'], { cwd: folder.path });
  expect([other.code, other.stderr.includes('other options')]).toEqual([2, true]);
  expect(other.stderr).toContain('m.mish.onnx.checkpoint: the checkpoint is of another model');
  const anew = await cli([...long, '--force'], { cwd: folder.path });
  expect(anew.code, anew.stderr).toBe(0);
  expect(await folder.list()).toEqual(files);
  expect(await folder.read('m.mish.onnx')).toEqual(await whole.read('m.mish.onnx'));
  const missing = await cli([...long, '--resume', '--force'], { cwd: folder.path });
  expect([missing.code, missing.stderr.includes('the checkpoint does not exist')]).toEqual([2, true]);
});

test('a full disk at a checkpoint gives one error, and the checkpoint before it stays', async (context) => {
  const folder = await prepared();
  const disk = await smallDisk(folder, 'size=1m');
  if (disk === undefined) return context.skip(NO_MOUNT);
  await disk.write('m.onnx', await folder.read('m.onnx'));
  await disk.write('s.npz', await folder.read('s.npz'));
  await disk.leave(0);
  const { code, stderr } = await cli(quick, { cwd: disk.path });
  expect(code).toBe(2);
  expect(stderr.match(/^onnx-mish: /gm)).toHaveLength(1);
  expect(stderr).toMatch(/m\.mish\.onnx\.checkpoint: .*(space|full)/i);
  expect(await disk.list()).toEqual(['ballast', 'm.onnx', 's.npz']);
});

test.each([
  [['finetune', 'm.onnx'], 'needs labelled samples'],
  [['finetune', 'm.onnx', '--data', 's.npz'], 'have no labels'],
  [['finetune', 'm.onnx', '--data', 's.npz', '--labels', 'z'], "array 'z' for the labels is missing"],
  [['finetune', 'm.onnx', '--data', 's.npz', '--labels', 'x'], "the labels 'x' are f32"],
  [[...quick, '--batch', '900'], 'a batch of 900 is larger'],
  [[...quick, '--optimizer', 'adam', '--momentum', '0.5'], 'adam has no momentum'],
  [[...quick, '--head', 'none'], "no output 'none'"],
  [[...quick, '-o', 'm.onnx'], 'the output is the input itself'],
  [[...quick, '--freeze', '*'], 'no weights'],
  [[...quick, '--test', 'absent.npz'], 'absent.npz'],
  [[...quick, '--report', 'm.mish.onnx'], 'cannot go to the same file'],
])('%j is one clear error, and writes nothing', async (args, what) => {
  const folder = await prepared();
  const { code, stderr, stdout } = await cli(args, { cwd: folder.path });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(what);
  expect(stderr.match(/^onnx-mish: /gm)).toHaveLength(1);
  expect(await folder.list()).toEqual(['m.onnx', 's.npz']);
});

test('NaN in the data and one class only are named with their file', async () => {
  const folder = await prepared();
  const { x, labels } = classified(60);
  x.data[9] = Number.NaN;
  const archive = (values: Float32Array, classes: Uint8Array) =>
    zipSync({ 'x.npy': npy('<f4', x.dims, raw(values)), 'y.npy': npy('|u1', [60], classes) });
  await writeFile(folder.at('s.npz'), archive(x.data, labels));
  expect((await cli(quick, { cwd: folder.path })).stderr).toMatch(/^onnx-mish: s\.npz: .*NaN in sample 2/);
  const targets = new Float32Array(60 * CLASSES).map((_, at) => (at === 5 * CLASSES ? Number.NaN : at % 2));
  const others = { 'x.npy': npy('<f4', x.dims, raw(classified(60).x.data)) };
  const t = { 't.npy': npy('<f4', [60, CLASSES], raw(targets)) };
  await writeFile(folder.at('s.npz'), zipSync({ ...others, ...t }));
  const told = await cli(['finetune', 'm.onnx', '--data', 's.npz', '--targets', 't', '--loss', 'mse'], {
    cwd: folder.path,
  });
  expect(told.stderr).toMatch(/^onnx-mish: s\.npz: .*NaN in sample 5/);
  await writeFile(folder.at('s.npz'), archive(classified(60).x.data, new Uint8Array(60)));
  expect((await cli(quick, { cwd: folder.path })).stderr).toContain('all labels are 0');
});

test('weights from a data file go to a new data file beside the output', async () => {
  const { model, node, value } = await import('../../support/model.js');
  const folder = await prepared();
  const data = new Float32Array(FEATURES * CLASSES).map((_, at) => Math.cos(at));
  await folder.write('w.data', raw(data));
  const entry = (key: string, text: string) => ({ key, value: text });
  await folder.write(
    'm.onnx',
    model({
      nodes: [node('Gemm', ['x', 'w'], ['h']), node('Relu', ['h'], ['a']), node('Gemm', ['a', 'v'], ['y'])],
      initializers: [
        {
          ...{ name: 'w', dims: [FEATURES, CLASSES], dataType: 1, dataLocation: 1 },
          externalData: [entry('location', 'w.data'), entry('offset', '0'), entry('length', '48')],
        },
        { name: 'v', dims: [CLASSES, CLASSES], dataType: 1, floatData: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
      ],
      inputs: [value('x', 1, ['N', FEATURES])],
      outputs: [value('y', 1, ['N', CLASSES])],
    }),
  );
  const { code, stdout, stderr } = await cli(quick, { cwd: folder.path });
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('  weights in m.mish.onnx.data\n');
  expect(await folder.list()).toEqual(['m.mish.onnx', 'm.mish.onnx.data', 'm.onnx', 's.npz', 'w.data']);
  expect(await folder.read('w.data')).toEqual(raw(data));
  const trained = await folder.read('m.mish.onnx.data');
  expect(trained).toHaveLength(48);
  expect(trained).not.toEqual(raw(data));
  const inspected = await cliJson(['inspect', 'm.mish.onnx', '--json'], { cwd: folder.path });
  expect(inspected.json).toMatchObject({ externalData: ['m.mish.onnx.data'] });
  const run = await cli(['validate', 'm.onnx', 'm.mish.onnx', '--no-latency', '--dim', 'N=4'], {
    cwd: folder.path,
  });
  expect(run.code, run.stderr).toBe(0);
  const again = await cli([...quick, '-o', 'other.onnx'], { cwd: folder.path });
  expect(again.code, again.stderr).toBe(0);
  await folder.write('third.onnx.data', 'mine');
  const refused = await cli([...quick, '-o', 'third.onnx'], { cwd: folder.path });
  expect([refused.code, refused.stderr.includes('third.onnx.data')]).toEqual([2, true]);
});
