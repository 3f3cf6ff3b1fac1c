import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { cli, cliJson } from '../support/cli.js';
import { BIAS_BYTES, externalModel } from '../support/external.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { model, node } from '../support/model.js';
import { REAL_MODELS } from '../support/models.js';
import { withDataOutside } from '../support/quantised.js';
import { normals, rankedModel, samplesFile } from '../support/ranked.js';

async function prepared(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', rankedModel);
  const values = normals(30);
  await folder.write('s.npz', samplesFile(values));
  await folder.write(
    'labelled.npz',
    samplesFile(
      values,
      Array.from({ length: 30 }, (_, index) => index % 4),
    ),
  );
  return folder;
}

const FILES = ['labelled.npz', 'm.onnx', 's.npz'];
const KEEP = ['--data', 's.npz', '--keep'];
const nodes = (sites: readonly { node: string }[]) => sites.map(({ node }) => node).toSorted();

test('swap --keep writes a model with the sites that fit, and prints the result on both subsets', async () => {
  const folder = await prepared();
  const { code, stdout, stderr } = await cli(['swap', 'm.onnx', ...KEEP, 'max-abs<=0.001'], {
    cwd: folder.path,
  });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('m.onnx → m.mish.onnx\n  2 Relu → Mish in the softplus form\n');
  expect(stdout).toMatch(/^ {2}2 of 3 sites within max-abs<=0.001 \(\d+ models tried\)$/m);
  expect(stdout).toMatch(/^ {4}all, searched +3 sites +20 samples +agreement .* max abs 0\.\d+/m);
  expect(stdout).toMatch(
    /^ {4}swapped, searched +2 sites +20 samples +agreement 100 %, SQNR .* max abs 3\.\de-4/m,
  );
  expect(stdout).toMatch(
    /^ {4}swapped, held out +2 sites +10 samples +agreement 100 %, SQNR .* max abs [23]\.\de-4/m,
  );
  expect(stdout).toContain('skipped Relu harmful: not swapped, since the budget would be exceeded');
  const { json } = await cliJson(['inspect', 'm.mish.onnx'], { cwd: folder.path });
  expect(nodes(json.sites)).toEqual(['harmful']);
  await cli(['undo', 'm.mish.onnx', '-o', 'again.onnx'], { cwd: folder.path });
  expect(await folder.read('again.onnx')).toEqual(rankedModel);
});

test('swap --keep --json prints the selection', async () => {
  const { path: cwd } = await prepared();
  const { code, json } = await cliJson(['swap', 'm.onnx', ...KEEP, 'sqnr>=500', '--target', 'cpu'], { cwd });
  expect(code).toBe(0);
  expect(json).toMatchObject({ input: 'm.onnx', output: 'm.mish.onnx', form: 'exp' });
  expect(nodes(json.sites)).toEqual(['safe']);
  expect(nodes(json.skipped)).toEqual(['faint', 'harmful']);
  expect(json.keep).toMatchObject({
    budget: [{ measure: 'sqnr', limit: 500 }],
    of: 3,
    takenBack: 0,
    searched: { sites: 1, samples: 20, verdicts: [{ kept: true }] },
    heldOut: { sites: 1, samples: 10, verdicts: [{ kept: true }] },
    everything: { sites: 3, verdicts: [{ kept: false }] },
  });
});

test('--dry-run writes nothing, and with --json gives the plan', async () => {
  const folder = await prepared();
  const dry = ['swap', 'm.onnx', ...KEEP, 'max-abs<=0.001', '--dry-run', '--beta', '2'];
  expect((await cli(dry, { cwd: folder.path })).stdout).toContain('nothing written (dry run)');
  const { stdout } = await cli([...dry, '--json'], { cwd: folder.path });
  expect(await folder.list()).toEqual(FILES);
  await folder.write('plan.json', stdout);
  const { json } = await cliJson(['swap', 'm.onnx', '--plan', 'plan.json'], { cwd: folder.path });
  expect(json.beta).toBe(2);
  expect(nodes(json.sites)).toEqual(['faint', 'safe']);
});

