import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseRanking } from '../../../src/calibrate/select/ranking.js';
import { cli, cliJson, outcome, start } from '../../support/cli.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { reluModel } from '../../support/graph.js';
import { model, node } from '../../support/model.js';
import { REAL_MODELS } from '../../support/models.js';
import { normals, rankedModel, samplesFile } from '../../support/ranked.js';

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

const text = async (folder: Folder, name: string) => new TextDecoder().decode(await folder.read(name));

test('a glob that matches no activation is noted by rank and calibrate', async () => {
  const { path: cwd } = await prepared();
  for (const option of ['--exclude', '--include']) {
    const args = ['m.onnx', '--data', 's.npz', '--include', 'harm*', option, 'haed*'];
    const note = "no activation matches 'haed*'";
    const rank = await cli(['rank', ...args], { cwd });
    expect([rank.code, rank.stderr]).toEqual([0, `note: ${note} (${option})\n`]);
    const { json } = await cliJson(['calibrate', ...args, '--force', '--beta', '1', '--steps', '0'], { cwd });
    expect(json).toMatchObject({ notes: expect.arrayContaining([note]) });
  }
});

test('rank prints a table from the least to the most harmful site', async () => {
  const { path: cwd } = await prepared();
  const { code, stdout, stderr } = await cli(['rank', 'm.onnx', '--data', 's.npz'], { cwd });
  expect([code, stderr]).toEqual([0, '']);
  const lines = stdout.split('\n');
  expect(lines[0]).toBe('m.onnx: 3 sites, each swapped alone over 30 samples, from harmless to harmful');
  expect(lines[1]).toMatch(/^ +site +kind +estimate +SQNR +max abs +agreement$/);
  expect(lines[2]).toMatch(/^ {2}1 +safe +relu +exact +exact +0 +100 %$/);
  expect(lines[3]).toMatch(/^ {2}2 +faint +relu +\d+(\.\d)? dB +\d+(\.\d)? dB +3\.\de-4 +100 %$/);
  expect(lines[4]).toMatch(/^ {2}3 +harmful +relu +1\d(\.\d)? dB +1\d(\.\d)? dB +0\.\d+ +/);
  expect(stdout).toContain('estimate and measurement rank alike: Spearman 1.00');
});

test('labels add the loss of accuracy', async () => {
  const { path: cwd } = await prepared();
  const args = ['rank', 'm.onnx', '--data', 'labelled.npz', '--labels', 'y'];
  expect((await cli(args, { cwd })).stdout).toMatch(/agreement +accuracy$/m);
  const { json } = await cliJson(args, { cwd });
  expect(json.data.labelled).toBe(true);
  expect(json.sites[0].measured.top1Drop).toBe(0);
  const [low, high] = json.sites[0].measured.top1DropInterval;
  expect(low).toBeLessThan(0);
  expect(high).toBeGreaterThan(0);
  expect(parseRanking(json).sites).toHaveLength(json.sites.length);
  const text = (await cli(args, { cwd })).stdout;
  expect(text).toMatch(/ 0 \(−[\d.]+ to \+[\d.]+\)$/m);
  expect(text).toContain('paired 95 % interval');
  expect((await cli([...args, '--report', 'out.html'], { cwd })).code).toBe(0);
  expect(await readFile(join(cwd, 'out.html'), 'utf8')).toMatch(/0 \(−[\d.]+ to \+[\d.]+\)/);
});

test('--json prints a ranking, and swap takes it as a plan', async () => {
  const folder = await prepared();
  const { code, stdout } = await cli(
    ['rank', 'm.onnx', '--data', 's.npz', '--form', 'exp', '--beta', '2', '--json'],
    {
      cwd: folder.path,
    },
  );
  expect(code).toBe(0);
  const { form, beta, sites } = parseRanking(JSON.parse(stdout));
  await folder.write(
    'plan.json',
    JSON.stringify({ schema: 'onnx-mish/plan@1', form, beta, sites: sites.slice(0, 2) }),
  );
  const swapped = await cliJson(['swap', 'm.onnx', '--plan', 'plan.json'], { cwd: folder.path });
  expect(swapped.json).toMatchObject({ form: 'exp', beta: 2 });
  expect(swapped.json.sites.map((site: { node: string }) => site.node).toSorted()).toEqual(['faint', 'safe']);
});

test('--estimate estimates the ranking, and --top measures only the first sites', async () => {
  const { path: cwd } = await prepared();
  const estimate = await cli(['rank', 'm.onnx', '--data', 's.npz', '--estimate'], { cwd });
  expect(estimate.stdout).toMatch(/safe +relu +exact +– +0/);
  const top = await cliJson(['rank', 'm.onnx', '--data', 's.npz', '--top', '1'], { cwd });
  expect(top.json.sites.map((site: { measured: unknown }) => site.measured !== null)).toEqual([
    true,
    false,
    false,
  ]);
  const both = await cli(['rank', 'm.onnx', '--data', 's.npz', '--top', '1', '--estimate'], { cwd });
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('cannot be used with')]);
});

test('rank reads a model from standard input', async () => {
  const folder = await prepared();
  const { code, json } = await cliJson(['rank', '-', '--data', 's.npz'], {
    cwd: folder.path,
    input: rankedModel,
  });
  expect(code).toBe(0);
  expect(json.sites).toHaveLength(3);
});

