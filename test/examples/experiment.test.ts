// The recipes for an experiment on many machines: their manifests, and what they run.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import manifest from '../../examples/experiment/kubernetes.json' with { type: 'json' };
import { parseExperimentReport } from '../../src/experiment/report-schema.js';
import { classifiedArchive, classifier } from '../support/classified.js';
import { MAIN } from '../support/cli.js';
import { timeless } from '../support/experiment.js';
import { type Folder, tempFolder } from '../support/folder.js';
import { everyNth } from '../support/heavy.js';
import schema from './job-schema.json' with { type: 'json' };

const recipe = (name: string) => fileURLToPath(new URL(`../../examples/experiment/${name}`, import.meta.url));

/** A JSON schema, as far as job-schema.py writes one. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
}

/** Lists what is wrong with a value. */
function mistakes(
  value: unknown,
  { type, enum: choices, required = [], properties, items }: Schema,
  path = '$',
): string[] {
  const kind = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  const found: string[] = [];
  if (type !== undefined && ![type].flat().includes(kind)) found.push(`${path} is of type ${kind}`);
  if (choices !== undefined && !choices.includes(value)) found.push(`${path} is ${JSON.stringify(value)}`);
  if (items !== undefined && Array.isArray(value))
    found.push(...value.flatMap((item, at) => mistakes(item, items, `${path}[${at}]`)));
  if (properties === undefined || kind !== 'object') return found;
  const entries = Object.entries(value as object);
  for (const name of required)
    if (!entries.some(([key]) => key === name)) found.push(`${path} lacks ${name}`);
  for (const [name, one] of entries) {
    const property = properties[name];
    if (property === undefined) found.push(`${path}.${name} is unknown`);
    else found.push(...mistakes(one, property, `${path}.${name}`));
  }
  return found;
}

test('the manifest fits the schema of a Kubernetes Job, and a wrong one does not', () => {
  expect(mistakes(manifest, schema as Schema)).toEqual([]);
  const { spec } = manifest;
  for (const wrong of [
    { ...manifest, spec: { ...spec, completion: 4 } },
    { ...manifest, spec: { ...spec, completions: 'four' } },
    { ...manifest, kind: 'Jobs' },
  ])
    expect(mistakes(wrong, schema as Schema)).toHaveLength(1);
  expect(spec.completions).toBe(4);
});

/** Parts that a recipe runs by itself; the others are copied from the first recipe, unless all run at their whole size. */
const RUN_PARTS = everyNth(3, [1, 2, 3, 4]);

/** Copies the parts that a recipe does not run. */
async function copyRest(from: Folder, to: Folder): Promise<void> {
  for (const part of [1, 2, 3, 4].filter((one) => !RUN_PARTS.includes(one)))
    await to.write(`result.${part}-of-4.json`, await from.read(`result.${part}-of-4.json`));
}

/** The same bytes for all: an archive contains the time. */
const [train, tested] = [classifiedArchive(80), classifiedArchive(40, 6)];

/** Settings that make the runs quick. */
const QUICK = [
  '--activations',
  'relu,mish',
  '--epochs',
  '1',
  '--no-landscape',
  '--jobs',
  '1',
  '--seeds',
  '2',
];

/** A folder with model and samples, in whose path are `onnx-mish` and an `npx` that start the command with quick settings. */
async function project(): Promise<Folder> {
  const folder = await tempFolder();
  await folder.write('model.onnx', classifier());
  await folder.write('train.npz', train);
  await folder.write('test.npz', tested);
  const start = `exec "${process.execPath}" "${MAIN}"`;
  const quick = `if [ "$1" = experiment ]; then ${start} "$@" ${QUICK.join(' ')}; else ${start} "$@"; fi\n`;
  await chmod(await folder.write('onnx-mish', `#!/bin/sh\n${quick}`), 0o755);
  await chmod(await folder.write('npx', `#!/bin/sh\nshift\n${quick}`), 0o755);
  return folder;
}

