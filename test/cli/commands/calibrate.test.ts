import { mkdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { createRandom, normal } from '../../../src/base/random.js';
import { cli, cliJson, outcome, start } from '../../support/cli.js';
import { readFashion } from '../../support/fashion.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { tensorOf, weightsOf } from '../../support/linear-ops.js';
import { model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';
import { npy, raw } from '../../support/numpy.js';

const WIDTH = 6;

/** Two Gemms with a Relu between them. */
function net(batch: number | string = 'N', extra: Partial<Parameters<typeof model>[0]> = {}): Uint8Array {
  return model({
    nodes: [
      node('Gemm', ['x', 'w1', 'b1'], ['h'], {}, { name: 'first' }),
      node('Relu', ['h'], ['a'], {}, { name: 'act' }),
      node('Gemm', ['a', 'w2', 'b2'], ['y'], {}, { name: 'second' }),
    ],
    initializers: [1, 2].flatMap((layer) => [
      tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], layer)),
      tensorOf(`b${layer}`, [WIDTH], weightsOf([WIDTH], layer + 10)),
    ]),
    inputs: [value('x', 1, [batch, WIDTH])],
    outputs: [value('y', 1, [batch, WIDTH])],
    ...extra,
  });
}

function samples(count: number): Uint8Array {
  const random = createRandom(1);
  const values = Float32Array.from({ length: count * WIDTH }, () => 2 * normal(random));
  const labels = Int32Array.from({ length: count }, (_, index) => index % WIDTH);
  return zipSync({
    'x.npy': npy('<f4', [count, WIDTH], raw(values)),
    'y.npy': npy('<i4', [count], raw(labels)),
  });
}

async function prepared(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', net());
  await folder.write('s.npz', samples(160));
  return folder;
}

const quick = ['calibrate', 'm.onnx', '--data', 's.npz', '--labels', 'y', '--steps', '0'];
const text = async (folder: Folder, name: string) => new TextDecoder().decode(await folder.read(name));

test('calibrate prints tables of layers and outputs, and writes a model with its suffix', async () => {
  const folder = await prepared();
  const { code, stdout, stderr } = await cli(quick, { cwd: folder.path });
  // The default differs from that of earlier versions.
  expect(stderr).toMatch(/^note: β follows from the samples and is folded into weights.*--beta 1 [^\n]*\n$/);
  expect(code).toBe(0);
  expect(await folder.list()).toEqual(['m.mish.onnx', 'm.onnx', 's.npz']);
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('m.onnx → m.mish.onnx');
  expect(stdout).toMatch(/^1 site → Mish in the softplus form, with a separate β for each channel\.$/m);
  expect(stdout).toMatch(
    /^β from the inputs: at least 75 % of them on the bend; folded into weights at 1 of 1 site\. On test samples: median share [\d.]+ %, least [\d.]+ %\. At 1 site each channel has a β of its own; the table has their median\.$/m,
  );
  expect(stdout).toMatch(/^act +relu +Mish +[\d.]+ +[\d.]+ %$/m);
  expect(stdout).toContain(
    '128 samples to fit weights, 16 to choose between fits, 16 to test the result (seed 0).',
  );
  expect(stdout).toMatch(/^layer +operator +numbers +error +after +by$/m);
  expect(stdout).toMatch(
    /^second +Gemm +42 +[\d.]+ % +[\d.]+ % +(least-squares, ridge [\d.e-]+|affine|bias)$/m,
  );
  expect(stdout).toMatch(/^output +model +SQNR, dB +max abs +cosine +agreement +top-1 \(95 %\)$/m);
  expect(stdout).toMatch(/^y +original +[\d.]+ % \([\d.]+ to [\d.]+\)$/m);
  expect(stdout).toMatch(
    /^ +unrepaired swap +[\d.]+ +[\d.]+ +0\.\d+ +[\d.]+ % +[\d.]+ % \([\d.]+ to [\d.]+\)$/m,
  );
  expect(stdout).toMatch(
    /^ +calibrated +[\d.]+ +[\d.]+ +[01][.\d]* +[\d.]+ % +[\d.]+ % \([\d.]+ to [\d.]+\)$/m,
  );
  expect(stdout).toMatch(/^The calibrated model was written \([\d.]+ s\)\.$/m);
});