test('a ranking on noise has a note, and a missing --data is refused', async () => {
  const { path: cwd } = await prepared();
  const noise = await cli(['rank', 'm.onnx', '--data', 'random', '--dim', 'N=2'], { cwd });
  expect(noise.stdout).toContain('over 64 samples of noise');
  expect(noise.stdout).toContain('note: ranked on noise; on real samples the order may differ');
  const none = await cli(['rank', 'm.onnx'], { cwd });
  expect(none.code).toBe(2);
  expect(none.stderr).toContain('rank needs samples');
  expect(none.stderr).toContain('--data samples.npz');
});

test('rank takes a model without sites', async () => {
  const folder = await prepared();
  await folder.write('none.onnx', model({ nodes: [node('Tanh', ['x'], ['y'])] }));
  const { code, stdout } = await cli(['rank', 'none.onnx', '--data', 's.npz'], { cwd: folder.path });
  expect([code, stdout]).toEqual([0, expect.stringContaining('nothing to swap')]);
});

describe('--resume', () => {
  const args = ['rank', 'm.onnx', '--data', 's.npz', '--resume', 'r.json'];

  test('keeps the ranking in a file, and measures nothing twice', async () => {
    const folder = await prepared();
    const { json } = await cliJson(args, { cwd: folder.path });
    expect(JSON.parse(await text(folder, 'r.json'))).toEqual(json);
    // A figure that nobody measured shows that it was taken from there.
    const known = { ...json, sites: json.sites.slice(0, 2) };
    known.sites[0].measured = { ...known.sites[0].measured, sqnr: 12.3, maxAbs: 45.6 };
    await folder.write('r.json', JSON.stringify(known));
    const { stdout } = await cli(args, { cwd: folder.path });
    expect(stdout).toMatch(/safe +relu +exact +12.3 dB +45.6/);
    expect(stdout).toContain('harmful');
    expect(await folder.list()).toEqual(['labelled.npz', 'm.onnx', 'r.json', 's.npz']);
  });

  test('goes on after Ctrl-C', async () => {
    const folder = await tempFolder();
    const { classifier } = REAL_MODELS;
    const noisy = ['--data', 'random', '--samples', '16', '--shape', 'x=1x3x48x96'];
    const long = ['rank', classifier, ...noisy, '--resume', 'r.json', '--json'];
    const child = start(long, { cwd: folder.path });
    child.stdin?.end();
    while (!(await folder.list()).includes('r.json') && child.exitCode === null) await wait(20);
    child.kill('SIGINT');
    const { code, stderr } = await outcome(child);
    expect(code).toBe(130);
    expect(stderr).toContain('Run the same command again to continue');
    expect(await folder.list()).toEqual(['r.json']);
    const before = parseRanking(JSON.parse(await text(folder, 'r.json')));
    const measured = before.sites.filter((site) => site.measured !== null);
    expect(measured.length).toBeGreaterThan(0);
    expect(measured.length).toBeLessThan(15);
    const rest = await cli(long, { cwd: folder.path });
    const after = parseRanking(JSON.parse(rest.stdout));
    expect(after.sites.every((site) => site.measured !== null)).toBe(true);
    for (const site of measured) expect(after.sites).toContainEqual(site);
  });

  test.each([
    ['no JSON', 'no JSON', /not a valid onnx-mish\/ranking@1/],
    ['nothing', '', /not a valid onnx-mish\/ranking@1/],
    ['another document', '{"schema":"onnx-mish/report@1"}', /not a valid onnx-mish\/ranking@1/],
    [
      'a list in place of figures',
      '{"schema":"onnx-mish/ranking@1","sites":[[]]}',
      /model must have a name and sha256/,
    ],
  ])('refuses %s, and leaves the file', async (_, content, message) => {
    const folder = await prepared();
    await folder.write('r.json', content);
    const { code, stderr } = await cli(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(stderr).toContain('r.json');
    expect(await text(folder, 'r.json')).toBe(content);
  });

  test('refuses the ranking of another model, a folder, and a missing folder', async () => {
    const folder = await prepared();
    await cli(args, { cwd: folder.path });
    const before = await text(folder, 'r.json');
    await folder.write('m.onnx', reluModel());
    const other = await cli(args, { cwd: folder.path });
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining("r.json: the ranking is of another model ('m.onnx')"),
    ]);
    expect(await text(folder, 'r.json')).toBe(before);
    for (const place of ['.', 'nowhere/r.json']) {
      const { code, stderr } = await cli([...args.slice(0, -1), place], { cwd: folder.path });
      expect([code, stderr]).toEqual([2, expect.stringContaining(place)]);
    }
  });
});

test('--report writes a page with every site, and the conclusion above them', async () => {
  const folder = await prepared();
  const args = ['rank', 'm.onnx', '--data', 's.npz', '--report', 'rank.html'];
  expect((await cli(args, { cwd: folder.path })).code).toBe(0);
  const page = await text(folder, 'rank.html');
  expect(page).toMatch(
    /Of 3 sites, each swapped alone on 30 samples \(npz\), safe does the least harm \(exact\) and harmful the most \(SQNR 1\d/,
  );
  for (const site of ['safe', 'faint', 'harmful']) expect(page).toContain(`>${site}<`);
  const again = await cli(args, { cwd: folder.path });
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('rank.html')]);
});