async function run(folder: Folder, script: string, env: Record<string, string> = {}): Promise<void> {
  const PATH = `${folder.path}:${dirname(process.execPath)}:/usr/bin:/bin`;
  await promisify(execFile)('bash', ['-ec', script], { cwd: folder.path, env: { PATH, ...env } });
}

const partsOf = async (folder: Folder) =>
  (await folder.list()).filter((name) => /^result\.\d-of-\d\.json$/.test(name));

async function merged(folder: Folder) {
  await run(folder, 'onnx-mish report result.*-of-4.json --json > merged.json');
  const report = parseExperimentReport(
    JSON.parse(new TextDecoder().decode(await folder.read('merged.json'))),
  );
  expect(report.missing).toEqual([]);
  return timeless(report);
}

test('all recipes give the same experiment', async ({ skip }) => {
  skip(process.platform === 'win32', 'the recipes are for a Unix shell');
  const slurm = await project();
  for (const index of [1, 2, 3, 4]) {
    const whole = { SLURM_ARRAY_TASK_COUNT: '4', SLURM_ARRAY_TASK_MIN: '1', SLURM_ARRAY_TASK_MAX: '4' };
    // The third is started alone, as the recipe says.
    const alone = { SLURM_ARRAY_TASK_COUNT: '1', SLURM_ARRAY_TASK_MIN: '3', SHARD: '3/4' };
    await run(slurm, readFileSync(recipe('slurm.sh'), 'utf8'), {
      ...(index === 3 ? alone : whole),
      SLURM_ARRAY_TASK_ID: String(index),
    });
  }
  expect(readFileSync(recipe('slurm.sh'), 'utf8')).toContain('#SBATCH --array=1-4\n');
  const expected = await merged(slurm);

  const kubernetes = await project();
  const [container] = manifest.spec.template.spec.containers;
  expect(manifest.spec.completions).toBe(4);
  for (const part of RUN_PARTS)
    await run(kubernetes, container?.command.join(' ') ?? '', { JOB_COMPLETION_INDEX: String(part - 1) });
  expect(await partsOf(kubernetes)).toHaveLength(RUN_PARTS.length);
  await copyRest(slurm, kubernetes);
  expect(await merged(kubernetes)).toEqual(expected);

  const actions = await project();
  const workflow = readFileSync(recipe('github-actions.yml'), 'utf8');
  const [, numbers = ''] = /^ +part: \[(.*)\]$/m.exec(workflow) ?? [];
  const [training = '', merge = ''] = [...workflow.matchAll(/- run: npx (.*)$/gm)].map(
    ([, line]) => line ?? '',
  );
  expect(numbers.split(', ')).toEqual(['1', '2', '3', '4']);
  for (const part of RUN_PARTS)
    await run(actions, `npx ${training.replaceAll(/\$\{\{ matrix\.part \}\}/g, String(part))}`);
  expect(await partsOf(actions)).toHaveLength(RUN_PARTS.length);
  await copyRest(slurm, actions);
  await run(actions, `npx ${merge}`);
  expect(await actions.list()).toContain('result.html');
  expect(await merged(actions)).toEqual(expected);
});

test('the short version says where its samples come from, and overwrites no archive', async () => {
  const folder = await tempFolder();
  const start = () =>
    promisify(execFile)(process.execPath, [recipe('fashion.js'), folder.path], {
      env: { ...process.env, FASHION_MNIST: folder.at('none') },
    });
  await expect(start()).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^Fashion-MNIST is not in .*none\. Install .*dataset-fashion-mnist.*\n$/),
  });
  await folder.write('train.npz', train);
  await expect(start()).rejects.toMatchObject({
    code: 2,
    stderr: `${folder.at('test.npz')} is missing. Put it beside the other archive, or remove that one to write both anew.\n`,
  });
  expect(await folder.list()).toEqual(['train.npz']);
});