test('--json prints the calibration, and inspect and undo recognise the model', async () => {
  const folder = await prepared();
  const args = [...quick, '-o', 'out.onnx', '--beta', '1'];
  const { code, json, stderr } = await cliJson(args, { cwd: folder.path });
  expect([code, stderr]).toEqual([0, '']);
  expect(json).toMatchObject({
    ...{ schema: 'onnx-mish/calibration@1', input: 'm.onnx', output: 'out.onnx', kept: 'calibrated' },
    ...{ form: 'softplus', beta: 1, samples: { source: 'npz', seed: 0 }, leftAlone: [] },
  });
  expect(json.bytesOut).toBe((await folder.read('out.onnx')).length);
  const inspected = await cli(['inspect', 'out.onnx'], { cwd: folder.path });
  expect(inspected.stdout).toMatch(/^calibrate by onnx-mish \S+: 1 layer, \w+ form$/m);
  const undone = await cli(['undo', 'out.onnx'], { cwd: folder.path });
  expect([undone.code, undone.stderr]).toEqual([
    2,
    expect.stringContaining('the old ones are gone: go back to the original file'),
  ]);
});

test('the same seed gives the same file', async () => {
  const folder = await prepared();
  for (const [name, seed] of ['1', '1', '2'].entries())
    await cli([...quick, '-o', `${name}.onnx`, '--seed', seed], { cwd: folder.path });
  const [a, b, c] = [await folder.read('0.onnx'), await folder.read('1.onnx'), await folder.read('2.onnx')];
  expect(b).toEqual(a);
  expect(c).not.toEqual(a);
});

