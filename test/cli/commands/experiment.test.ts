import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseExperimentReport } from '../../../src/experiment/report-schema.js';
import { classifiedArchive, classifier } from '../../support/classified.js';
import { cli, cliJson, cliProcess, outcome, start } from '../../support/cli.js';
import { timeless } from '../../support/experiment.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { everyNth } from '../../support/heavy.js';
import { floats, model, node, value } from '../../support/model.js';

async function prepared(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('m.onnx', classifier());
  await folder.write('s.npz', classifiedArchive(160));
  await folder.write('t.npz', classifiedArchive(80, 6));
  return folder;
}

const labelled = ['experiment', 'm.onnx', '--data', 's.npz', '--labels', 'y', '--test', 't.npz'];
const quick = [...labelled, '--activations', 'relu,mish', '--epochs', '2', '--batch', '16', '--seeds', '2'];
const one = [...quick, '--no-landscape', '--jobs', '1'];
const inputs = ['m.onnx', 's.npz', 't.npz'];

const readReport = async (folder: Folder, name: string) =>
  parseExperimentReport(JSON.parse(new TextDecoder().decode(await folder.read(name))));

test('experiment writes a report in JSON, HTML and text, and removes the files of its runs', async () => {
  const folder = await prepared();
  const args = [...quick, '--landscape', '3', '--jobs', '1', '--report', 'out.html'];
  const { code, stdout, stderr } = await cli(args, { cwd: folder.path });
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/^note: 4 runs on 1 process take about [\d.]+ s\n$/);
  expect(await folder.list()).toEqual(['m.experiment.json', ...inputs, 'out.html'].toSorted());
  const report = await readReport(folder, 'm.experiment.json');
  expect(report.runs.map(({ activation, seed }) => `${activation} ${seed}`)).toEqual([
    ...['relu 0', 'mish 0', 'relu 1', 'mish 1'],
  ]);
  expect(
    report.runs.map(({ landscape, derivative }) => [landscape?.losses.length, derivative?.samples]),
  ).toEqual([
    ...[[9, 80], [9, 80], [undefined, undefined], [undefined, undefined]], // biome-ignore format: pairs
  ]);
  for (const part of ['m.onnx → m.experiment.json', report.conclusion, 'ReLU, Mish at 1 site.', 'baseline'])
    expect(stdout).toContain(part);
  const page = new TextDecoder().decode(await folder.read('out.html'));
  for (const part of ['onnx-mish experiment', 'Loss landscapes', 'Derivatives over', 'Curves'])
    expect(page).toContain(part);
});