test('a budget on labels that every site meets swaps every site', async () => {
  const { path: cwd } = await prepared();
  const args = [
    '--data',
    'labelled.npz',
    '--labels',
    'y',
    '--keep',
    'top1-drop<=100',
    '--keep',
    'agreement>=0',
  ];
  const { code, stdout } = await cli(['swap', 'm.onnx', ...args], { cwd });
  expect(code).toBe(0);
  expect(stdout).toContain('3 of 3 sites within top1-drop<=100 and agreement>=0');
  expect(stdout).toMatch(/swapped, held out .* accuracy [+−]/);
  expect(stdout).not.toContain('all, searched');
});

test('a budget that no site meets gives exit code 1 and no file', async () => {
  const folder = await prepared();
  const args = ['swap', 'm.onnx', ...KEEP, 'sqnr>=60', '--include', 'harmful'];
  for (const more of [[], ['--dry-run'], ['-o', '-']]) {
    const { code, stdout, stderr } = await cli([...args, ...more], { cwd: folder.path });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^onnx-mish: m\.onnx: none of the 4 models that were tried keeps sqnr>=60; of 1 site the most harmless, harmful, gives agreement .* SQNR 1\d.* on 20 samples of the search; .* on 10 held-out samples\n/,
    );
    expect(stderr).toContain('Nothing was written. Loosen the budget');
  }
  const { code, json } = await cliJson(args, { cwd: folder.path });
  expect([code, json.error.code]).toEqual([1, 'over-budget']);
  expect(await folder.list()).toEqual(FILES);
});

test('swap --keep works through pipes', async () => {
  const folder = await prepared();
  const piped = await cli(['swap', '-', ...KEEP, 'max-abs<=0.001'], { cwd: folder.path, input: rankedModel });
  expect([piped.code, piped.stderr]).toEqual([0, expect.stringContaining('2 of 3 sites')]);
  await cli(['swap', 'm.onnx', ...KEEP, 'max-abs<=0.001'], { cwd: folder.path });
  expect(piped.bytes).toEqual(await folder.read('m.mish.onnx'));
});

test('swap --keep takes a model with external data', async () => {
  const folder = await tempFolder();
  await folder.write('m.onnx', externalModel('w.bin'));
  await folder.write('w.bin', BIAS_BYTES);
  await folder.write('s.npz', samplesFile(normals(30)));
  const { code } = await cli(['swap', 'm.onnx', ...KEEP, 'sqnr>=1'], { cwd: folder.path });
  expect(code).toBe(0);
  expect(await folder.list()).toEqual(['m.mish.onnx', 'm.onnx', 's.npz', 'w.bin']);
});

test.each([
  ['--int8 exact --keep sqnr>=-100', 'test/mish/int8/u8.onnx'],
  ['--beta 4 --fold --keep sqnr>=-100', 'models/lenet5.onnx'],
  ['--beta auto --fold --keep sqnr>=45', 'models/lenet5.onnx'],
])('swap %s does the same with weights in a data file, also with --dry-run', async (args, name) => {
  const folder = await tempFolder();
  const inside = await readFile(fileURLToPath(new URL(`../../${name}`, import.meta.url)));
  const outside = withDataOutside(inside, 'w.bin');
  await folder.write('inside.onnx', inside);
  await folder.write('outside.onnx', outside.model);
  await folder.write('w.bin', outside.data);
  for (const dry of ['--dry-run', '--force']) {
    const said = ['inside.onnx', 'outside.onnx'].map(async (model) => {
      const all = ['swap', model, '--data', 'random', '--samples', '6', ...args.split(' '), dry];
      const { code, stdout } = await cli(all, { cwd: folder.path });
      return [code, ...stdout.split('\n').filter((line) => /Mish in|folded| sites within/.test(line))];
    });
    const [one, other] = await Promise.all(said);
    expect(one?.slice(0, 2)).toEqual([0, expect.stringContaining('Mish in')]);
    expect(one?.some((line) => /folded into weights at [^0]/.test(`${line}`))).toBe(args.includes('--fold'));
    expect(other).toEqual(one);
  }
});