describe('options', () => {
  test('--beta auto ends with 1 if the budget was missed, and writes the model', async () => {
    const folder = await prepared();
    const auto = async (limit: string) =>
      cli([...quick, '--force', '--beta', 'auto', '--keep', limit], { cwd: folder.path });
    const missed = await auto('sqnr>=300');
    expect([missed.code, missed.stderr]).toEqual([1, '']);
    expect(missed.stdout).toMatch(/^β for sqnr>=300, after 3 trials: .*: NOT kept\.$/m);
    expect(missed.stdout).toContain(
      'note: no sharpness up to 4 times that of the inputs is within the budget',
    );
    expect(await folder.list()).toContain('m.mish.onnx');
    expect((await auto('sqnr>=3')).code).toBe(0);
  });

  test('--curved sets the share, and excludes --beta with a number', async () => {
    const folder = await prepared();
    const share = async (text: string) =>
      cliJson([...quick, '-o', 'out.onnx', '--force', '--curved', text], { cwd: folder.path });
    const [wide, narrow] = [await share('0.8'), await share('0.7')];
    expect([wide.stderr, wide.json.curved]).toMatchObject(['', { share: 0.8, kept: [], weights: 3 }]);
    expect(narrow.json.sites[0].beta).toBeGreaterThan(wide.json.sites[0].beta);
    expect(narrow.json.sites[0].bends).toBeGreaterThan(0.65);
    expect(narrow.json.sites[0].bends).toBeLessThan(wide.json.sites[0].bends);
    for (const [args, message] of [
      [['--curved', '1.5'], 'must be above 0 and at most 1, got 1.5'],
      [['--curved', '0.8', '--beta', '2'], '--curved chooses β, and --beta gives it'],
    ] as const) {
      const refused = await cli([...quick, '-o', 'no.onnx', ...args], { cwd: folder.path });
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(message)]);
    }
  });

  test('--layers, --ridge, --form and --beta change the calibration', async () => {
    const folder = await prepared();
    const args = [...quick, '-o', 'out.onnx', '--force', '--form', 'exp', '--beta', '2'];
    const one = await cliJson([...args, '--layers', 'sec*', '--ridge', '0.5'], { cwd: folder.path });
    expect(one.json).toMatchObject({ form: 'exp', beta: 2, layers: [{ label: 'second' }] });
    expect(
      one.json.layers[0].tried.map(({ ridge }: { ridge: number | null }) => ridge).filter(Boolean),
    ).toEqual([0.5]);
    const none = await cli([...args, '--layers', 'other'], { cwd: folder.path });
    expect(none.stdout).toContain('The PLAIN SWAP was written: no weight was changed');
  });

  test('--exclude leaves a site unchanged, and a model without sites is copied', async () => {
    const folder = await prepared();
    const { code, stdout } = await cli([...quick, '--exclude', 'act'], { cwd: folder.path });
    expect(code).toBe(0);
    expect(stdout).toContain('The model was written unchanged');
    expect(stdout).toContain('note: the model has no sites to swap');
    expect(await folder.read('m.mish.onnx')).toEqual(net());
  });

  test('the output names gradient steps', async () => {
    const folder = await prepared();
    const { stdout } = await cli([...quick.slice(0, -1), '12'], { cwd: folder.path });
    expect(stdout).toMatch(/^12 gradient steps on all layers: loss on validation samples /m);
  });

  test('--report writes a page, and nothing is overwritten unless forced', async () => {
    const folder = await prepared();
    expect((await cli([...quick, '--report', 'r.html'], { cwd: folder.path })).code).toBe(0);
    expect(await text(folder, 'r.html')).toMatch(/^<!doctype html>.*m\.onnx.*<\/html>\s*$/is);
    const model = await cli([...quick, '--report', 'other.html'], { cwd: folder.path });
    expect([model.code, model.stderr]).toEqual([2, expect.stringContaining('m.mish.onnx')]);
    const report = await cli([...quick, '-o', 'o.onnx', '--report', 'r.html'], { cwd: folder.path });
    expect([report.code, report.stderr]).toEqual([2, expect.stringContaining('r.html')]);
    expect((await cli([...quick, '--report', 'r.html', '--force'], { cwd: folder.path })).code).toBe(0);
    expect(await folder.list()).toEqual(['m.mish.onnx', 'm.onnx', 'r.html', 's.npz']);
  });
});

describe('runs of several samples', () => {
  test('are not used when samples of a run affect each other', async () => {
    const folder = await prepared();
    // The sum over the samples of a run.
    const mixing = net('N', {
      nodes: [
        node('ReduceSum', ['x', 'axis'], ['s'], { keepdims: 1 }),
        node('Add', ['x', 's'], ['z']),
        node('Gemm', ['z', 'w1', 'b1'], ['h']),
        node('Relu', ['h'], ['a']),
        node('Gemm', ['a', 'w2', 'b2'], ['y']),
      ],
      initializers: [
        ...[1, 2].flatMap((layer) => [
          tensorOf(`w${layer}`, [WIDTH, WIDTH], weightsOf([WIDTH, WIDTH], layer)),
          tensorOf(`b${layer}`, [WIDTH], weightsOf([WIDTH], layer + 10)),
        ]),
        { name: 'axis', dataType: 7, dims: [1], rawData: new Uint8Array(8) },
      ],
    });
    await folder.write('mixing.onnx', mixing);
    const { json } = await cliJson(['calibrate', 'mixing.onnx', ...quick.slice(2)], { cwd: folder.path });
    expect(json.samples).toMatchObject({ fit: 120, held: 20, judged: 20 });
  });

  test.each([
    ['unless --dim says how many', 'N', ['--dim', 'N=1'], { fit: 120, held: 20, judged: 20 }],
    ['where the model says how many', 4, [], { fit: 120, held: 20, judged: 20 }],
    ['where --samples are few', 'N', ['--samples', '48'], { fit: 16, held: 16, judged: 16 }],
  ] as const)('%s', async (_, batch, more, expected) => {
    const folder = await prepared();
    await folder.write('m.onnx', net(batch));
    const { json } = await cliJson([...quick, ...more], { cwd: folder.path });
    expect(json.samples).toMatchObject(expected);
  });

  test('a --dim of a symbol that the model does not have is an error with those that it has', async () => {
    const folder = await prepared();
    await folder.write('m.onnx', net('N'));
    const { code, stderr } = await cli([...quick, '--dim', 'M=3'], { cwd: folder.path });
    expect(code).toBe(2);
    expect(stderr).toMatch(/'M'/);
    expect(stderr).toMatch(/N/);
  });
});