test('shards merge in any order to the report of the whole, a killed and a repeated shard too', async () => {
  const folder = await prepared();
  const { cwd } = { cwd: folder.path };
  expect((await cli([...one, '-o', 'all.json'], { cwd })).code).toBe(0);
  const whole = timeless(await readReport(folder, 'all.json'));
  const part = (shard: string, ...more: string[]) => [...one, '-o', 'p.json', '--shard', shard, ...more];

  // The first is killed as soon as its first run is there, and goes on.
  const child = start(part('1/3'), { cwd });
  const ended = outcome(child);
  const runs = folder.at('p.1-of-3.json.runs');
  while (!existsSync(runs) || !(await readdir(runs)).includes('relu-0.json')) {
    expect(child.exitCode).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  child.kill('SIGKILL');
  expect((await ended).signal).toBe('SIGKILL');
  const refused = await cli(part('1/3'), { cwd });
  expect([refused.code, refused.stderr.includes('runs of a stopped experiment exist')]).toEqual([2, true]);
  expect((await cli(part('1/3', '--resume'), { cwd })).code).toBe(0);
  // A second run of a finished part does nothing.
  const finished = await folder.read('p.1-of-3.json');
  expect((await cli(part('1/3', '--resume'), { cwd })).code).toBe(0);
  expect(await folder.read('p.1-of-3.json')).toEqual(finished);

  const slurm = { SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '3', SLURM_ARRAY_TASK_MIN: '1' };
  expect((await cli(part('auto'), { cwd, env: slurm })).code).toBe(0);
  const partial = await cli(['report', 'p.2-of-3.json', 'p.1-of-3.json'], { cwd });
  expect(partial.stdout).toContain('Missing runs: ReLU, seed 1.');
  expect((await cli(part('auto/3'), { cwd, env: { JOB_COMPLETION_INDEX: '2' } })).code).toBe(0);
  await folder.write('again.json', await folder.read('p.2-of-3.json'));
  for (const order of [
    [3, 1, 2],
    [2, 3, 1],
  ]) {
    const paths = [...order.map((index) => `p.${index}-of-3.json`), 'again.json'];
    const { json } = await cliJson(['report', ...paths], { cwd });
    expect(timeless(json)).toEqual(whole);
  }
});

test('several processes give the same runs as one', async () => {
  const folder = await prepared();
  const { cwd } = { cwd: folder.path };
  await folder.write('onnx-mish.config.json', '{ "experiment": '); // no process reads it
  const several = [...quick, '--no-landscape', '--no-config', '--jobs', '2', '-o', 'two.json'];
  const { code, stderr } = await cli(several, { cwd });
  expect(code, stderr).toBe(0);
  expect((await cli([...one, '--no-config', '-o', 'one.json'], { cwd })).code).toBe(0);
  const [first, second] = [await readReport(folder, 'one.json'), await readReport(folder, 'two.json')];
  expect(timeless(second)).toEqual(timeless(first));
  const merged = await cliJson(['report', 'two.json', 'one.json', '--no-config'], { cwd });
  expect(timeless(merged.json)).toEqual(timeless(first));
});

test('samples that change before another process reads them end the experiment', async () => {
  const folder = await prepared();
  const child = start([...quick, '--no-landscape', '--jobs', '2', '-o', 'two.json'], { cwd: folder.path });
  const ended = outcome(child);
  while (!existsSync(folder.at('two.json.runs', 'digest')) && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 2));
  await folder.write('s.npz', classifiedArchive(160, 9));
  const { code, stderr } = await ended;
  expect([code, stderr]).toEqual([2, expect.stringContaining('the model or the samples changed since')]);
  expect(await folder.list()).not.toContain('two.json');
});

test.each(everyNth(2, ['2', '1']))('an interrupted experiment of %s processes goes on', async (jobs) => {
  const folder = await prepared();
  const { cwd } = { cwd: folder.path };
  const long = [...labelled, '--activations', 'relu,mish', '--epochs', '15', '--batch', '8', '--seeds', '1'];
  const args = [...long, '--no-landscape', '--jobs', jobs];
  const child = start(args, { cwd });
  const ended = outcome(child);
  const runs = folder.at('m.experiment.json.runs');
  while (!existsSync(runs) || !(await readdir(runs)).includes('mish-0.checkpoint')) {
    expect(child.exitCode).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  child.kill('SIGTERM');
  const { code, stderr } = await ended;
  expect(code, stderr).toBe(130);
  expect(stderr).toContain("The folder 'm.experiment.json.runs' has all finished runs and epochs");
  expect(stderr).toContain('--resume');
  const other = await cli([...args, '--resume', '--lr', '0.1'], { cwd });
  expect([other.code, other.stderr.includes('other settings')]).toEqual([2, true]);
  const resumed = await cli([...args, '--resume'], { cwd });
  expect(resumed.code, resumed.stderr).toBe(0);
  expect((await cli([...long, '--no-landscape', '--jobs', '1', '-o', 'whole.json'], { cwd })).code).toBe(0);
  const [stopped, whole] = [
    await readReport(folder, 'm.experiment.json'),
    await readReport(folder, 'whole.json'),
  ];
  expect(timeless(stopped)).toEqual(timeless(whole));
});

test.each([
  [['--activations', 'relu,nonsense'], "'nonsense' is not an activation"],
  [['--activations', 'relu,relu'], "the activation 'relu' is given twice"],
  [['--only', 'gelu'], 'no activation that can be exchanged (gelu)'],
  [['--shard', '4/3'], 'Write part/parts'],
  [['--batch', '1000'], 'a batch of 1000 is larger'],
  [['--labels', 'none'], "the array 'none'"],
  [['--report', 'm.experiment.json'], 'cannot go to the same file'],
  [['--landscape', '2'], 'the number of points must be an integer from 3'],
])('%j is refused, and leaves nothing behind', async (more, message) => {
  const folder = await prepared();
  const { code, stdout, stderr } = await cli([...quick, '--jobs', '1', ...more], { cwd: folder.path });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
  expect(await folder.list()).toEqual(inputs);
});

test.each(inputs)('the report does not take the place of %s, which the experiment reads', async (name) => {
  const folder = await prepared();
  const before = await folder.read(name);
  const { code, stderr } = await cli([...one, '-o', name, '--force'], { cwd: folder.path });
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(`${name}: this file is an input of the command`),
  ]);
  expect(await folder.read(name)).toEqual(before);
});