test('a model without sites is copied', async () => {
  const folder = await prepared();
  const bytes = model({ nodes: [node('Tanh', ['x'], ['y'])] });
  await folder.write('none.onnx', bytes);
  const { code, stdout } = await cli(['swap', 'none.onnx', ...KEEP, 'sqnr>=30'], { cwd: folder.path });
  expect([code, stdout]).toEqual([0, expect.stringContaining('nothing to swap')]);
  expect(await folder.read('none.mish.onnx')).toEqual(bytes);
});

test('random data prints a note that it shows little', async () => {
  const { path: cwd } = await prepared();
  const { stdout } = await cli(['swap', 'm.onnx', '--data', 'random', '--dim', 'N=1', '--keep', 'sqnr>=1'], {
    cwd,
  });
  expect(stdout).toContain('note: the samples are noise');
});

describe('refused', () => {
  test.each([
    [['--keep', 'sqnr>=30'], /--keep needs samples.*\n.*--data samples\.npz or --images folder/],
    [[...KEEP, 'sqnr<=30'], /'sqnr<=30' has the wrong direction.*\n.*Write sqnr>=30/],
    [[...KEEP, 'speed>=30'], /'speed' is not a measure/],
    [[...KEEP, 'top1-drop<=1'], /top1-drop<=1 needs labels.*\n.*--labels/],
    [[...KEEP, 'sqnr>=30', '--samples', '1'], /at least two runs of samples/],
    [[...KEEP, 'sqnr>=30', '--samples', '0'], /Write a whole number of at least 1/],
    [[...KEEP, 'sqnr>=30', '--plan', 'plan.json'], /--plan <file>.*cannot be used with.*--keep/],
    [['--data', 's.npz'], /--data needs --keep.*\n.*agreement>=0\.99/],
    [['--samples', '3'], /--samples needs --keep/],
    [[...KEEP, 'sqnr>=30', '-o', 'm.onnx'], /m\.onnx/],
  ])('%j', async (args, message) => {
    const folder = await prepared();
    const { code, stdout, stderr } = await cli(['swap', 'm.onnx', ...args], { cwd: folder.path });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(await folder.list()).toEqual(FILES);
  });
});

test('a third party’s wake word net is swapped within a budget', async () => {
  const folder = await tempFolder();
  const { code, json } = await cliJson(
    [
      'swap',
      REAL_MODELS.alexa,
      '--data',
      'random',
      '--samples',
      '24',
      '--keep',
      'sqnr>=20',
      '-o',
      'out.onnx',
    ],
    { cwd: folder.path },
  );
  expect(code).toBe(0);
  expect(json.keep.heldOut.harm.sqnr).toBeGreaterThanOrEqual(20);
});

test('--report writes the result as a page, and is refused before the search where it cannot be written', async () => {
  const { path: cwd, read, write } = await prepared();
  const args = ['swap', 'm.onnx', ...KEEP, 'max-abs<=0.001', '--dry-run', '--report', 'keep.html'];
  expect(await cli(args, { cwd })).toMatchObject({ code: 0, stderr: '' });
  const page = Buffer.from(await read('keep.html')).toString();
  expect(page).toContain('2 of 3 sites were swapped within max-abs&lt;=0.001, on 30 samples (npz).');
  expect(page).toMatch(/not swapped, since the budget would be exceeded/);
  expect(await cli(args, { cwd })).toMatchObject({ code: 2, stderr: expect.stringContaining('keep.html') });
  expect((await cli([...args, '--force'], { cwd })).code).toBe(0);
  for (const same of ['m.mish.onnx', './m.mish.onnx']) {
    const both = ['swap', 'm.onnx', ...KEEP, 'max-abs<=0.001', '--report', same];
    expect(await cli(both, { cwd })).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('output and report cannot go to the same file') },
    });
  }
  await write('keep.html', 'kept');
  const stray = await cli(['swap', 'm.onnx', '--report', 'keep.html'], { cwd });
  expect([stray.code, stray.stderr]).toEqual([2, expect.stringContaining('--report needs --keep')]);
});