describe('noise', () => {
  test('needs --data random, and prints a note that it shows little', async () => {
    const folder = await prepared();
    const none = await cli(['calibrate', 'm.onnx'], { cwd: folder.path });
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('calibrate needs samples')]);
    expect(none.stderr).toContain('--data samples.npz');
    const args = ['calibrate', 'm.onnx', '--data', 'random', '--samples', '128', '--steps', '0'];
    const { code, stdout } = await cli(args, { cwd: folder.path });
    expect(code).toBe(0);
    expect(stdout).toContain(
      '96 noise samples to fit weights, 16 to choose between fits, 16 to test the result',
    );
    expect(stdout).toContain('note: the samples are noise, which the model will never see in use');
    const { json } = await cliJson([...args, '--force'], { cwd: folder.path });
    expect(json.samples).toMatchObject({ source: 'seed', fit: 96 });
  });

  test('has no labels', async () => {
    const folder = await prepared();
    const args = ['calibrate', 'm.onnx', '--data', 'random', '--labels', 'y'];
    const { code, stderr } = await cli(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining('noise has no labels')]);
  });
});

describe('refused', () => {
  test.each([
    [['-o', '-'], 'calibrate reads and writes files'],
    [['-o', 'm.onnx'], 'the output is the input itself'],
    [['--keep', 'sqnr>=30'], '--keep needs --beta auto'],
    [['--beta', 'sharp'], 'Write a number'],
    [['--ridge', '0'], 'Write a number above 0.'],
    [['--rows', '0'], 'Write a whole number of at least 1.'],
    [['--samples', '2'], 'at least three runs of samples'],
    [['--layers'], 'argument missing'],
    [['--form', 'exp', '--target', 'cpu'], 'cannot be used with'],
  ])('%j', async (more, message) => {
    const folder = await prepared();
    const { code, stdout, stderr } = await cli([...quick, ...more], { cwd: folder.path });
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
    expect(await folder.list()).toEqual(['m.onnx', 's.npz']);
  });

  test('standard input, missing files and files that are not models', async () => {
    const { path: cwd } = await prepared();
    const refused = async (...args: string[]) => {
      const { code, stderr } = await cli(['calibrate', ...args], { cwd, input: net() });
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused('-', '--data', 's.npz')).toContain('calibrate reads and writes files');
    expect(await refused('none.onnx', '--data', 's.npz')).toContain('none.onnx: the file does not exist');
    expect(await refused('m.onnx', '--data', 'none.npz')).toContain('none.npz: the file does not exist');
    expect(await refused('s.npz', '--data', 's.npz')).toContain('s.npz');
  });
});