test('a model without inputs is refused as such', async () => {
  const folder = await prepared();
  const parts = { inputs: [], outputs: [value('y', 1, [2])], initializers: [floats('w', [2], [1, -1])] };
  await folder.write('m.onnx', model({ nodes: [node('Relu', ['w'], ['y'])], ...parts }));
  for (const args of [one, ['finetune', ...one.slice(1, 8)]]) {
    const { code, stderr } = await cli(args, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining('m.onnx: the model has no inputs')]);
  }
});

test('the internal option of worker processes is refused on the command line', async () => {
  const { code, stderr } = await cliProcess(['experiment', 'm.onnx', '--worker']);
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('--worker is for processes that experiment starts'),
  ]);
});

test('a damaged checkpoint is named with its file, and removing it lets the experiment go on', async () => {
  const folder = await prepared();
  const { cwd } = { cwd: folder.path };
  const child = start(
    [
      ...labelled,
      '--activations',
      'relu',
      '--epochs',
      '400',
      '--seeds',
      '1',
      '--no-landscape',
      '--jobs',
      '1',
    ],
    { cwd },
  );
  const ended = outcome(child);
  const path = folder.at('m.experiment.json.runs/relu-0.checkpoint');
  while (!existsSync(path)) {
    expect(child.exitCode).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const again = [...labelled, '--activations', 'relu', '--epochs', '400', '--seeds', '1', '--no-landscape'];
  const busy = await cli([...again, '--jobs', '1', '--resume'], { cwd });
  expect([busy.code, busy.stderr]).toEqual([
    2,
    expect.stringContaining(`process ${child.pid} works on these runs`),
  ]);
  child.kill('SIGKILL');
  await ended;
  const whole = await readFile(path);
  for (const damaged of [whole.subarray(0, 9), whole.subarray(0, whole.length >> 1), Buffer.alloc(0)]) {
    await writeFile(path, damaged);
    const { code, stderr } = await cli([...again, '--jobs', '1', '--resume'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain('relu-0.checkpoint: ');
    expect(stderr).toContain('Remove the file; the run starts anew');
  }
});

test.each([
  [['--size', '8'], '--size needs --images'],
  [['--channels', 'bgr'], '--channels needs --images'],
  [['--mean', '0.5,0.5,0.5'], '--mean needs --images'],
  [['--targets', 'y'], '--labels and --targets both name the targets'],
])('an option that arrays do not have is refused: %j', async (more, message) => {
  const folder = await prepared();
  for (const command of ['experiment', 'finetune']) {
    const args = [command, 'm.onnx', '--data', 's.npz', '--labels', 'y', ...more];
    const { code, stderr } = await cli(args, { cwd: folder.path });
    expect([code, stderr.includes(message)]).toEqual([2, true]);
  }
});

test('--samples limits arrays, too, and one run takes one verb', async () => {
  const folder = await prepared();
  const { json, stderr } = await cliJson(
    [...one, '--samples', '70', '--activations', 'mish', '--seeds', '1'],
    { cwd: folder.path },
  );
  expect(json).toMatchObject({ data: { train: 70, test: 70 } });
  expect(stderr).toContain('1 run on 1 process takes about');
});