test('data files are copied to another folder, and solved weights are stored in the model', async () => {
  const folder = await prepared();
  const external = (name: string, offset: number, count: number) => ({
    ...{ name, dataType: 1, dataLocation: 1, dims: name.startsWith('w') ? [WIDTH, WIDTH] : [WIDTH] },
    externalData: Object.entries({
      location: 'm.data',
      offset: String(offset),
      length: String(4 * count),
    }).map(([key, entry]) => ({ key, value: entry })),
  });
  const [matrix, vector] = [WIDTH * WIDTH, WIDTH];
  const data = Float32Array.from([
    ...weightsOf([matrix], 1),
    ...weightsOf([vector], 11),
    ...weightsOf([matrix], 2),
    ...weightsOf([vector], 12),
  ]);
  await folder.write('m.data', new Uint8Array(data.buffer));
  const initializers = [
    external('w1', 0, matrix),
    external('b1', 4 * matrix, vector),
    external('w2', 4 * (matrix + vector), matrix),
    external('b2', 4 * (2 * matrix + vector), vector),
  ];
  await folder.write('m.onnx', net('N', { initializers }));
  await mkdir(folder.at('out'));
  const { code, stdout } = await cli([...quick, '-o', 'out/m.onnx'], { cwd: folder.path });
  expect(code).toBe(0);
  expect(stdout).toContain('copied');
  expect((await folder.list()).filter((name) => name.startsWith('out'))).toEqual([
    ...['out/', 'out/m.data', 'out/m.onnx'],
  ]);
  const checked = await cli(
    ['validate', 'm.onnx', 'out/m.onnx', '--data', 's.npz', '--labels', 'y', '--dim', 'N=1', '--no-latency'],
    { cwd: folder.path },
  );
  expect(checked.code).toBe(0);
});

test('Ctrl-C leaves no file', async () => {
  const folder = await tempFolder();
  await folder.write('c.onnx', bytesOf(REAL_MODELS.classifier));
  const noisy = ['--data', 'random', '--samples', '16', '--shape', 'x=1x3x48x96'];
  const child = start(['calibrate', 'c.onnx', ...noisy, '--report', 'r.html'], { cwd: folder.path });
  child.stdin?.end();
  await wait(2500);
  child.kill('SIGINT');
  const { code, stderr } = await outcome(child);
  expect([code, stderr]).toEqual([130, expect.stringContaining('interrupted')]);
  expect(await folder.list()).toEqual(['c.onnx']);
});

test('--help has a description, its options and examples', async () => {
  const { code, stdout } = await cli(['calibrate', '--help']);
  expect(code).toBe(0);
  for (const part of [
    '--data',
    '--layers <glob>',
    '--ridge',
    '--beta',
    'Examples:',
    'The same seed and --steps give the same file',
  ])
    expect(stdout).toContain(part);
  expect(stdout).toMatch(/--report <file>\s[\s\w]*self-contained[^-]*- is\s+standard output/);
  expect(stdout).not.toMatch(/--output <file>[^-]*- is\s+standard output/); // that is for reports
});

test('--int8 calibrates a quantised model, and says what is new', async () => {
  const folder = await tempFolder();
  const quantised = await readFile(new URL('../../mish/int8/u8.onnx', import.meta.url));
  await folder.write('q.onnx', Uint8Array.from(quantised));
  const { images } = readFashion('train', 192);
  await folder.write('s.npz', zipSync({ 'images.npy': npy('<f4', [192, 1, 28, 28], raw(images)) }));
  const given = ['calibrate', 'q.onnx', '--data', 's.npz', '--steps', '0', '--int8', 'qlinear'];
  const { code, stdout } = await cli(given, { cwd: folder.path });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^3 sites → Mish on integers, with a separate β for each\.$/m);
  expect(stdout).toMatch(/3 of them on integers, as x·σ\(ax \+ b\)/);
  expect(stdout).toMatch(
    /^The calibrated model has new scales for \d+ tensors, .* and new numbers in \d+ stored tensors\.$/m,
  );
  expect(stdout).toMatch(
    /^Before its quantisation, the repaired model against the float version of the original: /m,
  );
  expect(await folder.list()).toContain('q.mish.onnx');
});

test.each([
  [['--int8', 'exact', '--to', 'elu'], '--to'],
  [['--int8', 'exact', '--fold'], '--fold'],
])('%j cannot be combined', async (flags, named) => {
  const folder = await prepared();
  const { code, stderr } = await cli([...quick, ...flags], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toContain(named);
});

test('--int8 for a float model says to leave it out', async () => {
  const folder = await prepared();
  const { code, stderr } = await cli([...quick, '--int8', 'exact'], { cwd: folder.path });
  expect(code).toBe(2);
  expect(stderr).toMatch(/the model has no site between quantised tensors/);
});
